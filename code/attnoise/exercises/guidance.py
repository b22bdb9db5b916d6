"""Checks for the chapter `diffusion/guidance`."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if
from .values import number_of, pair_of

# What 200 digits of the shipped network reach in ten steps: agreement at least, recall from, to.
# Eight seeds of noise gave 0.82 to 0.89, 0.56 to 0.66, 0.39 to 0.51; 25 steps 0.92, 0.71, 0.55.
PLAUSIBLE = {1.0: (0.93, 0.74, 0.97), 2.0: (0.97, 0.46, 0.78), 5.0: (0.97, 0.3, 0.62)}


def pair(answer: Any, otherwise: str) -> tuple[float, float]:
    """Return two numbers in whatever form they come, or reject what is no pair."""
    found = pair_of(answer)
    reject_if(found is None, otherwise)
    return found or (math.nan, math.nan)


@exercise(
    1,
    "Where the prediction lands",
    level="trace",
    minutes=5,
    asks=numbers("guided prediction", "w of Ho and Salimans"),
)
def where_the_prediction_lands(my_answer):
    prediction, w = pair(
        my_answer, "Two numbers are asked for: the guided prediction, then Ho and Salimans' w."
    )
    for wrong, why in (
        (
            0.8 + 3 * 0.6,
            "That starts from the prediction with the label: it is the scale 4, or their w = 3.",
        ),
        (
            0.2 - 3 * 0.6,
            "You went the wrong way: from the prediction without the label to the other.",
        ),
        (3 * 0.8, "You scaled the prediction with the label; what is scaled is the difference."),
        (3 * 0.6, "That is the step alone; it starts from the prediction without the label."),
        (0.2 + 0.6, "That is the prediction with the label, the scale 1."),
    ):
        reject(prediction, wrong, why, tolerance=1e-3)
    expect(
        prediction, 2.0, "From 0.2 go three times the difference, 3 (0.8 - 0.2).", tolerance=1e-3
    )
    reject(w, 3.0, "That is our scale; theirs counts what comes on top of 1.", tolerance=1e-3)
    reject(w, 4.0, "The other way round: theirs is one less than our scale.", tolerance=1e-3)
    expect(w, 2.0, "Theirs is our scale less 1: without guidance it is 0.", tolerance=1e-3)
    return "0.2 + 3 (0.8 - 0.2) = 2, beyond both predictions; Ho and Salimans call it w = 2."


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
    V, w = pick(1.6, (1.3, 1.9, 2.2), seed=2), pick(3.0, (2.0, 2.5, 4.0), seed=3)
    two = "Return two numbers: the mean, then the variance."
    mean, variance = pair(call(my_tilted, m, v, V, w), two)
    precision = w / v + (1 - w) / V
    for wrong, why in (
        (precision, "That is the precision; the variance is one over it."),
        (precision**-0.5, "That is the standard deviation; the variance is asked for."),
        (v / w, "You tilted p(x | c) alone: p(x) stands there with the power 1 - w."),
        (1 / (w / v + 1 / V), "p(x) stands there 1 - w times in all, once and minus w times."),
        (
            1 / ((1 + w) / v - w / V),
            "You took w for Ho and Salimans' w, which is one less: here w = 1 is no guidance.",
        ),
        (w * v + (1 - w) * V, "Precisions add up, not variances."),
        (1 / (w / v**2 + (1 - w) / V**2), "v and V are variances already: do not square them."),
    ):
        reject(variance, wrong, why)
    if abs(mean - 1 / precision) < 1e-4 and abs(variance - w * m / v / precision) < 1e-4:
        reject_if(True, "The two have changed places: the mean comes first.")
    expect(variance, 1 / precision, "Collect the factors of x squared in the exponent.")
    reject(
        mean,
        w * m,
        "The mean is not simply w m: divide the factor of x by the precision.",
    )
    reject(mean, w * m / v, "That is the factor of x; the mean is that factor over the precision.")
    reject(mean, m, "The mean moves, since the two Gaussians have different centres.")
    expect(mean, w * m / v / precision, "The mean is (w m / v) times the variance.")
    smallest = torch.tensor(pair(call(my_tilted, m, v, V, 1.0), two))
    expect(smallest, torch.tensor([m, v]), "At w = 1 the class itself must come out.")
    return (
        f"For w = {w:g} the mean moves from {m} to {w * m / v / precision:.2f}, and it is narrower."
    )


@exercise(4, "Back up", level="code", minutes=10)
def back_up(my_back):
    x_s, eps = draw(5, 3), draw(5, 3, seed=1)
    on_a_circle = [(a, math.sqrt(1 - a**2)) for a in (0.5, 0.8)]
    for now, then in (on_a_circle, [(0.4, 0.6), (0.7, 0.3)]):  # the second pair: straight paths
        _back_up(my_back, x_s, eps, now, then)
    return "Shrink, then top the noise up to sigma_t: the forward process between any two times."


def _back_up(my_back, x_s, eps, now, then):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = now, then
    got, ratio = call(my_back, x_s, eps, alpha_t, sigma_t, alpha_s, sigma_s), alpha_t / alpha_s
    added = math.sqrt(sigma_t**2 - (ratio * sigma_s) ** 2)
    right = ratio * x_s + added * eps
    slips = [
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
    ]
    if abs(1 - ratio**2 - added**2) > 1e-3:
        slips.append(
            (
                ratio * x_s + math.sqrt(1 - ratio**2) * eps,
                "That holds where alpha^2 + sigma^2 = 1. The check has tried other levels, too, as "
                "those of a straight path: use the sigmas that you are given.",
            )
        )
    for wrong, why in slips:
        reject(got, wrong, why)
    expect(got, right, "x_t must hold alpha_t of x0 and sigma_t of noise.")


@exercise(5, "What a scale costs", level="explore", minutes=20)
def what_a_scale_costs(my_curve):
    keys = [number_of(key) for key in my_curve] if isinstance(my_curve, Mapping) else []
    reject_if(
        any(isinstance(key, str) for key in keys) or {*map(float, keys)} != {*PLAUSIBLE},
        "my_curve should be a dictionary with the keys 1, 2 and 5.",
    )
    two = "Each value should be a pair of numbers: agreement, then recall."
    curve = {float(number_of(key)): pair(value, two) for key, value in my_curve.items()}
    for slip, why in _slips(*(curve[w] for w in PLAUSIBLE)):
        reject_if(slip, why)
    for w, (least, low, high) in PLAUSIBLE.items():
        agreement, recall = curve[w]
        reject_if(
            agreement < least or not low <= recall <= high,
            f"At scale {w:g} our runs give an agreement above {least}, and a recall between {low} "
            f"and {high}; yours are {agreement:.2f} and {recall:.2f}. Draw 200 digits, 20 of each "
            "class, in ten steps, and compare with all unseen digits.",
        )
    return (
        f"From scale 1 to 5 recall falls by {curve[1.0][1] - curve[5.0][1]:.1f}: that is the "
        "price, and agreement alone would never have shown it."
    )


def _slips(at_1, at_2, at_5):
    (agree_1, recall_1), (agree_2, recall_2), (agree_5, recall_5) = at_1, at_2, at_5
    return (
        (
            not all(0 <= x <= 1 for x in (*at_1, *at_2, *at_5)),
            "Agreement and recall are rates: each lies between 0 and 1.",
        ),
        (
            recall_1 == recall_2 == recall_5,
            "All recalls are the same: was the scale handed to GuidedDenoiser?",
        ),
        (
            recall_5 > 0.95 and agree_5 < recall_5,
            "The numbers look swapped: first agreement, then recall.",
        ),
        (
            agree_1 < 0.2,
            "Agreement is at chance level: hand the sampler the labels that you compare with.",
        ),
        (
            agree_1 < 0.8,
            "Less than 0.8 agree without guidance: build NetworkDenoiser with target='x0'.",
        ),
        (
            min(agree_2, agree_5) < PLAUSIBLE[2.0][0],
            "Agreement falls, but guidance moves digits towards their class.",
        ),
        (
            recall_2 > 0.9,
            "That looks like precision: precision_recall(real, fake) returns it first.",
        ),
        (
            not recall_1 > recall_2 > recall_5,
            "Recall should fall at each step: start each from the same noise, and sort by scale.",
        ),
        (
            0.48 < recall_1 < PLAUSIBLE[1.0][1],
            "Without guidance recall is above 0.8. Yours is that of scale 2: did you add 1?",
        ),
    )
