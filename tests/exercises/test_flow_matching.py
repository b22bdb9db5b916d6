"""The exercises of the flow-matching chapter: solutions pass, each mistake is told from the others."""

import numpy as np
import pytest
import torch
from tests.exercises.proof import prove

from attnoise.exercises import flow_matching as module


def loss(target=None, mix=None, total=False, t_axes=1, redraw=False):
    def my_loss(model, x0, eps, t, path):
        if redraw:
            eps = torch.randn(eps.shape)
        a, s, a_rate, s_rate = (part[:, None] for part in path(t))
        x_t = a * x0 + s * eps if mix is None else mix(x0, eps, a, s, t[:, None])
        u = a_rate * x0 + s_rate * eps if target is None else target(x0, eps, a_rate, s_rate)
        square = (model(x_t, t if t_axes == 1 else t[:, None]) - u).square()
        return square.sum(dim=1).mean() if total else square.mean()

    return my_loss


def step(length=lambda a, b, n: b - a, when=lambda a, b: a):
    def my_sampler(velocity, x, times):
        for now, then in zip(times[:-1], times[1:], strict=True):
            x = x + length(now, then, len(times)) * velocity(x, when(now, then))
        return x

    return my_sampler


def heun(velocity, x, times):
    for now, then in zip(times[:-1], times[1:], strict=True):
        first = velocity(x, now)
        x = x + (then - now) * (first + velocity(x + (then - now) * first, then)) / 2
    return x


X0, EPS = [[-1.0, 0.0], [1.0, 0.0]], [[1.0, 2.0], [-1.0, 2.0]]
WRONG = {
    "on_the_line": [
        (((-1.0, 3.0), (-4.0, 4.0)), "counted from noise"),
        (((1.0, 1.0), (4.0, -4.0)), "points from data to noise"),
        (((1.0, 1.0), (-1.0, 1.0)), "whole way in time 1"),
        (((0.0, 4.0), (-4.0, 4.0)), "add to one"),
        (((-4.0, 4.0), (1.0, 1.0)), "the place comes first"),
        (((1.0, 1.0),), "but yours are 2"),
        (((0.0, 0.0), (0.0, 0.0)), "3/4 x0"),
    ],
    "flow_loss": [
        (loss(lambda x0, eps, a, s: eps - x0), "straight line's"),
        (loss(lambda x0, eps, a, s: -(a * x0 + s * eps)), "The sign"),
        (loss(lambda x0, eps, a, s: eps), "noise prediction"),
        (loss(lambda x0, eps, a, s: x0), "predicts the sample"),
        (loss(mix=lambda x0, eps, a, s, t: s * x0 + a * eps), "wrong way round"),
        (loss(mix=lambda x0, eps, a, s, t: (1 - t) * x0 + t * eps), "lies on the straight line"),
        (loss(total=True), "Right but for a factor"),
        (loss(t_axes=2), "one time for each sample"),
        (loss(redraw=True), "draw noise or times anew"),
        (lambda model, x0, eps, t, path: torch.zeros(()), "never asks the model"),
        (lambda model, x0, eps, t, path: model(x0, t).mean(), "Mix, ask"),
    ],
    "both_predictions": [
        (lambda x, u, t: (x + (1 - t) * u, x - t * u), "wrong order"),
        (lambda x, u, t: (x + t * u, x - (1 - t) * u), "The signs"),
        (lambda x, u, t: (x - (1 - t) * u, x + t * u), "changed places"),
        (lambda x, u, t: (x - u, x + u), "in time 1"),
        (lambda x, u, t: (x - t * u, x), "missing its way"),
        (lambda x, u, t: (x - t * u, x - t * u - u), "you go along u"),
        (lambda x, u, t: (x, u, t), "yours has 3 parts"),
        (lambda x, u, t: (x, u), "x0_hat = x_t - t u"),
    ],
    "follow_the_flow": [
        (step(lambda a, b, n: a - b), "away from the data"),
        (step(lambda a, b, n: -1 / (n - 1)), "all alike"),
        (step(lambda a, b, n: -1 / n), "make four steps"),
        (step(when=lambda a, b: b), "at the step's end"),
        (lambda velocity, x, times: x - velocity(x, 1.0), "one large step"),
        (lambda velocity, x, times: [x] * len(times), "return only the last"),
        (heun, "That is Heun's method"),
        (lambda velocity, x, times: x, "for each pair"),
    ],
    "collision": [
        ((torch.eye(2), torch.eye(2), torch.zeros(2)), "side by side"),
        ((X0, [[1.0, 2.0], [-1.0, 1.0]], (0, 2)), "apart"),
        ((torch.ones(2, 2), torch.eye(2), (0, 0)), "at t = 0 only"),
        ((torch.eye(2), torch.ones(2, 2), (0, 0)), "at t = 1 only"),
        ((torch.eye(3), torch.eye(3), (0, 0)), "4, 4 and 2 numbers"),
        ((X0, EPS), "Three parts are asked for"),
        ((X0, EPS, (2, 2)), "yours is the first line's"),
        ((X0, EPS, (-2, 2)), "yours is the second line's"),
        ((X0, EPS, (0, 4)), "take their mean"),
        ((X0, EPS, (0, 1)), "that is the place"),
        ((X0, EPS, (0, -2)), "points from data to noise"),
        ((X0, EPS, (5, 5)), "What single answer"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/flow-matching.ipynb", module, WRONG)


@pytest.mark.parametrize(
    "answer",
    [
        ((1, 1), (-4, 4)),
        (1, 1, -4, 4),
        ["1", "1.0", "-4", "4"],
        np.array([[1, 1], [-4, 4]]),
        torch.tensor([1.0, 1.0, -4.0, 4.0]),
        (torch.tensor([1.0, 1.0]), np.array([-4.0, 4.0])),
    ],
)
def test_four_numbers_may_come_in_any_form(answer):
    assert module.on_the_line(answer)


def test_other_forms_of_right_answers_pass():
    assert module.both_predictions(lambda x, u, t: [(x - t * u).numpy(), x + (1 - t) * u])
    for form in (np.array, torch.tensor, list):
        assert module.collision([form(X0), form(EPS), form([0.0, 2.0])])
    # symmetric pairs: the mean velocity is 0, and so are the place and the sum
    assert module.collision(([[-1, 0], [1, 0]], [[1, 0], [-1, 0]], (0, 0)))
