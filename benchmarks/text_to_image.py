"""How long one caption takes: the shipped model, from words to pixels, by number of threads.

Seconds for one caption in 8 guided steps (16 answers of the network, as 8 batches of two), and
which part of them the decoder takes. Beside it, in the same run and taking turns, the same network
called 8 times by hand without any sampler: the ratio is what our sampler, guidance and text
encoder cost.

Run: python -m benchmarks.text_to_image [--rounds 30]
"""

import argparse
import os
import statistics
import time

import torch

from attnoise.data.captions import encode_captions
from attnoise.together import sample
from attnoise.training.checkpoints import load_checkpoint

CAPTION = "a small red ring left of a large blue cross"
STEPS = 8


def seconds(work, rounds: int) -> list[float]:
    found = []
    for turn in range(rounds + 2):
        start = time.perf_counter()
        work()
        if turn >= 2:  # the first two warm up
            found.append(time.perf_counter() - start)
    return found


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    model, card = load_checkpoint("text-to-image")
    autoencoder, _ = load_checkpoint("shapes-autoencoder")
    tokens, generator = encode_captions([CAPTION]), torch.Generator().manual_seed(0)
    chosen = card["sampler"]
    scale = chosen["guidance_scale"]
    x, t = torch.randn(2, 4, 8, 8, generator=generator), torch.ones(2)
    words, known = model.text(tokens.repeat(2, 1))

    def whole():
        sample(model, autoencoder, tokens, generator, steps=STEPS, guidance_scale=scale,
               sampler=chosen["name"], shift=chosen["shift"])  # fmt: skip

    def network():
        for _ in range(STEPS):
            model.dit(x, t, context=words, context_mask=known[:, None, None])

    def decoder():
        autoencoder.decode(x[:1])

    print(f"torch {torch.__version__}; one caption, {STEPS} steps with guidance {scale:g}")
    for threads in sorted({1, min(2, os.cpu_count() or 1)}):
        torch.set_num_threads(threads)
        rows = {work.__name__: seconds(work, options.rounds) for work in (whole, network, decoder)}
        low, middle, high = statistics.quantiles(rows["whole"], n=4)
        share = statistics.median(rows["decoder"]) / middle
        ratio = middle / statistics.median(rows["network"])
        print(
            f"  {threads} thread{'s'[: threads - 1]}: {middle:.3f} s (quartiles {low:.3f} to "
            f"{high:.3f}), {ratio:.2f} times the network's own calls, decoder {share:.0%}"
        )


if __name__ == "__main__":
    main()
