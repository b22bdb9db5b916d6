"""The exercises of the flow-matching chapter: solutions pass, each mistake is told from the others."""

import torch
from tests.exercises.proof import prove

from attnoise.exercises import flow_matching as module


def loss(target=lambda x0, eps: eps - x0, mix=None, total=False):
    def my_loss(model, x0, eps, t):
        t = t[:, None]
        x_t = (1 - t) * x0 + t * eps if mix is None else mix(x0, eps, t)
        square = (model(x_t, t[:, 0]) - target(x0, eps)).square()
        return square.sum(dim=1).mean() if total else square.mean()

    return my_loss


def step(length=lambda a, b, n: b - a, when=lambda a, b: a):
    def my_sampler(velocity, x, times):
        for now, then in zip(times[:-1], times[1:], strict=True):
            x = x + length(now, then, len(times)) * velocity(x, when(now, then))
        return x

    return my_sampler


WRONG = {
    "on_the_line": [
        (((-1.0, 3.0), (-4.0, 4.0)), "counted from noise"),
        (((1.0, 1.0), (4.0, -4.0)), "points from data to noise"),
        (((1.0, 1.0), (-1.0, 1.0)), "whole way in time 1"),
        (((0.0, 4.0), (-4.0, 4.0)), "add to one"),
        (((0.0, 0.0), (0.0, 0.0)), "3/4 x0"),
    ],
    "flow_loss": [
        (loss(lambda x0, eps: x0 - eps), "The sign"),
        (loss(lambda x0, eps: eps), "noise prediction"),
        (loss(lambda x0, eps: x0), "predicts the sample"),
        (loss(mix=lambda x0, eps, t: t * x0 + (1 - t) * eps), "wrong way round"),
        (loss(total=True), "Right but for a factor"),
        (loss(mix=lambda x0, eps, t: (1 - t**2).sqrt() * x0 + t * eps), "circle of diffusion"),
        (lambda model, x0, eps, t: torch.zeros(()), "Mix, ask"),
    ],
    "both_predictions": [
        (lambda x, u, t: (x + (1 - t) * u, x - t * u), "wrong order"),
        (lambda x, u, t: (x + t * u, x - (1 - t) * u), "The signs"),
        (lambda x, u, t: (x - (1 - t) * u, x + t * u), "changed places"),
        (lambda x, u, t: (x - u, x + u), "in time 1"),
        (lambda x, u, t: (x - t * u, x), "missing its way"),
        (lambda x, u, t: (x, u), "x0_hat = x_t - t u"),
    ],
    "follow_the_flow": [
        (step(lambda a, b, n: a - b), "away from the data"),
        (step(lambda a, b, n: -1 / (n - 1)), "all alike"),
        (step(lambda a, b, n: -1 / n), "make four steps"),
        (step(when=lambda a, b: b), "at the step's end"),
        (lambda velocity, x, times: x - velocity(x, 1.0), "one large step"),
        (lambda velocity, x, times: x, "for each pair"),
    ],
    "collision": [
        ((torch.eye(2), torch.eye(2)), "side by side"),
        (
            (torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 2.0], [-1.0, 1.0]])),
            "apart",
        ),
        ((torch.ones(2, 2), torch.eye(2)), "at t = 0 only"),
        ((torch.eye(2), torch.ones(2, 2)), "at t = 1 only"),
        ((torch.eye(3), torch.eye(3)), "shape (2, 2) each"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/flow-matching.ipynb", module, WRONG)
