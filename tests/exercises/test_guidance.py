"""The exercises of `diffusion/guidance`: solutions pass, wrong answers learn why."""

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
        ((2.0, 3.0), "our scale s"),
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
        (tilted(lambda m, v, V, s, p: (m, 1 / (s / v + 1 / V))), "1 - s times in all"),
        (tilted(lambda m, v, V, s, p: (s * m, s * v + (1 - s) * V)), "Precisions add up"),
        (tilted(lambda m, v, V, s, p: (s * m, 1 / p)), "not simply s m"),
        (tilted(lambda m, v, V, s, p: (m, 1 / p)), "The mean moves"),
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
    ],
    "what_a_scale_costs": [
        ([0.98, 0.9], "a dictionary"),
        ({1: (0.98, 0.9), 2: (0.98, 0.9), 5: (0.98, 0.9)}, "All recalls are the same"),
        ({1: (0.9, 0.98), 2: (0.6, 1.0), 5: (0.4, 0.99)}, "look swapped"),
        ({1: (0.1, 0.5), 2: (0.1, 0.4), 5: (0.1, 0.3)}, "target='x0'"),
        ({1: (0.98, 0.87), 2: (1.0, 0.95), 5: (1.0, 0.9)}, "Recall should fall as the scale"),
        ({1: (0.98, 0.9), 2: (1.0, 0.3), 5: (1.0, 0.4)}, "at each step"),
        ({1: (0.98,), 2: (1.0,), 5: (1.0,)}, "a pair"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/guidance.ipynb", module, WRONG)
