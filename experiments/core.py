"""What all experiments share: options, seeds, a log, a run that survives a kill, and cards.

Run one as a module, from the top folder: python -m experiments.diffusion.train_digits_ddpm --help
"""

import json
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import tyro
from torch import nn

from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.distributed import join_processes
from attnoise.training.files import write_atomically
from attnoise.training.loop import Loss, train

T = TypeVar("T")
LOG = logging.getLogger("experiments")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every experiment.

    Args:
        seed: Of the first weights, the batches and the samples.
        out: Folder of the card and, where a model is trained, its weights.
        work: Folder of what is kept between a stop and the next start, and of the log.
    """

    seed: int = 0
    out: Path = FOLDER
    work: Path = Path("_build/training")


@dataclass(frozen=True)
class Trained:
    """What a run has cost: the loss of each step, and CPU-seconds, resumed ones included."""

    losses: list[float]
    seconds: float

    @property
    def start_loss(self) -> float:
        """The mean loss of the first ten steps."""
        return round(sum(self.losses[:10]) / len(self.losses[:10]), 5)

    @property
    def end_loss(self) -> float:
        """The mean loss of the last hundred steps."""
        return round(sum(self.losses[-100:]) / len(self.losses[-100:]), 5)


def command_line(kind: type[T], description: str | None) -> T:
    """Read the options of an experiment from the command line; its docstring is the help."""
    return tyro.cli(kind, description=description)


class Experiment:
    """One run of one experiment, which can be stopped and started again.

    Args:
        name: Of the card, the weights, the log and the saved state.
        options: Say where all that lies.
    """

    def __init__(self, name: str, options: Options) -> None:
        self.name, self.options = name, options
        options.work.mkdir(parents=True, exist_ok=True)
        options.out.mkdir(parents=True, exist_ok=True)
        LOG.setLevel(logging.INFO)
        for handler in list(LOG.handlers):  # of an experiment before this one
            LOG.removeHandler(handler)
            handler.close()
        if join_processes()[0] == 0:
            LOG.addHandler(logging.StreamHandler())
            LOG.addHandler(logging.FileHandler(options.work / f"{name}.log", encoding="utf8"))
        self.memory = options.work / f"{name}.memory.json"
        self.known = json.loads(self.memory.read_text("utf8")) if self.memory.exists() else {}

    def generator(self, offset: int = 0) -> torch.Generator:
        """Return a new generator, seeded by the experiment's seed plus an offset."""
        return torch.Generator().manual_seed(self.options.seed + offset)

    def run(
        self,
        model: nn.Module,
        loss: Loss,
        steps: int,
        generator: torch.Generator,
        *,
        name: str | None = None,
        save_every: int = 250,
        watch: Callable[[int], object] | None = None,
        **options: Any,
    ) -> Trained:
        """Train a model to the end, going on from its last save.

        Args:
            model, loss, steps, generator, options: As for `attnoise.training.loop.train`.
            name: Of the saved state; the experiment's own if it trains one model.
            save_every: Steps between saves.
            watch: Called with the step after every save, to log how good the model is; its time
                is not counted.
        """
        save_to = self.options.work / f"{name or self.name}.pt"
        history = save_to.with_suffix(".history.json")
        kept = json.loads(history.read_text()) if history.exists() and save_to.exists() else {}
        losses, seconds = kept.get("losses", []), kept.get("seconds", 0.0)
        start = time.process_time()
        for record in train(
            model, loss, steps, generator, save_to=save_to, save_every=save_every, **options
        ):
            losses[record.step - 1 :] = [record.loss]
            if record.step % 50 == 0:
                LOG.info("step %d loss %.4f", record.step, sum(losses[-50:]) / len(losses[-50:]))
            if record.step % save_every == 0 or record.step == steps:
                seconds, start = seconds + time.process_time() - start, 0.0
                content = json.dumps({"losses": losses, "seconds": seconds})
                write_atomically({history: content.encode()})
                if watch is not None and (said := watch(record.step)):
                    LOG.info("step %d: %s", record.step, said)
                start = time.process_time()
        return Trained(losses, seconds)

    def remember(self, key: str, measure: Callable[[], T]) -> T:
        """Return measure(), or what it returned under this key before a stop; it must fit JSON."""
        if key not in self.known:
            start = time.process_time()
            found = measure()
            self.known[key] = found, round(time.process_time() - start, 1)
            write_atomically({self.memory: json.dumps(self.known).encode()})
            LOG.info("%s: %s, %.0f s", key, *self.known[key])
        return self.known[key][0]

    def seconds(self) -> float:
        """Return the CPU-seconds of all that is remembered."""
        return sum(used for _, used in self.known.values())

    def write(
        self, card: dict[str, Any], model: nn.Module | None = None, name: str | None = None
    ) -> None:
        """Write the card and, where there is a model, its weights in half precision.

        Args:
            card: From `make_card`.
            model: What was trained, if anything.
            name: Of the files, where an experiment writes more than one card.
        """
        path = self.options.out / (name or self.name)
        if join_processes()[0] > 0:
            return
        if model is None:
            text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
            write_atomically({f"{path}.json": text.encode()})
        else:
            save_checkpoint(path, model, card, half=True)
        LOG.info("wrote %s", path)


def make_card(
    experiment: Experiment,
    *,
    task: str,
    data: str,
    data_sha256: str,
    steps: int | None = None,
    batch: int | None = None,
    lr: Any = None,
    ema: float | None = None,
    trained: Trained | None = None,
    cpu_seconds: float | None = None,
    result: Any,
    baseline: Any = None,
    floor: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a card: the fields that every card has, null where they do not apply, then others.

    Args:
        experiment: Gives the seed.
        task: What was learned or measured, in a sentence.
        data: What from, and how much of it.
        data_sha256: Hash of the data.
        steps, batch, lr, ema: How it was trained: steps, rows in a batch, peak of the learning
            rate (or one per network), decay of the average of weights.
        trained: Losses and seconds of the run.
        cpu_seconds: Where they are not those of `trained`.
        result: The numbers that the experiment is about, intervals as [value, low, high].
        baseline: The same numbers of the strongest cheap baselines, by name.
        floor: The real-against-real value of each distance, by name.
        more: All else.
    """
    spent = trained.seconds if trained is not None and cpu_seconds is None else cpu_seconds
    return {
        "task": task,
        "data": data,
        "data_sha256": data_sha256,
        "seed": experiment.options.seed,
        "steps": steps,
        "batch": batch,
        "lr": lr,
        "ema": ema,
        "start_loss": trained and trained.start_loss,
        "end_loss": trained and trained.end_loss,
        "cpu_seconds": None if spent is None else round(spent),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "result": result,
        "baseline": baseline,
        "floor": floor,
        **more,
    }


def seeded(make: Callable[[], T], seed: int) -> T:
    """Make a model whose first weights follow a seed; the global randomness stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def rounded(values: Any, digits: int = 4) -> list[float]:
    """Round every number of an estimate or a list."""
    return [round(float(value), digits) for value in values]
