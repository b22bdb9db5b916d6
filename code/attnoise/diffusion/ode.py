"""The probability-flow ODE, solved by Euler's and Heun's methods in clocks that make it plain.

Along a path x_t = alpha(t) x0 + sigma(t) eps a denoiser's guess of x0 gives a guess of eps, too:
eps_hat = (x_t - alpha x0_hat) / sigma. The ODE moves x_t as if both were true:
dx / dt = alpha'(t) x0_hat + sigma'(t) eps_hat.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError, choose
from .denoisers import Denoiser
from .grids import check_falling
from .paths import Path
from .samplers import Step


class Clock(NamedTuple):
    """Coordinates in which the ODE is plain: the state z = x / scale moves with a target's value.

    dz / d(time) = velocity(x0_hat, eps_hat, alpha, sigma)
    """

    scale: Callable[[float, float], float]
    time: Callable[[float, float], float]
    velocity: Callable[..., Tensor]


# One clock for each thing that a network may predict: in its own clock, it is the velocity.
CLOCKS = {
    "sigma": Clock(  # eps. Karras et al. 2022, equation 1 with s(t) = 1
        lambda alpha, sigma: alpha,
        lambda alpha, sigma: sigma / alpha,
        lambda x0, eps, alpha, sigma: eps,
    ),
    "flow": Clock(  # u. Any path is a straight one, at another speed and size
        lambda alpha, sigma: alpha + sigma,
        lambda alpha, sigma: sigma / (alpha + sigma),
        lambda x0, eps, alpha, sigma: eps - x0,
    ),
    "angle": Clock(  # v. Salimans & Ho 2022, appendix D, arXiv:2202.00512
        math.hypot,
        lambda alpha, sigma: math.atan2(sigma, alpha),
        lambda x0, eps, alpha, sigma: (alpha * eps - sigma * x0) / math.hypot(alpha, sigma),
    ),
}


class Walk:
    """What all solvers share: the levels of every time, and the denoiser asked at one of them."""

    def __init__(self, denoiser: Denoiser, path: Path, times: list[float], label) -> None:
        self.denoiser, self.path, self.times, self.label = denoiser, path, times, label
        levels = path.levels(torch.tensor(times, dtype=torch.float64))
        self.levels = list(zip(*(level.tolist() for level in levels), strict=True))

    def guess(self, x: Tensor, t: float, alpha: float, sigma: float) -> tuple[Tensor, Tensor]:
        """Return x0_hat and eps_hat at a time."""
        t_all = torch.full(x.shape[:1], t, dtype=torch.float64, device=x.device)
        x0_hat = self.denoiser(x, t_all, self.label)
        return x0_hat, (x - alpha * x0_hat) / sigma

    def steps(self) -> Iterator[tuple[tuple, tuple]]:
        """Yield (t, alpha, sigma) at the start and at the end of each step."""
        return pairwise((t, *levels) for t, levels in zip(self.times, self.levels, strict=True))


def euler_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    clock: str = "angle",
) -> Iterator[Step]:
    """Solve the probability-flow ODE with Euler's method: follow the velocity in a straight line.

    z_s = z_t + (time_s - time_t) dz/dtime, for z = x / scale, in a clock

    Args:
        denoiser: Called as denoiser(x_t, t, label); returns x0_hat.
        x_T: Noise to start from, standard normal where the path ends.
        path: The noise schedule, or another path to noise.
        generator: Not used: no noise is added. Here for one signature with the other solvers.
        timesteps: Falling times; see `time_grid`.
        label: One class per sample, handed to the denoiser.
        clock: "sigma" is moved by eps, "flow" by u = eps - x0, "angle" by v. In the first two a
            step is one of `ddim_sample`.

    Yields:
        A `Step` after each step.

    Raises:
        ConfigError: The timesteps do not fall, the clock is unknown, or it is "sigma" and the start
            is noise alone, where it shows infinity.

    Source: Song et al. 2021, equation 13, arXiv:2011.13456.
    """
    walk = Walk(denoiser, path, check_falling(timesteps, path), label)
    return _ode_steps(walk, x_T, choose_clock(clock, walk), second_order=False)


def heun_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    clock: str = "sigma",
) -> Iterator[Step]:
    """Solve the probability-flow ODE with Heun's method: Euler's step, corrected by its end.

    z_s = z_t + (time_s - time_t) (velocity at t + velocity at Euler's z_s) / 2

    Two network calls a step; a step that ends at t = 0, where there is no noise to see, is Euler's.

    The arguments are those of `euler_sample`.

    Raises:
        ConfigError: The timesteps do not fall or there are fewer than two steps, the clock is
            unknown, or it is "sigma" and the start is noise alone.

    Source: Karras et al. 2022, algorithm 1, arXiv:2206.00364.
    """
    walk = Walk(denoiser, path, check_falling(timesteps, path, order=2), label)
    return _ode_steps(walk, x_T, choose_clock(clock, walk), second_order=True)


def choose_clock(name: str, walk: Walk) -> Clock:
    """Return a clock by its name, if it shows a finite time all along the way."""
    clock = choose("clock", name, CLOCKS)
    if name == "sigma" and any(alpha == 0 for alpha, _ in walk.levels):
        raise ConfigError(
            "clock must not be 'sigma' on a way from or to noise alone (alpha = 0), since "
            "sigma / alpha is infinite there, but it is; use 'flow' or 'angle'."
        )
    return clock


def _ode_steps(walk: Walk, x: Tensor, clock: Clock, second_order: bool) -> Iterator[Step]:
    for (t, *now), (s, *then) in walk.steps():
        x, x0_hat = ode_step(walk, x, (t, now), (s, then), clock, second_order and then[1] > 0)
        yield Step(s, x, x0_hat)


def ode_step(walk: Walk, x: Tensor, start, end, clock: Clock, corrected: bool):
    """Take one step of Euler, or of Heun, between two (time, (alpha, sigma)); return x, x0_hat."""
    (t, now), (s, then) = start, end
    x0_hat, eps_hat = walk.guess(x, t, *now)
    velocity = clock.velocity(x0_hat, eps_hat, *now)
    z, span = x / clock.scale(*now), clock.time(*then) - clock.time(*now)
    x = clock.scale(*then) * (z + span * velocity)
    if corrected:
        at_end = clock.velocity(*walk.guess(x, s, *then), *then)
        x = clock.scale(*then) * (z + span * (velocity + at_end) / 2)
    return x, x0_hat


def invert(
    denoiser: Denoiser,
    x0: Float[Tensor, "b *axes"],
    path: Path,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    clock: str = "sigma",
) -> Iterator[Step]:
    """Walk the ODE upwards, with Heun's method, from samples to the noise that leads to them.

    Args:
        x0: Samples at the first of the times.
        timesteps: Rising times; the first must lie above 0, since there is nothing to see at 0.

    The other arguments are those of `euler_sample`.

    Raises:
        ConfigError: The timesteps do not rise or begin at 0, or the clock is unknown.

    Source: Song et al. 2021, section 4.3, arXiv:2010.02502, there with Euler's method.
    """
    times = check_falling(list(timesteps)[::-1], path)[::-1]
    if times[0] == 0:
        raise ConfigError(
            "timesteps must begin above 0, where there is noise to see, but they begin at 0; "
            "begin at T / 1000."
        )
    walk = Walk(denoiser, path, times, label)
    return _ode_steps(walk, x0, choose_clock(clock, walk), second_order=True)
