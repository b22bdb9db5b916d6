"""The exercises of `diffusion/guidance`: solutions pass, wrong answers learn why."""

import numpy as np
import pytest
import torch
from tests.exercises.proof import prove

from attnoise.exercises import guidance as module


def prediction(
    mix, *, outside="with", inside=lambda share, t, low, high: (low <= share) & (share <= high)
):
    """Build a prediction whose mix inside the interval, or whose interval, is mistaken."""

    def guided(with_label, without, t, T, scale, low, high):
        on = inside(t / T, t, low, high)[:, None]
        rest = {"with": with_label, "without": without}[outside]
        return torch.where(on, mix(with_label, without, scale), rest)

    return guided


def right_mix(a, b, s):
    return b + s * (a - b)


def tilted(formula):
    """Build (mean, variance) from formula(m, v, V, s, precision)."""
    return lambda m, v, V, s: formula(m, v, V, s, s / v + (1 - s) / V)


def back(formula):
    """Build a way back up from formula(x, eps, ratio, alpha_t, sigma_t, sigma_s)."""

    def up(x_s, eps, alpha_t, sigma_t, alpha_s, sigma_s):
        return formula(x_s, eps, alpha_t / alpha_s, alpha_t, sigma_t, sigma_s)

    return up


def added(ratio, sigma_t, sigma_s):
    return (sigma_t**2 - (ratio * sigma_s) ** 2) ** 0.5


WRONG = {
    "where_the_prediction_lands": [
        ((2.6, 2.0), "starts from the prediction with the label"),
        ((2.4, 2.0), "what is scaled is the difference"),
        ((-1.6, 2.0), "wrong way"),
        ((1.8, 2.0), "the step alone"),
        ((0.8, 2.0), "the scale 1"),
        ((2.0, 3.0), "our scale"),
        ((2.0, 4.0), "one less"),
        ((2.0,), "Two numbers"),
    ],
    "guidance_in_an_interval": [
        (prediction(right_mix, inside=lambda share, t, low, high: t >= 0), "on everywhere"),
        (
            prediction(right_mix, inside=lambda share, t, low, high: (low <= t) & (t <= high)),
            "t itself",
        ),
        (prediction(right_mix, outside="without"), "not scale 0"),
        (
            prediction(
                right_mix, inside=lambda share, t, low, high: (low < share) & (share < high)
            ),
            "Both ends",
        ),
        (prediction(lambda a, b, s: b + (s + 1) * (a - b)), "took the scale for w"),
        (prediction(lambda a, b, s: a + s * (b - a)), "swapped"),
        (
            lambda a, b, t, T, s, low, high: (
                prediction(lambda x, y, s: x)(a, b, t, T, s, low, high)
                + torch.where(((low <= t / T) & (t / T <= high))[:, None], 0, (s - 1) * (a - b))
            ),
            "on outside and off inside",
        ),
    ],
    "tilted_gaussian": [
        (tilted(lambda m, v, V, s, p: (s * m / v / p, p)), "That is the precision"),
        (tilted(lambda m, v, V, s, p: (s * m / v / p, p**-0.5)), "standard deviation"),
        (tilted(lambda m, v, V, s, p: (m, v / s)), "p(x | c) alone"),
        (tilted(lambda m, v, V, s, p: (m, 1 / (s / v + 1 / V))), "1 - w times in all"),
        (tilted(lambda m, v, V, s, p: (s * m, s * v + (1 - s) * V)), "Precisions add up"),
        (tilted(lambda m, v, V, s, p: (s * m, 1 / p)), "not simply w m"),
        (tilted(lambda m, v, V, s, p: (m, 1 / p)), "The mean moves"),
        (
            tilted(lambda m, v, V, s, p: ((s + 1) * m / v * 1.0, 1 / ((s + 1) / v - s / V))),
            "Ho and Salimans' w",
        ),
        (tilted(lambda m, v, V, s, p: (m, 1 / (s / v**2 + (1 - s) / V**2))), "do not square"),
        (tilted(lambda m, v, V, s, p: (1 / p, s * m / v / p)), "changed places"),
        (tilted(lambda m, v, V, s, p: (s * m / v, 1 / p)), "the factor of x"),
        (lambda m, v, V, s: 1.0, "two numbers"),
    ],
    "back_up": [
        (back(lambda x, e, r, a, st, ss: a * x + st * e), "as clean data"),
        (back(lambda x, e, r, a, st, ss: r * x + st * e), "Too much noise"),
        (back(lambda x, e, r, a, st, ss: r * x + (st**2 - ss**2) ** 0.5 * e), "shrinks along"),
        (back(lambda x, e, r, a, st, ss: r * x + (st - r * ss) * e), "Standard deviations"),
        (back(lambda x, e, r, a, st, ss: r * x + added(r, st, ss) ** 2 * e), "is the variance"),
        (back(lambda x, e, r, a, st, ss: x + added(r, st, ss) * e), "must shrink"),
        (back(lambda x, e, r, a, st, ss: x / r + added(r, st, ss) * e), "upside down"),
        (back(lambda x, e, r, a, st, ss: r * x + (1 - r**2) ** 0.5 * e), "alpha^2 + sigma^2 = 1"),
    ],
    "what_a_scale_costs": [
        ([0.98, 0.9], "a dictionary"),
        ({1: (0.98, 0.9), 2: (0.98, 0.9), 5: (0.98, 0.9)}, "All recalls are the same"),
        ({1: (0.9, 0.98), 2: (0.6, 1.0), 5: (0.4, 0.99)}, "look swapped"),
        ({1: (0.1, 0.5), 2: (0.1, 0.4), 5: (0.1, 0.3)}, "chance level"),
        ({1: (0.5, 0.5), 2: (0.5, 0.4), 5: (0.5, 0.3)}, "target='x0'"),
        ({1: (0.98, 0.9), 2: (1.0, 0.7), 5: (0.1, 0.4)}, "Agreement falls"),
        ({1: (0.99, 0.94), 2: (1.0, 0.97), 5: (1.0, 0.875)}, "looks like precision"),
        ({1: (0.98, 0.9), 2: (1.0, 0.3), 5: (1.0, 0.4)}, "at each step"),
        ({1: (1.0, 0.62), 2: (1.0, 0.56), 5: (1.0, 0.5)}, "did you add 1"),
        ({1: (0.98, 0.9), 2: (0.99, 0.7), 5: (0.99, 0.69)}, "At scale 5 our runs"),
        ({1: (0.98, 90.0), 2: (1.0, 70.0), 5: (1.0, 40.0)}, "between 0 and 1"),
        ({1: (0.98,), 2: (1.0,), 5: (1.0,)}, "a pair"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/guidance.ipynb", module, WRONG)


def test_right_answers_pass_in_other_forms():
    for answer in ([2, 2], torch.tensor([2.0, 2.0]), np.array([2.0, 2.0]), "2, 2", ("2.0", "2")):
        assert module.where_the_prediction_lands(answer), answer
    for kind in (torch.tensor, np.array, list, lambda pair: tuple(torch.tensor(x) for x in pair)):
        right = tilted(lambda m, v, V, s, p, kind=kind: kind([s * m / v / p, 1 / p]))
        assert module.tilted_gaussian(right), kind
    curve = {1: (0.99, 0.89), 2: (1.0, 0.62), 5: (1.0, 0.5)}
    for kind in (tuple, list, torch.tensor, np.array):
        assert module.what_a_scale_costs({k: kind(v) for k, v in curve.items()}), kind
    assert module.what_a_scale_costs({str(k): v for k, v in curve.items()})


@pytest.mark.parametrize("answer", [2.0, "two", ("two", 2.0), {2.0, 1.0}, [2, 2, 2]])
def test_what_is_no_pair_is_called_so(answer):
    assert "Two numbers are asked for" in module.where_the_prediction_lands(answer).message


def test_numbers_that_only_fall_are_not_enough():
    made_up = {1: (0.98, 0.9), 2: (1, 0.7), 5: (0.1, 0.4)}
    assert not module.what_a_scale_costs(made_up)
    assert not module.what_a_scale_costs({1: (0.98, 0.9), 2: (1, 0.7), 5: (1, 0.69)})
