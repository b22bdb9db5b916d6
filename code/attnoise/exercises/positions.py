"""Checks of the chapter on positions."""

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if, tensor_of

LONG_ENOUGH = 0.6  # of the symbols three places back, in 192 tokens


@exercise(
    1,
    "The hands of the clock",
    level="trace",
    minutes=5,
    asks=numbers("first number", "second number", "third number", "fourth number"),
)
def row_of_sines(my_row):
    right = torch.tensor([2.0, 2.0, 0.2, 0.2])
    right = torch.where(torch.tensor([True, False, True, False]), right.sin(), right.cos())
    my_row = torch.as_tensor(my_row)
    reject_if(my_row.shape != (4,), "The row has four numbers: two pairs of sine and cosine.")
    swapped = right[[1, 0, 3, 2]]
    reject(my_row, swapped, "Sine comes first in each pair, then cosine.", tolerance=0.01)
    halves = right[[0, 2, 1, 3]]
    why = "Sines and cosines alternate: the two of one frequency stand side by side."
    reject(my_row, halves, why, tolerance=0.01)
    degrees = torch.deg2rad(torch.tensor([2.0, 2.0, 0.2, 0.2]))
    degrees = torch.stack([degrees[0].sin(), degrees[1].cos(), degrees[2].sin(), degrees[3].cos()])
    reject(
        my_row,
        degrees,
        "The angles are in radians; your calculator was set to degrees.",
        tolerance=0.01,
    )
    slower = torch.tensor([2.0, 2.0, 0.02, 0.02])
    slower = torch.stack([right[0], right[1], slower[2].sin(), slower[3].cos()])
    reject(my_row, slower, "That slow pair has the base 10,000; here it is 100.", tolerance=0.01)
    expect(my_row, right, "Take sine and cosine of 2 times 1, then of 2 times 0.1.", tolerance=0.01)
    return "The fast hand has gone a third of its round; the slow one has hardly moved."


def turned(x, start=0, sign=1.0, base=10_000.0, step=2):
    """Return x turned in the pairs layout; the options make the usual mistakes."""
    n, k = x.shape
    frequency = base ** (-torch.arange(0, k // 2) * step / k)
    angle = (start + torch.arange(n))[:, None] * frequency
    a, b = x[..., ::2], x[..., 1::2]
    first = a * angle.cos() - sign * b * angle.sin()
    second = sign * a * angle.sin() + b * angle.cos()
    return torch.stack([first, second], dim=-1)


@exercise(2, "Turn a head", level="code", minutes=15)
def rotate_pairs(my_rotate):
    x = draw(5, 6)
    got, right = call(my_rotate, x), turned(x)
    reject(got, turned(x, sign=-1.0).flatten(-2), "You turn the other way: the minus belongs to b.")
    reject(
        got,
        right.transpose(-1, -2).flatten(-2),
        "The turned numbers stand in halves: stack them in the last axis, so that pairs stay "
        "neighbours.",
    )
    a, b = x.chunk(2, dim=-1)
    halves = turned(torch.stack([a, b], dim=-1).flatten(-2))
    reject(
        got,
        halves.transpose(-1, -2).flatten(-2),
        "That is the half layout: here numbers 2j and 2j + 1 form a pair.",
    )
    reject(
        got,
        turned(x, step=1).flatten(-2),
        "The frequencies fall too slowly: the exponent is -2j / k, with j counting pairs.",
    )
    reject(
        got,
        turned(x, start=1).flatten(-2),
        "You count positions from 1: the first is `start`, and its angle is 0 if start is 0.",
    )
    expect(got, right.flatten(-2), "At position p, pair j turns by p times 10000^(-2j / k).")
    later = call(my_rotate, x, 11)
    reject(later, right.flatten(-2), "Your function ignores `start`: positions begin there.")
    expect(later, turned(x, 11).flatten(-2), "Positions run from start to start + n - 1.")
    return "Lengths stay, angles grow: your head now knows where it stands."


@exercise(3, "Only the difference", level="derive", minutes=15)
def relative_score(my_score):
    q, k, omega = draw(2), draw(2, seed=1), 0.3
    u, w = q @ k, q[0] * k[1] - q[1] * k[0]

    def value(p_q, p_k, sign=1.0):
        delta = torch.tensor((p_q - p_k) * omega)
        return u * delta.cos() + sign * w * delta.sin()

    def theirs(p_q, p_k):
        return call(my_score, q, k, p_q, p_k, omega)

    got = theirs(7, 2)
    reject(
        got,
        value(7, 2, sign=-1.0),
        "The sign of the sine is wrong. Either w has its sign turned round, or you took p_k - p_q.",
    )
    total = torch.tensor(9 * omega)
    for sign in (1.0, -1.0):
        reject(
            got,
            u * total.cos() + sign * w * total.sin(),
            "You added the positions; turning both the same way leaves their difference.",
        )
    reject(got, u, "That is the score without any rotation.")
    why = "The sine term is missing: it vanishes only if query and key point the same way."
    reject(got, u * torch.tensor(5 * omega).cos(), why)
    why = "The frequency is missing: the angle is (p_q - p_k) times omega."
    reject(got, u * torch.tensor(5.0).cos() + w * torch.tensor(5.0).sin(), why)
    why = "You divided by the root of the width; here the score is the plain dot product."
    reject(got, value(7, 2) / 2**0.5, why)
    expect(got, value(7, 2), "The score is u cos(delta) + w sin(delta), delta = (p_q - p_k) omega.")
    expect(theirs(4, 13), value(4, 13), "It must hold for a key after the query as well.")
    far = 10**18  # no float64 holds the angle of such a position to within a turn
    expect(
        theirs(far + 7, far + 2),
        value(7, 2),
        "Far out in a text your score changes: it still turns query and key, or multiplies each "
        "position by omega. Subtract the positions first, and use that one angle.",
    )
    return "One angle, (p_q - p_k) omega: the two positions themselves are gone."


@exercise(4, "The penalty", level="code", minutes=10)
def alibi_bias(my_bias):
    n, m = pick((2, 5), ((3, 7), (2, 7), (3, 8), (4, 9)))
    slopes = torch.tensor(pick([0.5, 0.25, 0.125], ([0.4, 0.3, 0.1], [0.6, 0.2, 0.15]), seed=1))
    signed = torch.arange(m - n, m)[:, None] - torch.arange(m)
    right = -slopes[:, None, None] * signed.abs()
    got = tensor_of(call(my_bias, slopes, n, m))
    if isinstance(got, torch.Tensor) and got.shape == right.shape:
        later = (signed < 0).expand_as(right)
        reject_if(
            (got[later] > 0).any() and (got[~later] <= 0).all(),
            "A distance is never negative: later keys would be rewarded. Take the absolute value.",
        )
        hidden = later & ((got == 0) | (got == -torch.inf))  # as in ALiBi's own, causal form
        got = torch.where(hidden, right.to(got.dtype), got)
    reject(got, -right, "Your bias rewards distance: the sign must be negative.")
    early = (torch.arange(n)[:, None] - torch.arange(m)).abs()
    reject(
        got,
        -slopes[:, None, None] * early,
        "You put the queries at the first n positions; with a cache they are the last.",
    )
    reject(
        got,
        -signed.abs().expand(3, n, m),
        "The slopes are missing: each head has a rate of its own.",
    )
    reject(
        got,
        right.permute(1, 2, 0),
        "The heads stand last; the bias is added to scores of shape h n m, heads first.",
    )
    expect(got, right, "Entry (h, i, j) is -slope_h times |m - n + i - j|.")
    return "Nearest is best, and each head has its own idea of near."


def counting(model, n):
    """Return how often a model names the symbol three places back, in the last third of a text."""
    tokens = (16 * torch.special.ndtr(draw(100, n))).long().clamp(max=15)  # 16 equally common
    with torch.no_grad():
        scores = tensor_of(call(model, tokens))
    fits = isinstance(scores, torch.Tensor) and scores.shape == (100, n, 16)
    reject_if(not fits, "Your model must return scores of shape b n 16, as the chapter's does.")
    right = scores.argmax(-1) == tokens.roll(3, dims=1)
    return right[:, 2 * n // 3 :].float().mean().item()


@exercise(5, "A longer memory for rotary", level="explore", minutes=20)
def longer_memory(my_model):
    reject_if(
        not callable(my_model),
        "The check measures the model itself: set my_model to the model, not to its accuracy.",
    )
    reject_if(
        type(my_model).__name__ == "function", "Set my_model to a copy of the chapter's model."
    )
    home, away = counting(my_model, 24), counting(my_model, 192)
    reject_if(
        away < LONG_ENOUGH and home < 0.2,
        f"It counts neither in 24 tokens ({home:.2f}) nor in 192 ({away:.2f}). Were the fast pairs "
        "slowed down too? They tell neighbours apart.",
    )
    reject_if(
        away < LONG_ENOUGH and home > 0.9,
        f"It counts in 24 tokens ({home:.2f}), but in 192 only {away:.2f} are right. At such "
        "distances the slow pairs still turn to new angles: slow them down, and train a little.",
    )
    reject_if(
        away < LONG_ENOUGH,
        f"{home:.2f} in 24 tokens, {away:.2f} in 192: it has to be {LONG_ENOUGH} there. Choose "
        "other frequencies, or use all the steps that you may.",
    )
    reject_if(home < 0.9, f"It reads 192 tokens, but has forgotten to read 24: {home:.2f}.")
    return f"{away:.1f} at eight times the trained length: fast pairs count, slow ones reach."
