"""The exercises of the chapter on latent space: solutions pass, each mistake gets its own reason."""

import torch
from tests.exercises.proof import prove

from attnoise.exercises import latent_space as module


def arc(swap=False, divide=True, angle=None):
    def my_slerp(a, b, s):
        w = torch.acos(a @ b / (a.norm() * b.norm())) if angle is None else angle(a, b)
        first, second = (s, 1 - s) if swap else (1 - s, s)
        total = torch.sin(first * w) * a + torch.sin(second * w) * b
        return total / torch.sin(w) if divide else total

    return my_slerp


def unit(x):
    return x / x.norm()


WRONG = {
    "how_long": [
        (lambda n, s: n**0.5, "length of a draw"),
        (lambda n, s: ((1 - s) ** 2 + s**2) * n, "squared length"),
        (lambda n, s: (n / 2) ** 0.5, "middle only"),
        (lambda n, s: ((1 - s) ** 2 + s**2) * n**0.5, "root goes over both"),
        (lambda n, s: 58**0.5, "one case only"),
        (lambda n, s: 3.0, "The root of"),
    ],
    "an_arc": [
        (lambda a, b, s: (1 - s) * a + s * b, "straight line"),
        (arc(swap=True), "exchanged"),
        (arc(divide=False), "divided by the sine"),
        (arc(angle=lambda a, b: a @ b / (a.norm() * b.norm())), "That is the cosine"),
        (arc(angle=lambda a, b: torch.acos((a @ b).clamp(-1, 1))), "both lengths"),
        (lambda a, b, s: a, "times a, plus"),
    ],
    "an_analogy": [
        (lambda a, b, c, e, d: c + b - a, "encode first"),
        (lambda a, b, c, e, d: d(e(c) + e(a) - e(b)), "not from b to a"),
        (lambda a, b, c, e, d: e(c) + e(b) - e(a), "still a latent"),
        (lambda a, b, c, e, d: d(e(b) - e(a)), "Start from c"),
        (lambda a, b, c, e, d: d(e(c)), "decode(c + b - a)"),
    ],
    "a_direction": [
        (lambda z, h: z[h].mean(0) - z[~h].mean(0), "give it length one"),
        (lambda z, h: unit(z[~h].mean(0) - z[h].mean(0)), "sign is turned"),
        (lambda z, h: unit(z[h].sum(0) - z[~h].sum(0)), "take means"),
        (lambda z, h: unit(z[h].mean(0)), "Subtract what"),
        (lambda z, h: z[h].mean(0) - z.mean(0), "compare with those without"),
        (
            lambda z, h: (lambda d: d / d.abs().sum())(z[h].mean(0) - z[~h].mean(0)),
            "sum of squares",
        ),
        (lambda z, h: unit(torch.ones(5)), "difference of two means"),
    ],
    "how_far_is_chance": [
        (0.15 / 16, "not by 16"),
        (0.15 * 256, "not over 256"),
        (0.15, "cosine itself"),
        (3.0, "divided by 1/16"),
    ],
}


def test_exercises_are_proved():
    prove("latent/latent-space.ipynb", module, WRONG)
