"""Measure what a model does beyond its training length, by how it is told the positions.

One block reads sequences of 24 symbols and is tested on up to eight times as many, on two tasks.
Every cure has eight heads; rotary and learned positions have two in one more row each. Controls:
three times the training, a window of the trained length, and all keys with every distance cut to
the trained range. Remedies: other frequencies for a trained rotary model, alone and after a short
training at four times the length.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnoise.attention import LearnedPositions, Rotary, sinusoidal_positions, sliding_window_mask
from attnoise.training.loop import train
from attnoise.transformers import Block, BlockConfig
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded

TRAINED, LONGER, LENGTHS = 24, 96, (24, 48, 96, 192)
ROWS = {name: (name, 8) for name in ("none", "sinusoidal", "learned", "rotary", "alibi")}
ROWS |= {"rotary, two heads": ("rotary", 2), "learned, two heads": ("learned", 2)}
REMEDIES = ("plain", "interpolation", "by parts")
Task = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        steps: Steps of training at the short length.
        longer: Steps of the control that trains longer.
        tuning: Steps of training at four times the length.
        lengths: Lengths of the test.
        rows: Which cures are trained.
    """

    seeds: int = 3
    steps: int = 300
    longer: int = 900
    tuning: int = 50
    lengths: tuple[int, ...] = LENGTHS
    rows: tuple[str, ...] = tuple(ROWS)


def offset(b: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw random symbols; the answer at each place is the symbol three places back."""
    tokens = torch.randint(16, (b, n), generator=generator)
    answers = tokens.roll(3, dims=1)
    answers[:, :3] = -100
    return tokens, answers


def latest(b: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw "variable = value"; the answer is the value that the same variable had before."""
    variable, value = torch.randint(4, (2, b, n), generator=generator)
    answers, known = [], torch.full((b, 4), -100)
    for i in range(n):
        answers.append(known.gather(1, variable[:, i : i + 1]))
        known = known.scatter(1, variable[:, i : i + 1], value[:, i : i + 1])
    return 4 * variable + value, torch.cat(answers, dim=1)


TASKS: dict[str, Task] = {"offset": offset, "latest": latest}


class Reader(nn.Module):
    """One block between an embedding of the symbols and a linear layer, as in the chapter."""

    def __init__(self, cure: str, heads: int, d: int = 32) -> None:
        super().__init__()
        inside = cure if cure in ("rotary", "alibi") else None
        self.cure, self.d = cure, d
        self.symbol = nn.Embedding(16, d)
        self.places = LearnedPositions(TRAINED, d) if cure == "learned" else None
        self.block = Block(BlockConfig(d=d, heads=heads, causal=True, positions=inside))
        self.read = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 16))

    def forward(self, tokens: Tensor, window: int | None = None) -> Tensor:
        """Return a score for each of the 16 symbols at each place."""
        x, n = self.symbol(tokens), tokens.shape[1]
        if self.cure == "sinusoidal":
            x = x + sinusoidal_positions(n, self.d)
        if self.places is not None:
            x = x + self.places(torch.arange(n))
        mask = None if window is None else sliding_window_mask(n, window)
        return self.read(self.block(x, mask))


class RotaryAt(Rotary):
    """A rotation with given frequencies instead of those of a base; the half layout."""

    def __init__(self, frequencies: Tensor) -> None:
        super().__init__(2 * len(frequencies))
        self.frequencies = frequencies

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Turn queries or keys whose first position is `start`."""
        angle = (start + torch.arange(x.shape[-2]))[:, None] * self.frequencies
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


def clamped_attention(places: Rotary, longest: int) -> Callable[..., Tensor]:
    """Return an attention that turns queries and keys, with no distance above the longest."""

    def attend(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
        n = query.shape[-2]
        away = torch.arange(n)[:, None] - torch.arange(n)
        near = places(query) @ places(key).mT
        ahead = places(query.flatten(0, 2)[:, None, None], start=longest).view_as(query)
        scores = torch.where(away <= longest, near, ahead @ key.mT) / math.sqrt(query.shape[-1])
        return scores.masked_fill(away < 0, -math.inf).softmax(-1) @ value

    return attend


def fit(
    model: Reader, task: Task, steps: int, seed: int, n: int = TRAINED, lr: float = 5e-3
) -> Reader:
    """Train a model on fresh batches of 64 sequences of n symbols."""

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        tokens, answers = task(64, n, generator)
        return F.cross_entropy(model(tokens).transpose(1, 2), answers, ignore_index=-100)

    for _ in train(model, loss, steps, torch.Generator().manual_seed(seed), lr=lr):
        pass
    return model.eval()


def accuracy(model: Reader, task: Task, n: int, window: int | None = None) -> float:
    """Return the rate of right answers on the last third of 200 sequences of n symbols."""
    tokens, answers = task(200, n, torch.Generator().manual_seed(10_000))
    with torch.no_grad():
        right = model(tokens, window).argmax(-1) == answers
    last = answers[:, 2 * n // 3 :] >= 0
    return right[:, 2 * n // 3 :][last].float().mean().item()


def frequencies_of(k: int, remedy: str, factor: float = LONGER / TRAINED) -> Tensor:
    """Return the frequencies of a head's pairs under a remedy for longer texts.

    Source: position interpolation: Chen et al. 2023, arXiv:2306.15595; by parts: Peng et
        al. 2023, arXiv:2309.00071.
    Differs: by parts has one limit, a full turn within the trained length, and no ramp; the
        scores are not scaled as YaRN does.
    """
    j = torch.arange(0, k, 2) / k
    plain = 10_000.0**-j
    if remedy == "interpolation":
        return plain / factor
    if remedy == "by parts":
        return torch.where(plain * TRAINED >= 2 * math.pi, plain, plain / factor)
    return plain


def measure(model: Reader, task: Task, lengths: tuple[int, ...], **options: Any) -> list[float]:
    """Return the accuracies at all lengths; at the first alone for a model that has no others."""
    lengths = lengths[:1] if model.cure == "learned" else lengths
    return rounded(accuracy(model, task, n, **options) for n in lengths)


def trained(row: str, name: str, steps: int, seed: int) -> Reader:
    """Return a model of one row, trained on one task at the short length."""
    return fit(seeded(lambda: Reader(*ROWS[row]), seed), TASKS[name], steps, seed)


def compare(row: str, name: str, seed: int, options: Options) -> dict[str, list[float]]:
    """Train one model and measure it; for rotary, under the two controls as well."""
    model = trained(row, name, options.steps, seed)
    task, lengths = TASKS[name], options.lengths
    found = {"plain": measure(model, task, lengths)}
    if model.cure == "rotary":
        found["window"] = measure(model, task, lengths, window=TRAINED)
        attention = model.block.attention
        assert isinstance(attention.positions, Rotary)
        attend = clamped_attention(attention.positions, TRAINED - 1)
        attention.positions, attention.attend = None, attend
        found["clamped"] = measure(model, task, lengths)
    return found


def remedy(row: str, name: str, seed: int, options: Options) -> dict[str, list[float]]:
    """Give a trained rotary model other frequencies, and train it a little at the new length."""
    model, (cure, heads) = trained(row, name, options.steps, seed), ROWS[row]
    task, lengths = TASKS[name], options.lengths
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    found = {}
    for kind in REMEDIES:
        model.load_state_dict(weights)
        model.block.attention.positions = RotaryAt(frequencies_of(model.d // heads, kind))
        found[kind] = measure(model, task, lengths)
        fit(model, task, options.tuning, 1000 + seed, n=LONGER, lr=2e-3)
        found[f"{kind}, tuned"] = measure(model, task, lengths)
    fresh = seeded(lambda: Reader(cure, heads), seed)
    fit(fresh, task, options.tuning, 1000 + seed, n=LONGER)
    found["from scratch"] = measure(fresh, task, lengths)
    return found


def longer(row: str, name: str, seed: int, options: Options) -> list[float]:
    """Train one model for more steps at the short length, and measure it."""
    model = trained(row, name, options.longer, seed)
    return measure(model, TASKS[name], options.lengths)


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("positions", options)

    def run(kind: str, row: str, name: str, measured: Callable[..., Any]) -> list[Any]:
        key = f"{kind} {row} {name} {options.steps} {options.lengths}"
        return [
            experiment.remember(f"{key} {seed}", partial(measured, row, name, seed, options))
            for seed in range(options.seeds)
        ]

    result: dict[str, Any] = {name: {} for name in TASKS}
    for name in TASKS:
        for row in options.rows:
            runs = run("short", row, name, compare)
            result[name][row] = {control: [one[control] for one in runs] for control in runs[0]}
    remedies = {
        f"{row}, {name}": run(f"remedy {options.tuning}", row, name, remedy)
        for row, name in (("rotary, two heads", "offset"), ("rotary", "latest"))
    }
    more_steps = {
        f"{row}, {name}": run(f"long {options.longer}", row, name, longer)
        for row, name in (("learned", "offset"), ("rotary", "latest"), ("alibi", "latest"))
    }
    card = make_card(
        experiment,
        task="telling a block the positions, and reading texts longer than those of its training",
        data="random symbols, drawn afresh for every batch",
        data_sha256="",
        steps=options.steps,
        batch=64,
        lr=5e-3,
        cpu_seconds=experiment.seconds(),
        result=result,
        lengths=options.lengths,
        seeds=options.seeds,
        longer_steps=options.longer,
        longer=more_steps,
        tuning_steps=options.tuning,
        remedies=remedies,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
