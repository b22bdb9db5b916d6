"""The exercises on positions: solutions pass, stubs fail, each mistake gets its own answer."""

import copy

import nbformat
import numpy as np
import torch
from tests.exercises.proof import ROOT, prove
from torch import nn
from torch.nn import functional as F

from attnoise.attention import LearnedPositions, Rotary, causal_mask, sinusoidal_positions
from attnoise.exercises import positions as module
from attnoise.exercises.positions import turned


def halves(x, start=0):
    a, b = x.chunk(2, dim=-1)
    return turned(torch.stack([a, b], dim=-1).flatten(-2), start).transpose(-1, -2).flatten(-2)


def score(sign=1.0, together=False, sine=True):
    def mine(q, k, p_q, p_k, omega):
        delta = torch.tensor((p_q + p_k if together else p_q - p_k) * omega)
        w = (q[0] * k[1] - q[1] * k[0]) * sine
        return q @ k * delta.cos() + sign * w * delta.sin()

    return mine


def turn(x, angle):
    angle = torch.tensor(float(angle), dtype=torch.float64)
    c, s = angle.cos(), angle.sin()
    return torch.stack([x[0] * c - x[1] * s, x[0] * s + x[1] * c])


def turn_both(q, k, p_q, p_k, omega):
    return turn(q, p_q * omega) @ turn(k, p_k * omega)


def multiply_first(q, k, p_q, p_k, omega):
    delta = torch.tensor(p_q * omega - p_k * omega)
    return q @ k * delta.cos() + (q[0] * k[1] - q[1] * k[0]) * delta.sin()


def after_only(q, k, p_q, p_k, omega):
    return score()(q, k, max(p_q, p_k), min(p_q, p_k), omega)


def bias(sign=-1.0, first=None, signed=False):
    def mine(slopes, n, m):
        start = m - n if first is None else first
        away = torch.arange(start, start + n)[:, None] - torch.arange(m)
        return sign * slopes[:, None, None] * (away if signed else away.abs())

    return mine


class Counts(nn.Module):
    """Names the symbol three places back in texts of some lengths, and nothing in others."""

    def __init__(self, lengths, vocab=16):
        super().__init__()
        self.lengths, self.vocab = lengths, vocab

    def forward(self, tokens):
        right = self.lengths.get(tokens.shape[1], 0.0)
        few = torch.arange(len(tokens)) < right * len(tokens)
        back = tokens.roll(3, dims=1)
        named = torch.where(few[:, None], back, (back + 1) % 16)
        return F.one_hot(named, self.vocab).float()


WRONG = {
    "row_of_sines": [
        ((-0.42, 0.91, 0.98, 0.20), "Sine comes first"),
        ((0.91, 0.20, -0.42, 0.98), "alternate"),
        ((0.035, 0.999, 0.003, 1.0), "radians"),
        ((0.91, -0.42, 0.02, 1.0), "base 10,000"),
        ((0.84, 0.54, 0.10, 1.0), "2 times 0.1"),
        ((0.91, -0.42), "four numbers"),
    ],
    "rotate_pairs": [
        (lambda x, start=0: turned(x, start, sign=-1.0).flatten(-2), "the other way"),
        (lambda x, start=0: turned(x, start).transpose(-1, -2).flatten(-2), "stand in halves"),
        (halves, "half layout"),
        (lambda x, start=0: turned(x, start, step=1).flatten(-2), "fall too slowly"),
        (lambda x, start=0: turned(x).flatten(-2), "ignores `start`"),
        (lambda x, start=0: turned(x, start + 1).flatten(-2), "from 1"),
        (lambda x, start=0: x, "turns by p times"),
    ],
    "relative_score": [
        (score(sign=-1.0), "sign of the sine"),
        (score(together=True), "added the positions"),
        (lambda q, k, p_q, p_k, omega: q @ k, "without any rotation"),
        (score(sine=False), "sine term is missing"),
        (lambda q, k, p_q, p_k, omega: score()(q, k, p_q, p_k, 1.0), "frequency is missing"),
        (lambda *given: score()(*given) / 2**0.5, "root of the width"),
        (after_only, "key after the query"),
        (turn_both, "still turns query and key"),
        (lambda q, k, p_q, p_k, omega: k @ q + 1, "u cos(delta)"),
    ],
    "alibi_bias": [
        (bias(sign=1.0), "rewards distance"),
        (bias(first=0), "first n positions"),
        (bias(signed=True), "never negative"),
        (lambda slopes, n, m: bias()(torch.ones(3), n, m), "slopes are missing"),
        (lambda slopes, n, m: bias()(slopes, n, m).permute(1, 2, 0), "heads stand last"),
        (lambda slopes, n, m: bias()(slopes, n, m) - 1, "Entry (h, i, j)"),
    ],
    "longer_memory": [
        (0.92, "the model itself"),
        (lambda tokens: tokens, "a copy of the chapter's model"),
        (Counts({24: 1.0, 192: 1.0}, vocab=17), "shape b n 16"),
        (Counts({}), "neither in 24"),
        (Counts({24: 1.0, 192: 0.3}), "but in 192 only"),
        (Counts({24: 0.5, 192: 0.3}), "has to be"),
        (Counts({24: 0.5, 192: 1.0}), "forgotten to read 24"),
    ],
}


def chapter() -> dict:
    """Return what the chapter defines before the solution of exercise 5, with one trained model."""
    names: dict = {"torch": torch, "nn": nn, "F": F, "copy": copy, "Rotary": Rotary}
    names |= {"LearnedPositions": LearnedPositions, "sinusoidal_positions": sinusoidal_positions}
    path = ROOT / "book/attention/positions.ipynb"
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    for wanted in ("def offset(", "class Reader(", "def teach(", "class RotaryAt("):
        source = next(cell for cell in cells if wanted in cell)
        exec(compile(source.split("\n\n\ntokens, answers")[0], "<chapter>", "exec"), names)
    model = names["fit"](names["offset"], "rotary", 0, heads=2)
    return {**names, "models": {("offset", "rotary, two heads"): model}}


def test_exercises_are_proved():
    prove("attention/positions.ipynb", module, WRONG, chapter())


def test_other_forms_of_right_answers_pass():
    def as_(form, function):
        return lambda *given: form(function(*given))

    for form in (float, lambda x: [x.item()], lambda x: x.numpy(), lambda x: x[None]):
        assert module.relative_score(as_(form, score()))
    assert "each position by omega" in module.relative_score(multiply_first).message
    for form in (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.double):
        assert module.rotate_pairs(lambda x, start=0, f=form: f(turned(x, start).flatten(-2)))
        assert module.alibi_bias(as_(form, bias()))
    for row in ([0.91, -0.42, 0.20, 0.98], torch.tensor([0.91, -0.42, 0.20, 0.98])):
        assert module.row_of_sines(row) and module.row_of_sines(np.asarray(row))


def test_the_bias_may_leave_later_keys_to_the_mask():
    def hide(value):
        def mine(slopes, n, m):
            found = bias()(slopes, n, m)
            return found.masked_fill(~causal_mask(n, m), value)

        return mine

    assert module.alibi_bias(hide(0.0)) and module.alibi_bias(hide(-torch.inf))
    assert not module.alibi_bias(hide(-5.0)) and not module.alibi_bias(hide(torch.nan))
