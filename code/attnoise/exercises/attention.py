"""Checks for the chapter `attention/attention`."""

import math

import torch

from ..attention import causal_mask
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if


@exercise(1, "A look-up by hand", level="trace", minutes=5, asks=numbers("output"))
def look_up_by_hand(my_output):
    values, scores = torch.tensor([10.0, 20.0, 40.0]), torch.tensor([0.0, math.log(3), 0.0])
    close = {"tolerance": 1e-2}
    reject(my_output, values.mean(), "That is the plain mean: the scores do not count.", **close)
    reject(my_output, 20.0, "That is a hard look-up: the best key alone. Here all answer.", **close)
    reject(
        my_output,
        scores.exp() @ values,
        "The exponentials are not shares yet: divide by their sum, which is 5.",
        **close,
    )
    expect(
        my_output,
        scores.softmax(0) @ values,
        "The exponentials of the scores are 1, 3 and 1. Divide by their sum, then average.",
        **close,
    )
    return "A fifth, three fifths, a fifth: every key answers, the best one loudest."


@exercise(2, "Attention with a mask", level="code", minutes=15)
def masked_attention(my_attention):
    query, key, value = draw(5, 7), draw(11, 7, seed=1), draw(11, 3, seed=2)
    mask = draw(5, 11, seed=3) > -0.5
    mask[:, 0] = True
    got = call(my_attention, query, key, value, mask)
    raw = query @ key.T

    def output(scores, allowed=mask, axis=-1):
        return scores.masked_fill(~allowed, -math.inf).softmax(axis).nan_to_num() @ value

    scaled = raw / 7**0.5
    reject(got, scaled.softmax(-1) @ value, "The mask has no effect: forbidden keys still answer.")
    reject(got, output(scaled, ~mask), "The mask is the wrong way round: True = may attend.")
    reject(got, output(raw), "The scale is missing: divide by the square root of the width k.")
    reject(got, output(raw / 7), "You divided by k. The variance is k, so divide by its root.")
    for length, who in ((5, "queries"), (11, "keys")):
        why = f"You divided by the root of the number of {who}. Take the width, query.shape[-1]."
        reject(got, output(raw / length**0.5), why)
    for hidden in (scaled.masked_fill(~mask, 0), scaled.masked_fill(~mask, 1e-9)):
        reject(
            got,
            hidden.softmax(-1) @ value,
            "A score of 0 hides nothing: its exponential is 1. Set forbidden scores to -inf.",
        )
    reject(
        got,
        (scaled.softmax(-1) * mask) @ value,
        "You masked after the softmax: the rows no longer sum to 1. Mask the scores.",
    )
    reject(
        got,
        output(scaled, axis=-2),
        "The softmax runs over the queries. Each query shares itself out: sum over the keys.",
    )
    expect(got, output(scaled), "Scores, mask, softmax over the keys, average of the values.")
    return "Forbidden keys get no weight, and each row still sums to 1."


@exercise(3, "The last queries of a long past", level="code", minutes=10)
def late_causal_mask(my_mask):
    n, m = pick((3, 7), ((2, 5), (4, 9), (5, 8), (2, 9), (4, 7)))
    square = pick(5, (3, 4, 6, 7), seed=1)
    got, right = call(my_mask, n, m), causal_mask(n, m)
    late = torch.arange(m - n, m)[:, None]
    reject(
        got,
        torch.ones(n, m, dtype=torch.bool).tril(),
        f"Your queries stand at the first places. They are the last {n} of the {m}.",
    )
    reject(got, ~right, "It is the wrong way round: True = may attend.")
    reject(got, torch.arange(m) < late, "Each query may see itself as well: use <=, not <.")
    reject(got, torch.arange(m) >= late, "You let the queries see the future, and hide the past.")
    expect(got, right, "Query i stands at place m - n + i and sees all places up to its own.")
    why = "With n = m it should be the usual causal mask."
    expect(call(my_mask, square, square), causal_mask(square), why)
    return "The newest query sees everything, and with n = m it is the triangle that you know."


@exercise(4, "Another variance", level="derive", minutes=10)
def variance_of_scores(my_variance):
    k, s = pick(13, (5, 7, 11, 17, 19)), pick(1.7, (0.6, 0.8, 1.3, 1.4), seed=1)
    got = call(my_variance, k, s)
    reject(got, k, "That holds for s = 1. Each factor brings a variance of its own.")
    reject(got, k * s**2, "Both vectors have standard deviation s: one factor of s² is missing.")
    reject(got, k**2 * s**4, "Variances of independent terms add: k of them, not k squared.")
    reject(got, k**0.5 * s**2, "That is the standard deviation; the variance is its square.")
    expect(got, k * s**4, "Each of the k products has variance s² times s². Add them up.")
    return "k s⁴: so with entries of size s, divide by √k s² to have scores of unit size."


@exercise(5, "A head that looks two back", level="code", minutes=15)
def two_back(my_scores):
    n = pick(11, (7, 8, 9, 13))
    got = call(my_scores, n)
    expect(got.shape, (n, n), f"The scores should be {n} by {n}: a row per query.")
    weights = got.float().masked_fill(~causal_mask(n), -math.inf).softmax(-1)
    reached = weights.diagonal(-2)
    turned = got.T.float().masked_fill(~causal_mask(n), -math.inf).softmax(-1).diagonal(-2)
    reject_if(
        reached.min() <= 0.99 < turned.min(),
        "Your head looks two ahead: rows are queries, columns are keys. Turn it.",
    )
    reject_if(
        weights.diagonal(-1).min() > 0.9,
        "Your head looks one back. The chapter did that; here it is two.",
    )
    best = weights[2:].argmax(-1).eq(torch.arange(n - 2)).all()
    reject_if(
        best and reached.min() <= 0.99,
        f"It looks at the right place, but not sharply: only {float(reached.min()):.2f} of the "
        "weight is there. Make the scores larger.",
    )
    reject_if(not best, "From place 2 on, the largest score of row i should be in column i - 2.")
    return "Two back, at every place: position alone can steer a head."


@exercise(6, "How sharp?", level="explore", minutes=15, asks=numbers("factor"))
def how_sharp(my_factor):
    scores = draw(200, 32) @ draw(64, 32, seed=1).T

    def smallest(scores, sharpness):
        return next(f for f in (2**i for i in range(20)) if sharpness(f * scores) > 0.9)

    def mean(scores):
        return scores.softmax(-1).amax(-1).mean()

    right = smallest(scores / 32**0.5, mean)
    reject(
        my_factor, smallest(scores, mean), "If you measured: the usual 1 / sqrt(32) was left out."
    )
    reject(
        my_factor,
        smallest(scores / 32**0.5, lambda s: s.softmax(-1).amax()),
        "That makes one query sharp. Average the largest weights over all queries.",
    )
    expect(my_factor, right, "It should be the first power of two whose mean passes 0.9.")
    return f"A factor of {right}: at unit variance, attention is far from a hard look-up."
