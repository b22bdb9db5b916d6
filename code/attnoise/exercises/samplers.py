"""Checks for the chapter `diffusion/samplers`."""

from itertools import pairwise

import torch

from ..errors import ConfigError
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if
from .stops import error_by_interval, error_of

STEPS, LIMIT = 8, 0.05


@exercise(
    1,
    "A budget of calls",
    level="trace",
    minutes=5,
    asks=numbers("DDIM", "Heun", "DPM-Solver++(2M)"),
)
def budget(my_steps):
    reject(
        my_steps, (21, 10, 21), "Heun's last step is Euler's: it calls once, and one call is left."
    )
    reject(my_steps, (21, 21, 21), "Heun looks twice in a step: at its start and at its end.")
    reject(
        my_steps,
        (21, 11, 10),
        "DPM-Solver++ remembers its last prediction; it does not call again.",
    )
    reject(my_steps, (21, 11, 11), "Order 2 does not mean two calls: what is remembered is free.")
    reject(my_steps, (20, 11, 20), "Counting stops instead of steps: n + 1 stops make n steps.")
    expect(my_steps, (21, 11, 21), "One call a step, but for Heun: 2 n - 1 calls for n steps.")
    return "Same price, 21 calls: 21 small steps, or 11 that are looked at twice."


@exercise(2, "Mix anew", level="code", minutes=10)
def mix_anew(my_step):
    x, x0_hat, z = draw(5, 3), draw(5, 3, seed=1), draw(5, 3, seed=2)
    now, then, c = (0.6, 0.8), (0.9, 0.19**0.5), 0.2
    (alpha, sigma), (alpha_s, sigma_s) = now, then
    eps_hat = (x - alpha * x0_hat) / sigma
    kept = (sigma_s**2 - c**2) ** 0.5
    got = call(my_step, x, x0_hat, now, then, c, z)
    clean, left = alpha_s * x0_hat, x - alpha * x0_hat
    slips = {
        "The fresh noise comes on top of all the old: together they have too much variance.": clean
        + (sigma_s * eps_hat + c * z),
        "Variances add, not standard deviations: sigma_s^2 = kept^2 + c^2.": clean
        + ((sigma_s - c) * eps_hat + c * z),
        "Old and fresh noise have changed places: c is the size of the fresh one.": clean
        + (kept * z + c * eps_hat),
        "x holds alpha times x0, not x0: subtract alpha * x0_hat.": clean
        + (kept * (x - x0_hat) / sigma + c * z),
        "x - alpha x0_hat is the noise times sigma: divide by sigma.": clean
        + (kept * left + c * z),
        "You mixed for the level `now` again; the sample shall reach `then`.": alpha * x0_hat
        + ((sigma**2 - c**2) ** 0.5 * eps_hat + c * z),
        "That is DDIM, c = 0. With c > 0 a part of the noise is fresh: add c * z, keep less.": clean
        + sigma_s * eps_hat,
        "sigma_s^2 - c^2 is the variance of what is kept: take its root.": clean
        + (kept**2 * eps_hat + c * z),
    }
    for why, wrong in slips.items():
        reject(got, wrong, why)
    expect(
        got, alpha_s * x0_hat + kept * eps_hat + c * z, "Predict the noise, then mix for `then`."
    )
    expect(
        call(my_step, x, x0_hat, now, (1.0, 0.0), 0.0, z),
        x0_hat,
        "At the level (1, 0) nothing but the prediction may be left.",
    )
    return "One formula: c = 0 is DDIM, c of the posterior's size is DDPM."


def std_after(a: float, levels) -> float:
    """Return the standard deviation of DDIM's samples for data N(0, a^2)."""
    std = 1.0
    for (alpha, sigma), (alpha_s, sigma_s) in pairwise(levels):
        g = alpha * a**2 / (alpha**2 * a**2 + sigma**2)
        std *= abs(alpha_s * g + sigma_s * (1 - alpha * g) / sigma)
    return std


def _as_if_independent(a: float, levels) -> float:
    std = 1.0
    for (alpha, sigma), (alpha_s, sigma_s) in pairwise(levels):
        g = alpha * a**2 / (alpha**2 * a**2 + sigma**2)
        std *= ((alpha_s * g) ** 2 + (sigma_s * (1 - alpha * g) / sigma) ** 2) ** 0.5
    return std


LEVELS = [(0.1, 0.99**0.5), (0.6, 0.8), (0.9, 0.19**0.5), (1.0, 0.0)]
OTHER_LEVELS = [
    [*((alpha, (1 - alpha**2) ** 0.5) for alpha in alphas), (1.0, 0.0)]
    for alphas in ((0.2, 0.5, 0.8), (0.05, 0.4, 0.7), (0.15, 0.7, 0.95), (0.3, 0.6, 0.8))
]


@exercise(3, "What large steps do to a Gaussian", level="derive", minutes=20)
def gaussian_std(my_std):
    a, levels = pick(0.5, (0.4, 0.7, 1.5)), pick(LEVELS, OTHER_LEVELS, seed=1)
    got, right = float(call(my_std, a, levels)), std_after(a, levels)

    def close(value):
        return {"wrong": value, "tolerance": 1e-6}

    reject(got, **close(right**2), why="That is the variance; its root is asked for.")
    reject(got, **close(a), why="That is the data's own. Large steps miss it: follow each of them.")
    reject(
        got,
        **close(std_after(a, [levels[0], levels[-1]])),
        why="That is one step from first to last level; the levels between count, too.",
    )
    reject(
        got,
        **close(std_after(a, levels[:-1])),
        why="The last step, to (1, 0), is missing.",
    )
    reject(
        got,
        **close(std_after(a**0.5, levels)),
        why="a is a standard deviation: the data's variance in the gain is a squared.",
    )
    reject(
        got,
        **close(_as_if_independent(a, levels)),
        why="Both predictions are made of the same x: add their factors, not their variances.",
    )
    expect(got, right, "Each step multiplies by alpha_s g + sigma_s (1 - alpha g) / sigma.")
    fine = [(float(torch.cos(v)), float(torch.sin(v))) for v in torch.linspace(1.56, 0.0, 400)]
    expect(
        float(call(my_std, a, fine)), std_after(a, fine), "Right for three steps, but not for 399."
    )
    return f"With three steps {right:.2f} instead of {a}; with 399 it is {std_after(a, fine):.3f}."


@exercise(4, "Heun", level="code", minutes=20)
def heun_step(my_heun):
    centres, x = draw(3, 2, seed=4), draw(5, 2)
    now, then = (0.6, 0.8), (0.8, 0.6)

    def denoise(x, level):
        alpha, sigma = level
        weights = (-torch.cdist(x, alpha * centres).square() / (2 * sigma**2)).softmax(dim=1)
        return weights @ centres

    def velocity(x, level):
        return (x - level[0] * denoise(x, level)) / level[1]

    h = then[1] / then[0] - now[1] / now[0]
    z, first = x / now[0], velocity(x, now)
    trial = then[0] * (z + h * first)
    second = velocity(trial, then)
    got, back = call(my_heun, denoise, x, now, then), then[0]
    slips = {
        "That is Euler's step. Look at its end, and take the mean of both.": trial,
        "You took the velocity at the end alone; the mean of start and end is asked for.": back
        * (z + h * second),
        "The two velocities were added: halve their sum.": back * (z + h * (first + second)),
        "That is z, not x: multiply by alpha of the level `then`.": z + h * (first + second) / 2,
        "The trial point lies at the level `then`, but the denoiser was given `now`.": back
        * (z + h * (first + velocity(trial, now)) / 2),
        "The denoiser was shown z, not x: multiply the trial point by alpha first.": back
        * (z + h * (first + velocity(z + h * first, then)) / 2),
        "The time runs backwards here: h is the new time less the old, and negative.": back
        * (z - h * (first + velocity(back * (z - h * first), then)) / 2),
    }
    by_sigma = then[1] - now[1]
    slips |= {
        "The trial point was evaluated with the sigma of `now`: divide by that of `then`.": back
        * (z + h * (first + second * then[1] / now[1]) / 2),
        "Your time is sigma, but that of this ODE is sigma / alpha.": back
        * (z + by_sigma * (first + velocity(back * (z + by_sigma * first), then)) / 2),
        "The start was not turned into z: divide x by alpha of the level `now`.": back
        * (x + h * (first + velocity(back * (x + h * first), then)) / 2),
        "You came back with alpha of `now`, but you are at the level `then`.": now[0]
        * (z + h * (first + second) / 2),
    }
    for why, wrong in slips.items():
        reject(got, wrong, why)
    expect(got, then[0] * (z + h * (first + second) / 2), "Mean of the velocities at both ends.")
    return "Two looks a step, and an error that falls with the square of its size."


@exercise(5, "Eight calls", level="explore", minutes=20)
def eight_calls(my_times):
    times = [float(t) for t in my_times]
    reject_if(
        len(times) != STEPS + 1,
        f"Eight steps have nine stops, with 1000 and 0, but your list has {len(times)}.",
    )
    reject_if(times[0] != 1000 or times[-1] != 0, "The first stop is 1000, the last one is 0.")
    try:
        error = error_of(times)
    except ConfigError as problem:
        reject_if(True, f"The times must fall: {problem}")
    errors = error_by_interval(times) if error >= LIMIT else [0.0]
    worst = max(range(len(errors)), key=errors.__getitem__)
    upper = sum(t > 500 for t in times)
    reject_if(
        error >= LIMIT and upper >= 5,
        f"The error is {error:.3f}. {upper} of your stops lie above 500, where hardly anything "
        "happens: the points are noise there, whatever they will be.",
    )
    reject_if(
        error >= LIMIT and sum(0 < t < 200 for t in times) >= 5,
        f"The error is {error:.3f}. Most of your stops lie below 200; by then the points have "
        "chosen their heaps, and what went wrong before cannot be mended.",
    )
    reject_if(
        error >= LIMIT,
        f"The error is {error:.3f}; below {LIMIT} is possible. The step from {times[worst]:.0f} to "
        f"{times[min(worst + 1, STEPS)]:.0f} leads astray most: put a stop inside, and take one "
        "out where error_by_interval is small.",
    )
    return f"{error:.3f} with eight calls: where you look counts as much as how often."
