"""The probability-flow ODE, solved by Euler's and Heun's methods in three time parametrisations.

Along a path x_t = alpha(t) x0 + sigma(t) eps a denoiser's x0_hat gives a prediction of eps, too:
eps_hat = (x_t - alpha x0_hat) / sigma. The ODE moves x_t as if both were true:
dx / dt = alpha'(t) x0_hat + sigma'(t) eps_hat.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError, choose
from .denoisers import Denoiser
from .numerics import batch_of
from .paths import Level, Path, level_pairs, levels_at
from .samplers import Step, check_start, sampler, without_gradients
from .timesteps import check_timesteps


class Parametrisation(NamedTuple):
    """Coordinates in which the ODE is simple: dz / dr = velocity, for z = x / scale and time r."""

    scale: Callable[[Level], float]
    time: Callable[[Level], float]
    velocity: Callable[[Tensor, Tensor, Level], Tensor]  # of x, x0_hat and where they are


def _eps(x: Tensor, x0_hat: Tensor, level: Level) -> Tensor:
    return (x - level.alpha * x0_hat) / level.sigma


def _u(x: Tensor, x0_hat: Tensor, level: Level) -> Tensor:
    return _eps(x, x0_hat, level) - x0_hat


def _v(x: Tensor, x0_hat: Tensor, level: Level) -> Tensor:
    v = level.alpha * _eps(x, x0_hat, level) - level.sigma * x0_hat
    return v / math.hypot(level.alpha, level.sigma)


# In each, the velocity is something that a network may predict: eps, u or v.
PARAMETRISATIONS = {
    # Variance exploding: Karras et al. 2022, equation 1 with s(t) = 1
    "ve": Parametrisation(lambda at: at.alpha, lambda at: at.ratio, _eps),
    # Rectified flow. Any path is a straight one, at another speed and size
    "flow": Parametrisation(
        lambda at: at.alpha + at.sigma, lambda at: at.sigma / (at.alpha + at.sigma), _u
    ),
    # Trigonometric: Salimans & Ho 2022, appendix D, arXiv:2202.00512
    "trig": Parametrisation(
        lambda at: math.hypot(at.alpha, at.sigma), lambda at: math.atan2(at.sigma, at.alpha), _v
    ),
}


def check_parametrisation(path: Path, timesteps: Sequence[float | int], name: str) -> None:
    """Raise a ConfigError unless the time parametrisation is known and finite at all times."""
    choose("parametrisation", name, PARAMETRISATIONS)
    if name == "ve" and any(level.alpha == 0 for level in levels_at(path, timesteps)):
        raise ConfigError(
            "parametrisation must not be 've' from or to noise alone (alpha = 0), since "
            "sigma / alpha is infinite there, but it is; use 'flow' or 'trig'."
        )


def _check_euler(path: Path, timesteps: list, *, parametrisation: str = "trig") -> None:
    check_parametrisation(path, timesteps, parametrisation)


def _check_heun(path: Path, timesteps: list, *, parametrisation: str = "ve") -> None:
    check_parametrisation(path, timesteps, parametrisation)


@sampler(check=_check_euler)
def euler_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    parametrisation: str = "trig",
) -> Iterator[Step]:
    """Sample by Euler's method on the probability-flow ODE: one straight step along the velocity.

    z_s = z_t + (r_s - r_t) dz/dr, for z = x / scale and the time r of a parametrisation

    Args:
        denoiser: Called as denoiser(x_t, t, label); returns x0_hat.
        x_T: Noise to start from, standard normal where the path ends.
        path: The noise schedule, or another path to noise.
        generator: Not used: no noise is added. Here for one signature with the other samplers.
        timesteps: Falling times; see `make_timesteps`.
        label: One class per sample, handed to the denoiser.
        parametrisation: "ve", r = sigma / alpha, moved by eps; "flow", r = sigma / (alpha + sigma),
            moved by u = eps - x0; or "trig", r = atan(sigma / alpha), moved by v. In the first two
            a step is one of `ddim_sample`.

    Yields:
        A `Step` after each step.

    Raises:
        ConfigError: The timesteps do not fall, the parametrisation is unknown, or it is "ve" and
            the start is noise alone, where r is infinite.

    Source: Song et al. 2021, equation 13, arXiv:2011.13456.
    """
    ode, x = PARAMETRISATIONS[parametrisation], x_T
    for now, then in level_pairs(path, timesteps):
        x0_hat = denoiser(x, batch_of(now.t, x), label)
        velocity = ode.velocity(x, x0_hat, now)
        z = x / ode.scale(now) + (ode.time(then) - ode.time(now)) * velocity
        x = ode.scale(then) * z
        yield Step(then.t, x, x0_hat)


@sampler(order=2, check=_check_heun)
def heun_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    parametrisation: str = "ve",
) -> Iterator[Step]:
    """Sample by Heun's method on the probability-flow ODE: Euler's step, corrected by its end.

    z_s = z_t + (r_s - r_t) (velocity at t + velocity at Euler's z_s) / 2

    Two network calls a step; a step that ends at t = 0, where there is no noise to see, is Euler's.

    The arguments are those of `euler_sample`.

    Raises:
        ConfigError: The timesteps do not fall or there are fewer than two steps, the
            parametrisation is unknown, or it is "ve" and the start is noise alone.

    Source: Karras et al. 2022, algorithm 1, arXiv:2206.00364.
    """
    ode, x = PARAMETRISATIONS[parametrisation], x_T
    for now, then in level_pairs(path, timesteps):
        step = ode.time(then) - ode.time(now)
        x0_hat = denoiser(x, batch_of(now.t, x), label)
        z, velocity = x / ode.scale(now), ode.velocity(x, x0_hat, now)
        x = ode.scale(then) * (z + step * velocity)
        if then.sigma > 0:
            at_end = ode.velocity(x, denoiser(x, batch_of(then.t, x), label), then)
            x = ode.scale(then) * (z + step * (velocity + at_end) / 2)
        yield Step(then.t, x, x0_hat)


def invert(
    denoiser: Denoiser,
    x0: Float[Tensor, "b *axes"],
    path: Path,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    parametrisation: str = "ve",
) -> Iterator[Step]:
    """Invert the sampler (DDIM inversion): solve the ODE upwards, from samples to their noise.

    Args:
        x0: Samples at the first of the times.
        timesteps: Rising times; the first must lie above 0, since there is nothing to see at 0.

    The other arguments are those of `euler_sample`; the method is Heun's.

    Raises:
        ConfigError: The timesteps do not rise or begin at 0, or the parametrisation is unknown.

    Source: Song et al. 2021, section 4.3, arXiv:2010.02502, there with Euler's method.
    """
    times = check_timesteps(list(timesteps)[::-1], path)[::-1]
    if times[0] == 0:
        raise ConfigError(
            "timesteps must begin above 0, where there is noise to see, but they begin at 0; "
            "begin at T / 1000."
        )
    check_start("x0", x0, label)
    check_parametrisation(path, times, parametrisation)
    heun_steps = inspect.unwrap(heun_sample)  # without the checks, which want falling times
    return without_gradients(
        heun_steps(
            denoiser, x0, path, timesteps=times, label=label, parametrisation=parametrisation
        )
    )
