"""How likely a sample is: the flow makes it noise, and counts how it stretches space on the way."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .grids import check_falling
from .paths import Path


def log_likelihood(
    denoiser: Denoiser,
    x: Float[Tensor, "b *axes"],
    path: Path,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, " b"]:
    """Return the natural logarithm of the density that the flow gives to samples.

    d log p(z) / dr = -div u(z, r), with z = x_t / (alpha + sigma), r = sigma / (alpha + sigma) and
    the velocity u = eps_hat - x0_hat; from the last of the times up to the first, where z is noise

    The divergence is exact: one backward pass for each number of a sample. Samples are taken to lie
    at the last of the times, so its noise counts as part of the data; let it be small.

    Args:
        denoiser: Called as denoiser(x_t, t, label); gradients must reach x_t (a `NetworkDenoiser`
            stops them; a `PreconditionedDenoiser` and the exact denoisers do not).
        x: Samples at the last of the times.
        path: A path on which nothing of the data is left at the first of the times, or nearly so.
        timesteps: Falling times, as for sampling; the last one above 0. Heun's method walks them
            upwards.
        label: One class per sample, or None.

    Returns:
        Nats. In bits per dimension: -value / (dimensions * log 2).

    Raises:
        ConfigError: The timesteps do not fall or end at 0, or no gradient reaches x_t.

    Source: Chen et al. 2018, theorem 1, arXiv:1806.07366; Song et al. 2021, section 4.3 and
        appendix D.2, arXiv:2011.13456.
    """
    times = check_falling(timesteps, path)[::-1]
    if times[0] == 0:
        raise ConfigError("timesteps must end above 0, where there is noise to see; try T / 1000.")
    levels = torch.stack(path.levels(torch.tensor(times, dtype=torch.float64)), dim=1).tolist()
    x = x.double()
    size = x[0].numel()
    (alpha, sigma), gained = levels[0], torch.zeros(len(x), dtype=torch.float64, device=x.device)
    z = x / (alpha + sigma)

    def slope(z: Tensor, place: int) -> tuple[Tensor, Tensor]:
        t = torch.full(z.shape[:1], times[place], dtype=torch.float64, device=z.device)
        return _velocity_and_divergence(denoiser, z, t, levels[place], label)

    clocks = [sigma / (alpha + sigma) for alpha, sigma in levels]
    for place in range(len(times) - 1):
        span = clocks[place + 1] - clocks[place]
        u, divergence = slope(z, place)
        u_end, divergence_end = slope(z + span * u, place + 1)
        z = z + span * (u + u_end) / 2
        gained = gained + span * (divergence + divergence_end) / 2
    alpha, sigma = levels[-1]
    scale = math.hypot(alpha, sigma) / (alpha + sigma)  # the size of z at the first time
    log_noise = -(z / scale).flatten(1).square().sum(1) / 2
    log_noise = log_noise - size * (math.log(2 * math.pi) / 2 + math.log(scale))
    start = sum(levels[0])
    return log_noise + gained - size * math.log(start)  # from z back to x


def _velocity_and_divergence(denoiser, z, t, level, label) -> tuple[Tensor, Tensor]:
    alpha, sigma = level
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
        divergence = torch.zeros(len(z), dtype=torch.float64, device=z.device)
        for axis in range(u.shape[1]):
            (row,) = torch.autograd.grad(u[:, axis].sum(), z, retain_graph=True)
            divergence = divergence + row.flatten(1)[:, axis]
    return u.detach().reshape(z.shape), divergence.detach()
