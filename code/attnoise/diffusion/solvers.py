"""Samplers that need few steps, or add noise on the way: DDIM, EDM's sampler, DPM-Solver++(2M)."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .numerics import batch_of, noise_like
from .ode import check_parametrisation
from .paths import Path, level_pairs, levels_at
from .samplers import Step, sampler


def _check_ddim(path: Path, timesteps: list, *, eta: float = 0.0) -> None:
    if not 0 <= eta <= 1:
        raise ConfigError(f"eta must lie between 0 and 1, but it is {eta}; 0 adds no noise.")


@sampler(check=_check_ddim)
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
    """Sample with DDIM: predict x0 and the noise, and mix them anew for the next noise level.

    x_s = alpha_s x0_hat + sqrt(sigma_s^2 - c^2) eps_hat + c z,
    c = eta sigma_s / sigma_t sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2)

    Args:
        denoiser: Called as denoiser(x_t, t, label); returns x0_hat.
        x_T: Noise to start from, standard normal where the path ends.
        path: The noise schedule, or another path to noise.
        generator: Where fresh noise comes from.
        timesteps: Falling times; see `make_timesteps`.
        label: One class per sample, handed to the denoiser.
        eta: How much of each step's noise is fresh: 0 solves the ODE, with Euler's method in the
            parametrisations "ve" and "flow"; 1 is `ddpm_sample` with its small variance.

    Yields:
        A `Step` after each step. Where it ends at 0, x = x0_hat and no noise is added.

    Raises:
        ConfigError: The timesteps do not fall, or eta lies outside [0, 1].

    Source: Song et al. 2021, equations 12 and 16, arXiv:2010.02502.
    """
    x = x_T
    for (t, alpha, sigma), (s, alpha_s, sigma_s) in level_pairs(path, timesteps):
        x0_hat = denoiser(x, batch_of(t, x), label)
        eps_hat = (x - alpha * x0_hat) / sigma
        fresh = eta * sigma_s / sigma * math.sqrt(sigma**2 - (alpha / alpha_s * sigma_s) ** 2)
        x = alpha_s * x0_hat + math.sqrt(max(sigma_s**2 - fresh**2, 0.0)) * eps_hat
        if fresh > 0:
            x = x + fresh * noise_like(x, generator)
        yield Step(s, x, x0_hat)


def _check_edm(
    path: Path,
    timesteps: list,
    *,
    churn: float = 10.0,
    noise: float = 1.0,
    between: tuple[float, float] = (0.05, 50.0),
) -> None:
    if not (churn >= 0 and noise >= 0):
        raise ConfigError(f"churn and noise must be at least 0, but are {churn} and {noise}.")
    if not (len(between) == 2 and between[0] <= between[1]):
        raise ConfigError(
            f"between must be two levels, the lower one first, but it is {between}; (0.05, 50) "
            "is usual for images."
        )
    check_parametrisation(path, timesteps, "ve")


@sampler(order=2, check=_check_edm)
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
    """Sample with EDM's stochastic sampler: add a little noise, then take a step of Heun's method.

    With z = x / alpha and its noise level r = sigma / alpha: r_hat = r (1 + gamma),
    gamma = min(churn / steps, sqrt(2) - 1), and z_hat = z + noise sqrt(r_hat^2 - r^2) n, n standard
    normal; then Heun's step from r_hat.

    Args:
        churn: How much noise is added and removed over all steps (S_churn); 0 is `heun_sample`.
        noise: Standard deviation of n (S_noise); a little above 1 makes up for networks that
            remove too much.
        between: The levels r at which noise is added (S_tmin, S_tmax).

    The other arguments are those of `ddim_sample`. No level is raised above that at T.

    Raises:
        ConfigError: The timesteps do not fall or there are fewer than two steps, churn or noise is
            below 0, or the start is noise alone.

    Source: Karras et al. 2022, algorithm 2, arXiv:2206.00364.
    """
    x, gamma = x_T, min(churn / (len(timesteps) - 1), math.sqrt(2) - 1)
    for now, then in level_pairs(path, timesteps):
        z = x / now.alpha
        if gamma and between[0] <= now.ratio <= between[1]:
            raised = torch.tensor([now.ratio * (1 + gamma)], dtype=torch.float64, device="cpu")
            (hat,) = levels_at(path, path.time_of(raised).tolist())
            added = math.sqrt(max(hat.ratio**2 - now.ratio**2, 0.0))
            z, now = z + noise * added * noise_like(x, generator), hat
        step = then.ratio - now.ratio
        x0_hat = denoiser(now.alpha * z, batch_of(now.t, x), label)
        slope = (z - x0_hat) / now.ratio
        x = then.alpha * (z + step * slope)
        if then.sigma > 0:
            slope_end = (x / then.alpha - denoiser(x, batch_of(then.t, x), label)) / then.ratio
            x = then.alpha * (z + step * (slope + slope_end) / 2)
        yield Step(then.t, x, x0_hat)


@sampler(order=2)
def dpm_solver_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Iterator[Step]:
    """Sample with DPM-Solver++(2M): second order with one network call a step.

    x_s = sigma_s / sigma_t x_t - alpha_s (e^{-h} - 1) D, with lambda = log(alpha / sigma),
    h = lambda_s - lambda_t, r = h_before / h, D = (1 + 1/(2r)) x0_hat - 1/(2r) x0_hat_before

    x0_hat_before is the prediction of the step before. The first step, and one that ends at t = 0,
    are of first order: D = x0_hat, a step of DDIM.

    The arguments are those of `ddim_sample`; no noise is added.

    Raises:
        ConfigError: The timesteps do not fall, or there are fewer than two steps.

    Source: Lu et al. 2022, algorithm 2, arXiv:2211.01095.
    """
    x, before, shrunk_before = x_T, None, 1.0  # the last prediction, and e^{-h} of the last step
    for (t, alpha, sigma), (s, alpha_s, sigma_s) in level_pairs(path, timesteps):
        x0_hat = denoiser(x, batch_of(t, x), label)
        shrunk = alpha * sigma_s / (alpha_s * sigma)  # e^{-h}
        D = x0_hat
        if before is not None and 0 < shrunk and 0 < shrunk_before:
            half = math.log(shrunk) / math.log(shrunk_before) / 2  # 1 / (2r)
            D = (1 + half) * x0_hat - half * before
        x = sigma_s / sigma * x - alpha_s * (shrunk - 1) * D
        before, shrunk_before = x0_hat, shrunk
        yield Step(s, x, x0_hat)
