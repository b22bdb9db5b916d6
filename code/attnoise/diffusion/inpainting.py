"""Inpainting: keep the known part of a sample and draw the rest, with no further training."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError, DataError, ShapeError
from .denoisers import Denoiser
from .numerics import noise_like
from .paths import Path, level_pairs
from .samplers import Step, without_gradients
from .solvers import ddim_sample
from .timesteps import check_timesteps


def inpaint(
    denoiser: Denoiser,
    known: Float[Tensor, "b *axes"],
    mask: Bool[Tensor, "*shape"],
    path: Path,
    generator: torch.Generator,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    resample: int = 1,
) -> Iterator[Step]:
    """Inpaint by replacement or RePaint: keep the known part of each sample, sample the rest.

    After each step of `ddim_sample` with eta = 1 (ancestral sampling) the known part is replaced by
    alpha_s known + sigma_s eps. With resampling each step is then undone by forward noise,
    x_t = alpha_t / alpha_s x_s + sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2) eps,
    and taken again, so that the rest can settle on what the known part says.

    Args:
        denoiser: Called as denoiser(x_t, t, label).
        known: Clean samples; read only where the mask is True.
        mask: True = known; of known's shape, or of one sample's shape for all.
        path: The noise schedule, or another path to noise.
        generator: Where all noise comes from, that at the start included.
        timesteps: Falling times; see `make_timesteps`.
        label: One class per sample, handed to the denoiser.
        resample: How often each step is taken, but the one to t = 0: that is taken once.

    Yields:
        A `Step` after each step, repeated ones included. At t = 0 the known part is exact.

    Raises:
        ShapeError: The mask is not boolean or its shape does not fit.
        ConfigError: The timesteps do not fall, or resample is below 1.
        DataError: The known part holds NaN or infinity.

    Source: Lugmayr et al. 2022, algorithm 1, arXiv:2201.09865; replacement: Song et al. 2021,
        appendix I.2, arXiv:2011.13456.
    """
    if mask.dtype != torch.bool or mask.shape not in (known.shape, known.shape[1:]):
        raise ShapeError(
            f"mask must be boolean, True = known, and have the shape of known, "
            f"{tuple(known.shape)}, or of one sample, {tuple(known.shape[1:])}, but it has dtype "
            f"{mask.dtype} and shape {tuple(mask.shape)}; use mask.expand_as(known)."
        )
    at_hand = values_may_be_read(known)
    if at_hand and not bool(torch.isfinite(torch.where(mask, known, 0)).all()):
        raise DataError(
            "known must be finite where the mask is True, but it holds NaN or infinity."
        )
    if resample < 1:
        raise ConfigError(f"resample must be at least 1, but it is {resample}; 1 is replacement.")
    times = check_timesteps(timesteps, path)
    steps = _inpaint_steps(denoiser, known, mask, path, generator, times, label, resample)
    return without_gradients(steps)


def _inpaint_steps(
    denoiser: Denoiser,
    known: Float[Tensor, "b *axes"],
    mask: Bool[Tensor, "*shape"],
    path: Path,
    generator: torch.Generator,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None,
    resample: int,
) -> Iterator[Step]:
    x = noise_like(known, generator)
    for now, then in level_pairs(path, timesteps):
        ratio, repeats = now.alpha / then.alpha, resample if then.sigma > 0 else 1
        for repeat in range(repeats):
            if repeat:  # back to t, by forward noise
                added = math.sqrt(max(now.sigma**2 - (ratio * then.sigma) ** 2, 0.0))
                x = ratio * x + added * noise_like(x, generator)
            (step,) = ddim_sample(denoiser, x, path, generator, timesteps=[now.t, then.t],
                                  label=label, eta=1.0)  # fmt: skip
            noised = then.alpha * known + then.sigma * noise_like(x, generator)
            x = torch.where(mask, noised, step.x)
            yield Step(then.t, x, step.x0_hat)
