"""Denoisers: functions from a noisy sample to a prediction of the clean one.

Every denoiser is called as denoiser(x_t, t, label) and returns x0_hat, so that a sampler need
not know what is behind it: a formula, the data themselves, or a network.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError, ShapeError, choose
from .numerics import append_dims, network_time
from .paths import ROUNDING, Path, levels_at
from .targets import TARGETS, to_x0


@runtime_checkable
class Denoiser(Protocol):
    """Anything that predicts the clean sample, E[x0 | x_t] at best."""

    def __call__(self, x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor: ...


def noisy_levels(
    path: Path, t: Num[Tensor, " b"], x_t: Float[Tensor, "b *axes"]
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Return alpha and sigma at times with noise, one for each sample.

    Raises:
        ShapeError: There is not one time per sample.
        ConfigError: A time is 0, where there is nothing to predict, or lies beyond T (looked at
            on the CPU alone).
    """
    if t.shape != x_t.shape[:1]:
        raise ShapeError(
            f"t must hold one time per sample: x_t has {len(x_t)} samples, but t has shape "
            f"{tuple(t.shape)}; use torch.full(({len(x_t)},), t) for one time for all."
        )
    if t.numel() and values_may_be_read(t):
        low, high = (end.item() for end in t.detach().aminmax())
        if not 0 < low <= high <= path.T * ROUNDING:
            raise ConfigError(
                f"t must lie above 0 and at most at T = {path.T}, but it ranges from {low:g} to "
                f"{high:g}; t = 0 is data and t = T is noise."
            )
    return path.levels(t)


def check_clip(clip: float | None) -> None:
    """Raise a ConfigError unless the bound that x0_hat is clipped to is above 0, or None."""
    if clip is not None and not clip > 0:
        raise ConfigError(f"clip must be above 0 or None, but it is {clip}; 1 is for images.")


class NetworkDenoiser:
    """Wrap a trained network as a denoiser, whatever it predicts.

    Args:
        model: Called as model(x_t, t / T) or model(x_t, t / T, label).
        path: The noise schedule, or other path, that it was trained with.
        target: What it predicts: "eps", "x0", "v" or "u".
        clip: Clip x0_hat to [-clip, clip], above 0; 1 for images, None for data without bounds.

    Raises:
        ConfigError: The target is unknown, clip is not above 0, or the target is "eps" and the path
            ends in noise alone: then eps says nothing about x0 there.
    """

    def __init__(
        self,
        model: Callable[..., Tensor],
        path: Path,
        target: str = "eps",
        clip: float | None = None,
    ) -> None:
        choose("target", target, TARGETS)
        if target == "eps" and levels_at(path, [path.T])[0].alpha == 0:
            raise ConfigError(
                "target must not be 'eps' on a path that ends in noise alone, where eps says "
                "nothing about x0, but it is; predict 'x0', 'v' or 'u'."
            )
        check_clip(clip)
        self.model, self.path, self.target, self.clip = model, path, target, clip

    @torch.no_grad()
    def __call__(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b *axes"]:
        """Return x0_hat."""
        alpha, sigma = (append_dims(level, x_t) for level in noisy_levels(self.path, t, x_t))
        condition = () if label is None else (label,)
        output = self.model(x_t, network_time(t, self.path.T, x_t), *condition)
        x0_hat = to_x0(self.target, output, x_t, alpha, sigma)
        return x0_hat if self.clip is None else x0_hat.clamp(-self.clip, self.clip)
