"""Solvers that need few steps, or add noise on the way: DDIM, EDM's sampler, DPM-Solver++(2M)."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .grids import check_falling
from .ode import Clock, Walk, choose_clock, ode_step
from .paths import Path
from .process import noise_like
from .samplers import Step


def ddim_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    eta: float = 0.0,
) -> Iterator[Step]:
    """Guess x0 and the noise, and mix them anew for the next, lower noise level.

    x_s = alpha_s x0_hat + sqrt(sigma_s^2 - c^2) eps_hat + c z,
    c = eta sigma_s / sigma_t sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2)

    Args:
        denoiser: Called as denoiser(x_t, t, label); returns x0_hat.
        x_T: Noise to start from, standard normal where the path ends.
        path: The noise schedule, or another path to noise.
        generator: Where fresh noise comes from.
        timesteps: Falling times; see `time_grid`.
        label: One class per sample, handed to the denoiser.
        eta: How much of each step's noise is fresh: 0 solves the ODE, with Euler's method in the
            clocks "sigma" and "flow"; 1 is `ddpm_sample` with its small variance.

    Yields:
        A `Step` after each step. Where it ends at 0, x = x0_hat and no noise is added.

    Raises:
        ConfigError: The timesteps do not fall, or eta lies outside [0, 1].

    Source: Song et al. 2021, equations 12 and 16, arXiv:2010.02502.
    """
    if not 0 <= eta <= 1:
        raise ConfigError(f"eta must lie between 0 and 1, but it is {eta}; 0 adds no noise.")
    times = check_falling(timesteps, path)
    return _ddim_steps(Walk(denoiser, path, times, label), x_T, generator, eta)


def _ddim_steps(walk: Walk, x: Tensor, generator, eta: float) -> Iterator[Step]:
    for (t, alpha, sigma), (s, alpha_s, sigma_s) in walk.steps():
        x0_hat, eps_hat = walk.guess(x, t, alpha, sigma)
        fresh = eta * sigma_s / sigma * math.sqrt(sigma**2 - (alpha / alpha_s * sigma_s) ** 2)
        x = alpha_s * x0_hat + math.sqrt(max(sigma_s**2 - fresh**2, 0.0)) * eps_hat
        if fresh > 0:
            x = x + fresh * noise_like(x, generator)
        yield Step(s, x, x0_hat)


def edm_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    churn: float = 10.0,
    noise: float = 1.0,
    between: tuple[float, float] = (0.05, 50.0),
) -> Iterator[Step]:
    """Take each step of Heun from a little higher: first add noise, then remove more.

    In the clock "sigma": s_hat = s (1 + gamma), gamma = min(churn / steps, sqrt(2) - 1), and
    z_hat = z + noise sqrt(s_hat^2 - s^2) n, n standard normal; then Heun's step from s_hat.

    Args:
        churn: How much noise is added and removed on the whole way; 0 is `heun_sample`.
        noise: Standard deviation of n; a little above 1 makes up for networks that remove too much.
        between: The levels sigma / alpha at which noise is added.

    The other arguments are those of `ddim_sample`. No level is raised above that at T.

    Raises:
        ConfigError: The timesteps do not fall or there are fewer than two steps, churn or noise is
            below 0, or the start is noise alone.

    Source: Karras et al. 2022, algorithm 2, arXiv:2206.00364.
    """
    if churn < 0 or noise < 0:
        raise ConfigError(f"churn and noise must be at least 0, but are {churn} and {noise}.")
    walk = Walk(denoiser, path, check_falling(timesteps, path, order=2), label)
    clock = choose_clock("sigma", walk)
    gamma = min(churn / (len(walk.times) - 1), math.sqrt(2) - 1)
    return _edm_steps(walk, x_T, generator, clock, (gamma, noise, between))


def _edm_steps(walk: Walk, x: Tensor, generator, clock: Clock, settings) -> Iterator[Step]:
    gamma, noise, (low, high) = settings
    for (t, *now), (s, *then) in walk.steps():
        level = clock.time(*now)
        if gamma and low <= level <= high:
            z = x / now[0]
            t = float(walk.path.time_of(torch.tensor(level * (1 + gamma), dtype=torch.float64)))
            now = [float(v) for v in walk.path.levels(torch.tensor(t, dtype=torch.float64))]
            added = math.sqrt(max(clock.time(*now) ** 2 - level**2, 0.0))
            x = now[0] * (z + noise * added * noise_like(x, generator))
        x, x0_hat = ode_step(walk, x, (t, now), (s, then), clock, then[1] > 0)
        yield Step(s, x, x0_hat)


def dpm_solver_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Iterator[Step]:
    """DPM-Solver++(2M): one network call a step, and second order by remembering the last guess.

    x_s = sigma_s / sigma_t x_t - alpha_s (e^{-h} - 1) D, with lambda = log(alpha / sigma),
    h = lambda_s - lambda_t, r = h_before / h, D = (1 + 1/(2r)) x0_hat - 1/(2r) x0_hat_before

    The first step, and one that ends at t = 0, are of first order: D = x0_hat, a step of DDIM.

    The arguments are those of `ddim_sample`; no noise is added.

    Raises:
        ConfigError: The timesteps do not fall, or there are fewer than two steps.

    Source: Lu et al. 2022, algorithm 2, arXiv:2211.01095.
    """
    walk = Walk(denoiser, path, check_falling(timesteps, path, order=2), label)
    return _dpm_solver_steps(walk, x_T)


def _dpm_solver_steps(walk: Walk, x: Tensor) -> Iterator[Step]:
    before, shrunk_before = None, 1.0  # the last guess, and e^{-h} of the last step
    for (t, alpha, sigma), (s, alpha_s, sigma_s) in walk.steps():
        x0_hat, _ = walk.guess(x, t, alpha, sigma)
        shrunk = alpha * sigma_s / (alpha_s * sigma)  # e^{-h}
        D = x0_hat
        if before is not None and 0 < shrunk and 0 < shrunk_before:
            half = math.log(shrunk) / math.log(shrunk_before) / 2  # 1 / (2r)
            D = (1 + half) * x0_hat - half * before
        x = sigma_s / sigma * x - alpha_s * (shrunk - 1) * D
        before, shrunk_before = x0_hat, shrunk
        yield Step(s, x, x0_hat)
