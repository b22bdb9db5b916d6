"""The exercises of the samplers chapter: solutions pass, each mistake is told from the others."""

from itertools import pairwise

import pytest
import torch
from tests.exercises.proof import prove
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    ddim_sample,
    heun_sample,
    last,
    linear_schedule,
    make_timesteps,
)
from attnoise.exercises import samplers as module


def mixed(kept=None, swap=False, scale=1.0, per_sigma=True, stay=False):
    """A step of DDIM with one slip."""

    def step(x, x0_hat, now, then, c, z):
        (alpha, sigma), (alpha_s, sigma_s) = now, now if stay else then
        eps_hat = (x - (1.0 if scale is None else alpha * scale) * x0_hat) / (
            sigma if per_sigma else 1.0
        )
        old = (sigma_s**2 - c**2) ** 0.5 if kept is None else kept(sigma_s, c)
        first, second = (z, eps_hat) if swap else (eps_hat, z)
        return alpha_s * x0_hat + old * first + c * second

    return step


def as_if_independent(a, levels):
    """The standard deviation, if the two predictions were independent."""
    std = 1.0
    for (alpha, sigma), (alpha_s, sigma_s) in pairwise(levels):
        g = alpha * a**2 / (alpha**2 * a**2 + sigma**2)
        std *= ((alpha_s * g) ** 2 + (sigma_s * (1 - alpha * g) / sigma) ** 2) ** 0.5
    return std


def heun(
    end="mean", back=1, given=None, shown=True, sign=1.0, over=None, time="ratio", divided=True
):
    """A step of Heun's method with one slip."""

    def step(denoise, x, now, then):
        def velocity(x, level, sigma=None):
            return (x - level[0] * denoise(x, level)) / (sigma or level[1])

        h = sign * (then[1] / then[0] - now[1] / now[0])
        if time == "sigma":
            h = then[1] - now[1]
        z, first = x / now[0] if divided else x, velocity(x, now)
        trial = z + h * first
        second = velocity(then[0] * trial if shown else trial, given or then, over)
        move = {
            "mean": (first + second) / 2,
            "sum": first + second,
            "first": first,
            "second": second,
        }[end]
        return (1.0, then[0], now[0])[back] * (z + h * move)

    return step


WRONG = {
    "budget": [
        ((21, 10, 21), "one call is left"),
        ((21, 21, 21), "looks twice"),
        ((21, 11, 10), "remembers"),
        ((21, 11, 11), "is free"),
        ((20, 11, 20), "Counting stops"),
        ((10, 10, 10), "One call a step"),
    ],
    "mix_anew": [
        (mixed(kept=lambda s, c: s), "on top of all the old"),
        (mixed(kept=lambda s, c: s - c), "Variances add"),
        (mixed(swap=True), "changed places"),
        (mixed(scale=None), "not x0: subtract"),
        (mixed(per_sigma=False), "divide by sigma"),
        (mixed(stay=True), "level `now` again"),
        (lambda x, x0, now, then, c, z: mixed()(x, x0, now, then, 0.0, z), "That is DDIM"),
        (mixed(kept=lambda s, c: s**2 - c**2), "take its root"),
        (lambda x, x0_hat, now, then, c, z: x0_hat, "Predict the noise"),
    ],
    "gaussian_std": [
        (lambda a, levels: module.std_after(a, levels) ** 2, "That is the variance"),
        (lambda a, levels: a, "data's own"),
        (lambda a, levels: module.std_after(a, [levels[0], levels[-1]]), "one step from first"),
        (lambda a, levels: module.std_after(a, levels[:-1]), "last step"),
        (lambda a, levels: module.std_after(a**0.5, levels), "gain is a squared"),
        (as_if_independent, "add their factors"),
        (lambda a, levels: 1.0, "Each step multiplies"),
        (lambda a, levels: module.std_after(a, levels[:2] + levels[2:][-2:]), "but not for 399"),
    ],
    "heun_step": [
        (heun(end="first"), "Euler's step"),
        (heun(end="second"), "at the end alone"),
        (heun(end="sum"), "were added"),
        (heun(back=0), "That is z"),
        (heun(given=(0.6, 0.8)), "was given `now`"),
        (heun(shown=False), "was shown z"),
        (heun(sign=-1.0), "runs backwards"),
        (heun(over=0.8), "the sigma of `now`"),
        (heun(time="sigma"), "Your time is sigma"),
        (heun(divided=False), "not turned into z"),
        (heun(back=2), "came back with alpha"),
        (lambda d, x, now, then: x, "Mean of the velocities"),
    ],
    "eight_calls": [
        ((1000, 900, 800, 700, 600, 400, 200, 100, 0), "above 500"),
        ((1000, 600, 190, 150, 100, 60, 30, 10, 0), "below 200"),
        ((1000, 875, 750, 625, 500, 375, 250, 125, 0), "leads astray most"),
        ((1000, 500, 0), "nine stops"),
        ((900, 800, 700, 600, 500, 400, 300, 100, 0), "first stop is 1000"),
        ((1000, 800, 900, 600, 500, 400, 300, 100, 0), "must fall"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/samplers.ipynb", module, WRONG)


@pytest.mark.parametrize(("a", "steps"), [(0.5, 3), (1.7, 11)])
def test_the_gaussian_of_the_check_is_what_ddim_draws(a, steps):
    schedule = linear_schedule(1000)
    exact = GaussianDenoiser(torch.zeros(1), torch.tensor([[a**2]]), schedule)
    times = make_timesteps(schedule, steps)
    levels = [v.tolist() for v in schedule.levels(torch.tensor(times, dtype=torch.float64))]
    end = last(ddim_sample(exact, torch.ones(1, 1).double(), schedule, timesteps=times))
    found = module.std_after(a, list(zip(*levels, strict=True)))
    assert_close(abs(end.item()), found, atol=1e-5, rtol=1e-5)


def test_heun_of_the_check_is_the_package_s():
    schedule, times = linear_schedule(1000), [900.0, 500.0, 100.0]
    exact = GaussianDenoiser(torch.zeros(2), torch.diag(torch.tensor([0.3, 1.7])), schedule)
    x = start = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    levels = [v.tolist() for v in schedule.levels(torch.tensor(times, dtype=torch.float64))]
    time_of = dict(zip(zip(*levels, strict=True), times, strict=True))

    def denoise(x, level):
        return exact(x, torch.full((len(x),), time_of[level], dtype=torch.float64))

    for now, then in pairwise(time_of):
        x = heun()(denoise, x, now, then)
    assert_close(x, last(heun_sample(exact, start, schedule, timesteps=times)))
    assert module.heun_step(heun())


def test_errors_fall_with_steps_and_the_limit_is_below_even_spacing():
    schedule = linear_schedule(1000)
    errors = [module.error_of(make_timesteps(schedule, n)) for n in (4, 8, 64)]
    assert errors[0] > errors[1] > 2 * module.LIMIT and errors[2] < module.LIMIT
    assert round(errors[1], 3) == 0.125  # the exercise says so


def test_errors_by_interval_are_small_where_steps_are_and_point_at_the_large_ones():
    schedule = linear_schedule(1000)
    even, fine = ([float(t) for t in make_timesteps(schedule, n)] for n in (8, 40))
    by_eight, by_forty = (module.error_by_interval(times) for times in (even, fine))
    assert len(by_eight) == 8 and max(by_forty) < 0.5 * max(by_eight)
    gap = [1000.0, 950.0, 900.0, 850.0, 200.0, 150.0, 100.0, 50.0, 0.0]  # one step is far too long
    assert module.error_by_interval(gap).index(max(module.error_by_interval(gap))) == 3
