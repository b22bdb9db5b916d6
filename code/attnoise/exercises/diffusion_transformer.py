"""Checks for the chapter `together/diffusion-transformer`."""

import torch

from ..together.dit import grid_positions
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if


@exercise(1, "Tokens and weights", level="trace", minutes=5, asks=numbers("tokens", "operations"))
def tokens_and_weights(my_cost):
    reject_if(
        not isinstance(my_cost, (tuple, list)) or len(my_cost) != 2,
        "Two numbers are asked for: tokens, and operations.",
    )
    n, operations = (float(x) for x in my_cost)
    reject(n, 32 * 32, "A patch of 2 x 2 places is one token.")
    reject(n, 16, "That is one row of patches; there are 16 rows.")
    expect(n, 256.0, "16 x 16 patches.")
    weights, pairs = 24 * 256 * 28 * 1152**2, 4 * 256**2 * 1152 * 28
    both, part = weights + pairs, "That is the second term alone, or one block of 28: "
    for wrong, why in (
        (weights, "The second term is missing: attention's scores and sums."),
        # By chance these two mistakes give the same number here.
        (pairs, part + "add both terms, for all blocks."),
        (both / 28, part + "add both terms, for all blocks."),
        (both / 2, "A product and a sum: two operations, not one."),
        (3 * both, "That is a training step; one way through is asked for."),
    ):
        reject(operations, wrong, why, tolerance=1e-3)
    expect(operations, both, "24 n L d squared + 4 n squared d L.", tolerance=1e-3)
    return "237 billion, and only one in 28 of them for pairs of tokens."


@exercise(2, "Modulate", level="code", minutes=10)
def modulate(my_half_block):
    x, vectors = draw(3, 5, 7), draw(3, 21, seed=1)

    def norm(x):
        return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)

    def inner(x):
        return x.square() + x

    got = call(my_half_block, x, vectors, norm, inner)
    b, s, g = vectors[:, None].chunk(3, dim=-1)

    def half(shift, scale, gate, one=1, start=x, read=norm):
        return start + gate * inner((one + scale) * read(x) + shift)

    reject(got, half(b, s, g, one=0), "The scale is added to 1: a scale of 0 must change nothing.")
    reject(got, half(b, s, g, start=0), "The straight way is missing: x itself is added.")
    reject(got, half(b, s, g, read=lambda x: x), "x must be normed before it is modulated.")
    reject(got, half(b, s, g, start=norm(x)), "The straight way carries x, not its norm.")
    reject(got, half(s, b, g), "Shift comes first, then scale.")
    reject(got, half(g, s, b), "The order is shift, scale, gate.")
    reject(got, half(b, s, 1), "The gate is missing.")
    reject(got, half(b, s, 1 + g), "The gate is not added to 1: at zero it must be closed.")
    reject(
        got,
        x + inner(g * ((1 + s) * norm(x) + b)),
        "The gate multiplies what F returns, not what it gets.",
    )
    reject(got, x + g * inner((1 + s) * (norm(x) + b)), "Scale first, then shift: b is not scaled.")
    expect(got, half(b, s, g), "x + gate F((1 + scale) norm(x) + shift).")
    return "With vectors of zero this block would pass x on unchanged."


@exercise(3, "Where am I?", level="code", minutes=15)
def where_am_i(my_positions):
    side, d = pick((3, 20), ((4, 12), (5, 8), (2, 24), (4, 28)))
    got = call(my_positions, side, d)
    right = grid_positions(side, d)
    column, row = right.chunk(2, dim=-1)
    reject(
        got, torch.cat([row, column], dim=-1), "Columns come first, then rows: they are exchanged."
    )

    def build(frequencies, cosine_first=False, interleave=False):
        angles = torch.arange(side)[:, None] * frequencies
        parts = [angles.sin(), angles.cos()]
        parts = parts[::-1] if cosine_first else parts
        axis = torch.stack(parts, dim=-1).flatten(1) if interleave else torch.cat(parts, dim=-1)
        return torch.cat([axis.repeat(side, 1), axis.repeat_interleave(side, dim=0)], dim=-1)

    steps = torch.arange(d // 4)
    usual = 10_000.0 ** (-steps / (d / 4))
    reject(got, build(usual, cosine_first=True), "Sines first, then cosines.")
    reject(got, build(usual, interleave=True), "All sines, then all cosines; yours take turns.")
    reject(got, build(10_000.0 ** (steps / (d / 4))), "The frequencies must fall with i: a minus.")
    reject(got, build(10_000.0 ** (-steps / (d / 2))), "i is divided by d / 4 here, not by d / 2.")
    reject(got, build(10_000.0 ** (-steps / d)), "i is divided by d / 4 here, not by d.")
    expect(got, right, "sin(m f_i), cos(m f_i), for the column and then for the row.")
    return "Sixteen places or a thousand: a fixed vector each, near ones alike."


@exercise(4, "Open the gates", level="derive", minutes=10)
def open_the_gates(my_gradients):
    x, w = pick(2.0, (4.0, 7.0)), pick(3.0, (2.0, -3.0, 6.0), seed=1)
    r = pick(5.0, (3.0, 9.0), seed=2)
    got = call(my_gradients, x, w, r)
    reject_if(
        not isinstance(got, (tuple, list)) or len(got) != 2,
        "Two gradients are asked for: of g, and of w.",
    )
    gate, weight = (float(value) for value in got)
    reject(weight, r * x, "The gate stands before w x: at g = 0 nothing comes back to w.")
    reject(gate, 0.0, "The output changes with g by w x: the gate does get a gradient.")
    reject(gate, r, "By how much does the output change with g? By F(x) = w x.")
    reject(gate, w * x, "The gradient that arrives, r, is a factor.")
    reject(gate, r * x, "F(x) is w x, not x.")
    expect((gate, weight), (r * w * x, 0.0), "r w x for the gate, and g r x = 0 for the weight.")
    x, w, r = pick((1.0, -2.0, 4.0), ((3.0, -1.0, 5.0), (-2.0, 2.0, 6.0)), seed=3)
    expect(
        tuple(float(v) for v in call(my_gradients, x, w, r)), (r * w * x, 0.0), "Use x, w and r."
    )
    return "The gate learns first; the weights behind it wait until it has opened."


@exercise(5, "The slope", level="explore", minutes=15)
def the_slope(my_slope):
    others = ([2.0, 5.0, 20.0, 60.0], [1.0, 4.0, 9.0, 30.0], [3.0, 7.0, 15.0, 80.0])
    compute = torch.tensor(pick([1.0, 3.0, 10.0, 40.0], others))
    floor, power = pick(0.2, (0.15, 0.25, 0.3), seed=1), pick(0.3, (0.25, 0.35, 0.4), seed=2)
    loss = floor + 0.9 * compute**-power * torch.tensor([1.0, 1.02, 0.97, 1.01])
    got = call(my_slope, compute, loss, floor)

    def fit(x, y):
        x, y = x - x.mean(), y - y.mean()
        return (x * y).sum() / (x * x).sum()

    x, y = compute.log(), (loss - floor).log()
    reject(got, fit(x, loss.log()), "The irreducible loss was not subtracted.")
    reject(got, fit(compute, loss - floor), "Take logarithms of both; a power is no line.")
    reject(got, fit(compute, y), "Compute needs its logarithm, too.")
    reject(got, fit(x, loss - floor), "The loss needs its logarithm, too.")
    reject(got, fit(y, x), "That is compute against loss: exchange the axes.")
    reject(got, -fit(x, y), "The sign: the loss falls, so the slope is negative.")
    reject(got, (x * y).sum() / (x * x).sum(), "Subtract both means, or the line must pass zero.")
    reject(got, (y[-1] - y[0]) / (x[-1] - x[0]), "That uses two points; least squares uses all.")
    expect(got, fit(x, y), "Least squares of log(loss - irreducible) on log(compute).")
    return "An exponent, from points; with another irreducible loss it would be another one."
