"""Checks of the chapter on positions."""

import torch

from .mechanism import call, draw, exercise, expect, reject, reject_if


@exercise(1, "The hands of the clock", level="trace", minutes=5)
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
    reject(my_row, slower, "That slow pair has the base 10,000; here it is 100.", tolerance=0.005)
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

    def value(n, m, sign=-1.0):
        delta = torch.tensor((m - n) * omega)
        return u * delta.cos() + sign * w * delta.sin()

    got = call(my_score, q, k, 2, 7, omega)
    reject(
        got,
        value(2, 7, sign=1.0),
        "The sign of the sine is wrong. Either w has its sign turned round, or you took n - m.",
    )
    total = torch.tensor(9 * omega)
    reject(
        got,
        u * total.cos() - w * total.sin(),
        "You added the positions; turning both the same way leaves their difference.",
    )
    reject(got, u, "That is the score without any rotation.")
    reject(
        got,
        u * torch.tensor(5 * omega).cos(),
        "The sine term is missing: it vanishes only if query and key point the same way.",
    )
    reject(
        got,
        u * torch.tensor(5.0).cos() - w * torch.tensor(5.0).sin(),
        "The frequency is missing: the angle is (m - n) times omega.",
    )
    expect(got, value(2, 7), "The score is u cos(delta) - w sin(delta), delta = (m - n) omega.")
    expect(call(my_score, q, k, 13, 4, omega), value(13, 4), "It must hold for m < n as well.")
    return "One angle, (m - n) omega: the two positions themselves are gone."


@exercise(4, "The penalty", level="code", minutes=10)
def alibi_bias(my_bias):
    slopes, n, m = torch.tensor([0.5, 0.25, 0.125]), 2, 5
    distance = (torch.arange(m - n, m)[:, None] - torch.arange(m)).abs()
    right = -slopes[:, None, None] * distance
    got = call(my_bias, slopes, n, m)
    reject(got, -right, "Your bias rewards distance: the sign must be negative.")
    early = (torch.arange(n)[:, None] - torch.arange(m)).abs()
    reject(
        got,
        -slopes[:, None, None] * early,
        "You put the queries at the first n positions; with a cache they are the last.",
    )
    signed = torch.arange(m - n, m)[:, None] - torch.arange(m)
    reject(
        got,
        -slopes[:, None, None] * signed,
        "A distance is never negative: later keys would be rewarded. Take the absolute value.",
    )
    reject(
        got,
        -slopes[:, None, None] * signed.clamp(min=0),
        "Later keys are at a distance, too: a mask may hide them, but the bias is symmetric.",
    )
    reject(
        got, -distance.expand(3, n, m), "The slopes are missing: each head has a rate of its own."
    )
    expect(got, right, "Entry (h, i, j) is -slope_h times |m - n + i - j|.")
    return "Nearest is best, and each head has its own idea of near."


@exercise(5, "A longer memory for rotary", level="explore", minutes=20)
def interpolation(my_answer):
    reject_if(len(my_answer) != 2, "Two numbers: what positions are multiplied by, and the factor.")
    number, factor = my_answer
    reject(number, 4.0, "That stretches the positions; they must be squeezed into 0 to 24.")
    expect(number, 0.25, "Position 96 must get the angle that 24 had: 96 times the number is 24.")
    reject(factor, 0.25, "The angle becomes a quarter of what it was: it shrinks by a factor of 4.")
    reject(factor, 0.75, "That is what is lost; as a factor f, new angle = old angle / f.")
    expect(factor, 4.0, "Neighbours were omega apart; now omega times the number.")
    return (
        "All angles are in the trained range; neighbours are four times closer: hence the training."
    )
