"""Log-likelihood of samples under the probability-flow ODE, by the change of variables."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .numerics import batch_of, float_dtype
from .paths import Level, Path, levels_at
from .samplers import check_start
from .timesteps import check_timesteps


def log_likelihood(
    denoiser: Denoiser,
    x: Float[Tensor, "b *axes"],
    path: Path,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, " b"]:
    """Return the log-likelihood of samples under the probability-flow ODE, in nats.

    d log p(z) / dr = -div u(z, r), with z = x_t / (alpha + sigma), r = sigma / (alpha + sigma) and
    the velocity u = eps_hat - x0_hat; from the last of the times up to the first, where z is noise

    The divergence is exact: one backward pass for each number of a sample. Samples are taken to lie
    at the last of the times, so its noise counts as part of the data; let it be small.

    Args:
        denoiser: Called as denoiser(x_t, t, label); gradients must reach x_t (a `NetworkDenoiser`
            stops them; a `PreconditionedDenoiser` and the exact denoisers do not).
        x: Samples at the last of the times. The denoiser is asked in their dtype; the rest is
            float64 where their device has it.
        path: A path on which nothing of the data is left at the first of the times, or nearly so.
        timesteps: Falling times, as for sampling; the last one above 0. Heun's method takes them
            upwards.
        label: One class per sample, or None.

    Returns:
        Nats. In bits per dimension: -value / (dimensions * log 2).

    Raises:
        ConfigError: The timesteps do not fall or end at 0, or no gradient reaches x_t.
        DataError: x holds NaN or infinity.

    Source: Chen et al. 2018, theorem 1, arXiv:1806.07366; Song et al. 2021, section 4.3 and
        appendix D.2, arXiv:2011.13456.
    """
    times = check_timesteps(timesteps, path)[::-1]
    if times[0] == 0:
        raise ConfigError("timesteps must end above 0, where there is noise to see; try T / 1000.")
    levels = levels_at(path, times)
    check_start("x", x, label)
    dtype = x.dtype
    x = x.to(float_dtype(x.device))

    def ask(x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        return denoiser(x_t.to(dtype), t, label).to(x.dtype)

    size, first, final = x[0].numel(), levels[0], levels[-1]
    z = x / (first.alpha + first.sigma)
    gained = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for now, then in pairwise(levels):  # Heun's method, upwards
        step = then.sigma / (then.alpha + then.sigma) - now.sigma / (now.alpha + now.sigma)
        u, divergence = _velocity_and_divergence(ask, z, now, label)
        u_end, divergence_end = _velocity_and_divergence(ask, z + step * u, then, label)
        z = z + step * (u + u_end) / 2
        gained = gained + step * (divergence + divergence_end) / 2
    # the standard deviation of z at the first time
    scale = math.hypot(final.alpha, final.sigma) / (final.alpha + final.sigma)
    log_noise = -(z / scale).flatten(1).square().sum(1) / 2
    log_noise = log_noise - size * (math.log(2 * math.pi) / 2 + math.log(scale))
    return log_noise + gained - size * math.log(first.alpha + first.sigma)  # from z back to x


def _velocity_and_divergence(
    denoiser: Denoiser,
    z: Float[Tensor, "b *axes"],
    level: Level,
    label: Int[Tensor, " b"] | None,
) -> tuple[Float[Tensor, "b *axes"], Float[Tensor, " b"]]:
    t, alpha, sigma = batch_of(level.t, z), level.alpha, level.sigma
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        x_t = (alpha + sigma) * z
        x0_hat = denoiser(x_t, t, label)
        u = ((x_t - alpha * x0_hat) / sigma - x0_hat).flatten(1)
        if not x0_hat.requires_grad:
            raise ConfigError(
                "denoiser must let gradients reach x_t, but its answer has none; wrap a network "
                "in PreconditionedDenoiser, or in a function without torch.no_grad."
            )
        divergence = torch.zeros(len(z), dtype=z.dtype, device=z.device)
        for axis in range(u.shape[1]):
            (row,) = torch.autograd.grad(u[:, axis].sum(), z, retain_graph=True)
            divergence = divergence + row.flatten(1)[:, axis]
    return u.detach().reshape(z.shape), divergence.detach()
