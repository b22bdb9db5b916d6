"""The exercises on positions: solutions pass, stubs fail, each mistake gets its own answer."""

import torch
from tests.exercises.proof import prove

from attnoise.exercises import positions as module
from attnoise.exercises.positions import turned


def halves(x, start=0):
    a, b = x.chunk(2, dim=-1)
    return turned(torch.stack([a, b], dim=-1).flatten(-2), start).transpose(-1, -2).flatten(-2)


def score(sign=-1.0, together=False, sine=True):
    def mine(q, k, n, m, omega):
        delta = torch.tensor((m + n if together else m - n) * omega)
        w = (q[0] * k[1] - q[1] * k[0]) * sine
        return q @ k * delta.cos() + sign * w * delta.sin()

    return mine


def bias(sign=-1.0, first=None, signed=False):
    def mine(slopes, n, m):
        start = m - n if first is None else first
        away = torch.arange(start, start + n)[:, None] - torch.arange(m)
        return sign * slopes[:, None, None] * (away if signed else away.abs())

    return mine


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
        (score(sign=1.0), "sign of the sine"),
        (score(together=True), "added the positions"),
        (lambda q, k, n, m, omega: q @ k, "without any rotation"),
        (score(sine=False), "sine term is missing"),
        (lambda q, k, n, m, omega: score()(q, k, n, m, 1.0), "frequency is missing"),
    ],
    "alibi_bias": [
        (bias(sign=1.0), "rewards distance"),
        (bias(first=0), "first n positions"),
        (bias(signed=True), "never negative"),
        (lambda slopes, n, m: bias()(slopes, n, m).tril(m - n), "Later keys"),
        (lambda slopes, n, m: bias()(torch.ones(3), n, m), "slopes are missing"),
    ],
    "interpolation": [
        ((4.0, 4.0), "squeezed"),
        ((0.25, 0.25), "a quarter"),
        ((0.25, 0.75), "what is lost"),
        ((0.25, 2.0), "Neighbours were omega apart"),
    ],
}


def test_exercises_are_proved():
    prove("attention/positions.ipynb", module, WRONG)
