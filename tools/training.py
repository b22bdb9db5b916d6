"""What the training scripts share: run to the end, say how it goes, survive a kill."""

import json
import sys
import time
from pathlib import Path

from attnoise.training.files import write_atomically
from attnoise.training.loop import train


def run(model, loss, steps, generator, *, save_to: Path, save_every=250, watch=None, **options):
    """Train a model and return the loss of every step and the CPU-seconds, resumed ones included.

    Args:
        model, loss, steps, generator, options: As for `attnoise.training.loop.train`.
        save_to: Where the state is kept; the history of losses is kept beside it.
        save_every: Steps between saves.
        watch: Called with the step after every save, to print how good the model is.
    """
    history = save_to.with_suffix(".history.json")
    kept = json.loads(history.read_text()) if history.exists() and save_to.exists() else {}
    losses, before, start = kept.get("losses", []), kept.get("seconds", 0.0), time.process_time()
    for record in train(
        model, loss, steps, generator, save_to=save_to, save_every=save_every, **options
    ):
        losses[record.step - 1 :] = [record.loss]
        if record.step % 50 == 0:
            mean = sum(losses[-50:]) / len(losses[-50:])
            print(f"step {record.step} loss {mean:.4f}", file=sys.stderr, flush=True)
        if record.step % save_every == 0 or record.step == steps:
            seconds = before + time.process_time() - start
            content = json.dumps({"losses": losses, "seconds": seconds})
            write_atomically({history: content.encode()})
            if watch is not None:
                print(watch(record.step), file=sys.stderr, flush=True)
                start += time.process_time() - start - (seconds - before)  # not counted
    return losses, before + time.process_time() - start
