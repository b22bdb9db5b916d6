"""The exercises of the chapter on diffusion transformers: each mistake gets its own reason."""

import torch
from tests.exercises.proof import prove

from attnoise.exercises import diffusion_transformer as module

N, D, L = 256, 1152, 28
WEIGHTS, PAIRS = 24 * N * L * D**2, 4 * N**2 * D * L


def half(pick=lambda b, s, g: (b, s, g), one=1, straight=None, read=None, gate=lambda g: g):
    def my_half_block(x, vectors, norm, F):
        shift, scale, last = pick(*vectors[:, None].chunk(3, dim=-1))
        start = x if straight is None else straight(x, norm)
        seen = norm(x) if read is None else x
        return start + gate(last) * F((one + scale) * seen + shift)

    return my_half_block


def inner_gate(x, vectors, norm, F):
    b, s, g = vectors[:, None].chunk(3, dim=-1)
    return x + F(g * ((1 + s) * norm(x) + b))


def shift_first(x, vectors, norm, F):
    b, s, g = vectors[:, None].chunk(3, dim=-1)
    return x + g * F((1 + s) * (norm(x) + b))


def positions(power=-1, divide=4, order=(0, 1), turns=False, swap=False):
    def my_positions(side, d):
        f = 10_000.0 ** (power * torch.arange(d // 4) / (d / divide))
        angles = torch.arange(side)[:, None] * f
        parts = [(angles.sin(), angles.cos())[i] for i in order]
        axis = torch.stack(parts, -1).flatten(1) if turns else torch.cat(parts, -1)
        both = [axis.repeat(side, 1), axis.repeat_interleave(side, dim=0)]
        return torch.cat(both[::-1] if swap else both, dim=-1)

    return my_positions


def line(x=torch.log, y=torch.log, floor=True, swap=False, centre=True, sign=1):
    def my_slope(compute, loss, known):
        a, b = x(compute), y(loss - known if floor else loss)
        a, b = (b, a) if swap else (a, b)
        a, b = (a - a.mean(), b - b.mean()) if centre else (a, b)
        return sign * (a * b).sum() / (a * a).sum()

    return my_slope


def same(x):
    return x


WRONG = {
    "tokens_and_weights": [
        (256, "Two numbers"),
        ((1024, WEIGHTS), "one token"),
        ((16, WEIGHTS), "one row"),
        ((7, WEIGHTS), "16 x 16 patches"),
        ((N, WEIGHTS), "second term is missing"),
        ((N, (WEIGHTS + PAIRS) / L), "one block of 28"),
        ((N, (WEIGHTS + PAIRS) / 2), "two operations, not one"),
        ((N, 3 * (WEIGHTS + PAIRS)), "training step"),
        ((N, 1e9), "24 n L"),
    ],
    "modulate": [
        (half(one=0), "added to 1: a scale"),
        (half(straight=lambda x, norm: 0), "straight way is missing"),
        (half(read=same), "must be normed"),
        (half(straight=lambda x, norm: norm(x)), "not its norm"),
        (half(lambda b, s, g: (s, b, g)), "Shift comes first"),
        (half(lambda b, s, g: (g, s, b)), "order is shift"),
        (half(gate=lambda g: 1), "gate is missing"),
        (half(gate=lambda g: 1 + g), "not added to 1"),
        (inner_gate, "not what it gets"),
        (shift_first, "b is not scaled"),
        (lambda x, v, norm, F: 0 * x, "x + gate F"),
    ],
    "where_am_i": [
        (positions(swap=True), "exchanged"),
        (positions(order=(1, 0)), "Sines first"),
        (positions(turns=True), "take turns"),
        (positions(power=1), "a minus"),
        (positions(divide=2), "not by d / 2"),
        (positions(divide=1), "not by d."),
        (lambda side, d: torch.zeros(side**2, d), "for the column and then"),
    ],
    "open_the_gates": [
        (lambda x, w, r: 3.0, "Two gradients"),
        (lambda x, w, r: (r * w * x, r * x), "nothing comes back"),
        (lambda x, w, r: (0.0, 0.0), "does get a gradient"),
        (lambda x, w, r: (r, 0.0), "By how much"),
        (lambda x, w, r: (w * x, 0.0), "that arrives"),
        (lambda x, w, r: (r * x, 0.0), "not x."),
        (lambda x, w, r: (30.0, 0.0), "Use x, w and r"),
        (lambda x, w, r: (1.0, 0.0), "r w x for"),
    ],
    "the_slope": [
        (line(floor=False), "not subtracted"),
        (line(x=same, y=same), "no line"),
        (line(x=same), "Compute needs"),
        (line(y=same), "loss needs"),
        (line(swap=True), "exchange the axes"),
        (line(sign=-1), "The sign"),
        (line(centre=False), "Subtract both means"),
        (
            lambda c, y, f: ((y[-1] - f).log() - (y[0] - f).log()) / (c[-1].log() - c[0].log()),
            "uses two points",
        ),
        (lambda c, y, f: torch.tensor(0.1), "Least squares of"),
    ],
}


def test_exercises_are_proved():
    prove("together/diffusion-transformer.ipynb", module, WRONG)
