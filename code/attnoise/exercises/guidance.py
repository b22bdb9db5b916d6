"""Checks for the chapter `diffusion/guidance`."""

import math
from collections.abc import Mapping

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if


@exercise(
    1,
    "Where the prediction lands",
    level="trace",
    minutes=5,
    asks=numbers("guided prediction", "w"),
)
def where_the_prediction_lands(my_answer):
    reject_if(
        not isinstance(my_answer, (tuple, list)) or len(my_answer) != 2,
        "Two numbers are asked for: the guided prediction, then Ho and Salimans' w.",
    )
    prediction, w = (float(x) for x in my_answer)
    for wrong, why in (
        (
            0.8 + 3 * 0.6,
            "That starts from the prediction with the label: it is the scale 4, or w = 3.",
        ),
        (
            0.2 - 3 * 0.6,
            "You went the wrong way: from the prediction without the label to the other.",
        ),
        (3 * 0.8, "You scaled the prediction with the label; what is scaled is the difference."),
        (0.2 + 0.6, "That is the prediction with the label, the scale 1."),
    ):
        reject(prediction, wrong, why, tolerance=1e-3)
    expect(
        prediction, 2.0, "From 0.2 go three times the difference, 3 (0.8 - 0.2).", tolerance=1e-3
    )
    reject(w, 3.0, "That is our scale s; w counts what comes on top of 1.", tolerance=1e-3)
    expect(w, 2.0, "w = s - 1: without guidance it is 0.", tolerance=1e-3)
    return "0.2 + 3 (0.8 - 0.2) = 2, beyond both predictions; a paper would call it w = 2."


@exercise(2, "Guidance within an interval", level="code", minutes=10)
def guidance_in_an_interval(my_prediction):
    with_label, without = draw(7, 3), draw(7, 3, seed=1)
    t, T, scale, low, high = torch.tensor([2, 10, 11, 25, 30, 31, 50]), 50, 3.0, 0.2, 0.6
    fraction = (t / T)[:, None]
    inside = (low <= fraction) & (fraction <= high)

    def mix(factor, origin=without, end=with_label):
        return origin + factor * (end - origin)

    got = call(my_prediction, with_label, without, t, T, scale, low, high)
    right = torch.where(inside, mix(scale), with_label)
    for wrong, why in (
        (mix(scale), "Guidance is on everywhere; outside the interval the scale is 1."),
        (torch.where(inside, with_label, mix(scale)), "It is on outside and off inside."),
        (
            torch.where(inside, mix(scale), without),
            "Outside you return the prediction without the label. Off means scale 1, not scale 0.",
        ),
        (
            torch.where((low <= t)[:, None] & (t <= high)[:, None], mix(scale), with_label),
            "You compared t itself with the interval, whose ends are fractions of T.",
        ),
        (
            torch.where((low < fraction) & (fraction < high), mix(scale), with_label),
            "Both ends belong to the interval.",
        ),
        (
            torch.where(inside, mix(scale + 1), with_label),
            "You took the scale for w: at scale 1 there must be no guidance.",
        ),
        (
            torch.where(inside, mix(scale, with_label, without), with_label),
            "The two predictions are swapped: go from the one without the label.",
        ),
    ):
        reject(got, wrong, why)
    expect(got, right, "Mix with the scale where low <= t / T <= high, with 1 elsewhere.")
    return "Each sample follows its own time, and off means scale 1."


@exercise(3, "A tilted Gaussian", level="derive", minutes=15)
def tilted_gaussian(my_tilted):
    m, v = pick(0.8, (0.5, 1.1, -0.7)), pick(0.25, (0.2, 0.3, 0.4), seed=1)
    V, s = pick(1.6, (1.3, 1.9, 2.2), seed=2), pick(3.0, (2.0, 2.5, 4.0), seed=3)
    got = call(my_tilted, m, v, V, s)
    reject_if(
        not isinstance(got, (tuple, list)) or len(got) != 2,
        "Return two numbers: the mean, then the variance.",
    )
    mean, variance = (float(x) for x in got)
    precision = s / v + (1 - s) / V
    for wrong, why in (
        (precision, "That is the precision; the variance is one over it."),
        (precision**-0.5, "That is the standard deviation; the variance is asked for."),
        (v / s, "You tilted p(x | c) alone: p(x) stands there with the power 1 - s."),
        (1 / (s / v + 1 / V), "p(x) stands there 1 - s times in all, once and minus s times."),
        (s * v + (1 - s) * V, "Precisions add up, not variances."),
    ):
        reject(variance, wrong, why)
    expect(variance, 1 / precision, "Collect the factors of x squared in the exponent.")
    reject(
        mean,
        s * m,
        "The mean is not simply s m: divide the factor of x by the precision.",
    )
    reject(mean, m, "The mean moves, since the two Gaussians have different centres.")
    expect(mean, s * m / v / precision, "The mean is (s m / v) times the variance.")
    smallest = call(my_tilted, m, v, V, 1.0)
    expect(
        torch.tensor([float(x) for x in smallest]),
        torch.tensor([m, v]),
        "At s = 1 the class itself must come out.",
    )
    return (
        f"For s = {s:g} the mean moves from {m} to {s * m / v / precision:.2f}, and it is narrower."
    )


@exercise(4, "Back up", level="code", minutes=10)
def back_up(my_back):
    x_s, eps = draw(5, 3), draw(5, 3, seed=1)
    alpha_t, alpha_s = 0.5, 0.8
    sigma_t, sigma_s = math.sqrt(1 - alpha_t**2), math.sqrt(1 - alpha_s**2)
    got, ratio = call(my_back, x_s, eps, alpha_t, sigma_t, alpha_s, sigma_s), alpha_t / alpha_s
    added = math.sqrt(sigma_t**2 - (ratio * sigma_s) ** 2)
    for wrong, why in (
        (
            alpha_t * x_s + sigma_t * eps,
            "That treats x_s as clean data. It has been shrunk to alpha_s already, and is noisy.",
        ),
        (
            ratio * x_s + sigma_t * eps,
            "Too much noise: x_s brings some with it, ratio times sigma_s. Variances add up.",
        ),
        (
            ratio * x_s + math.sqrt(sigma_t**2 - sigma_s**2) * eps,
            "The noise in x_s shrinks along with it, to ratio times sigma_s.",
        ),
        (
            ratio * x_s + (sigma_t - ratio * sigma_s) * eps,
            "Standard deviations do not add up, variances do.",
        ),
        (ratio * x_s + added**2 * eps, "That is the variance; eps is multiplied by its root."),
        (x_s + added * eps, "The sample must shrink on the way up, by alpha_t / alpha_s."),
        (x_s / ratio + added * eps, "The ratio is upside down: on the way up a sample shrinks."),
    ):
        reject(got, wrong, why)
    expect(got, ratio * x_s + added * eps, "x_t must hold alpha_t of x0 and sigma_t of noise.")
    return "Shrink, then top the noise up to sigma_t: the forward process between any two times."


@exercise(5, "What a scale costs", level="explore", minutes=20)
def what_a_scale_costs(my_curve):
    reject_if(
        not isinstance(my_curve, Mapping) or {float(s) for s in my_curve} != {1.0, 2.0, 5.0},
        "my_curve should be a dictionary with the keys 1, 2 and 5.",
    )
    curve = {float(scale): tuple(map(float, pair)) for scale, pair in my_curve.items()}
    reject_if(
        any(len(pair) != 2 for pair in curve.values()),
        "Each value should be a pair: agreement, then recall.",
    )
    (agree_1, recall_1), (_, recall_2), (agree_5, recall_5) = (curve[s] for s in (1.0, 2.0, 5.0))
    reject_if(
        len({recall_1, recall_2, recall_5}) == 1,
        "All recalls are the same: was the scale handed to GuidedDenoiser?",
    )
    reject_if(
        recall_5 > 0.95 and agree_5 < recall_5,
        "The numbers look swapped: first agreement, then recall.",
    )
    reject_if(
        agree_1 < 0.8,
        "Less than 0.8 agree without guidance: the network predicts x0, so build "
        "NetworkDenoiser with target='x0', and hand the labels to the sampler.",
    )
    reject_if(
        recall_5 > recall_1,
        "Recall should fall as the scale grows. precision_recall(real, fake) returns precision "
        "first; recall is the second number.",
    )
    reject_if(
        not recall_1 > recall_2 > recall_5,
        "Recall should fall at each step: start each run from the same noise.",
    )
    return (
        f"From scale 1 to 5 recall falls by {recall_1 - recall_5:.1f}: that is the price, and "
        "agreement alone would never have shown it."
    )
