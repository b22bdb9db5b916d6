"""Samplers: from noise to data, one step at a time. Each is a generator that yields every step."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .grids import check_timesteps
from .process import noise_like, posterior
from .schedules import Schedule

VARIANCES = ("small", "large")


class Step(NamedTuple):
    """Where a sampler stands: the time, the samples there, and the guess that led there."""

    t: float
    x: Tensor
    x0_hat: Tensor


def ddpm_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    schedule: Schedule,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[int] | None = None,
    label: Int[Tensor, " b"] | None = None,
    variance: str = "small",
) -> Iterator[Step]:
    """Walk the chain backwards: guess x0, then draw x_s as if the guess were true.

    x_s ~ q(x_s | x_t, x0 = denoiser(x_t, t)), for each s < t in turn

    Args:
        denoiser: Called as denoiser(x_t, t, label); returns x0_hat.
        x_T: Standard normal noise to start from.
        schedule: The noise schedule.
        generator: Where the noise of each step comes from.
        timesteps: Falling times from T to 0; all of them if not given.
        label: One class per sample, handed to the denoiser.
        variance: "small" is the variance of q(x_s | x_t, x0), exact if x0 were known; "large" is
            that of one forward step, beta_t if s = t - 1. The last step adds no noise.

    Yields:
        A `Step` after each step; the last one has t = 0 and holds the samples.

    Raises:
        ConfigError: The timesteps do not fall from T to 0, or the variance is unknown.

    Source: Ho et al. 2020, algorithm 2 and section 3.2, arXiv:2006.11239; fewer steps: Nichol &
        Dhariwal 2021, section 4, arXiv:2102.09672.
    """
    timesteps = (
        list(range(schedule.T, -1, -1)) if timesteps is None else [int(t) for t in timesteps]
    )
    check_timesteps(timesteps, schedule)
    if variance not in VARIANCES:
        raise ConfigError(f'variance must be "small" or "large", but it is {variance!r}.')
    return _ddpm_steps(denoiser, x_T, schedule, generator, timesteps, label, variance)


def _ddpm_steps(denoiser, x, schedule, generator, timesteps, label, variance) -> Iterator[Step]:
    for now, before in pairwise(timesteps):
        t = torch.full(x.shape[:1], now, device=x.device)
        x0_hat = denoiser(x, t, label)
        x, std = posterior(x0_hat, x, t, schedule, torch.full_like(t, before))
        if before > 0:
            if variance == "large":
                ratio = schedule.alpha_bar[now] / schedule.alpha_bar[before]
                std = (1 - ratio).sqrt().to(x.dtype)
            x = x + std * noise_like(x, generator)
        yield Step(before, x, x0_hat)


def last(steps: Iterable[Step]) -> Tensor:
    """Run a sampler to its end and return the samples."""
    step = None
    for step in steps:  # noqa: B007
        pass
    if step is None:
        raise ConfigError("steps must hold at least one step, but the sampler yielded none.")
    return step.x
