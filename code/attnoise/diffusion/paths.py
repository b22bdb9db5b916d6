"""The path from data to noise, as every sampler sees it: alpha and sigma at each time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Num
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError
from .numerics import float_dtype

ROUNDING = 1 + 1e-6  # a T that is no whole number is rounded in float32


@runtime_checkable
class Path(Protocol):
    """A path from data to noise, x_t = alpha(t) x0 + sigma(t) eps: all that a sampler must know."""

    @property
    def T(self) -> float | int:
        """The time of noise; t = 0 is data."""

    def levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and sigma at each time: float64 where t's device has it, else float32."""

    def time_of(self, ratio: Tensor) -> Tensor:
        """Return the time at which sigma / alpha is so large."""


class Level(NamedTuple):
    """A time and the coefficients of x_t = alpha x0 + sigma eps there, as Python numbers."""

    t: float | int
    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """sigma / alpha: the noise level of x_t / alpha."""
        return self.sigma / self.alpha


def levels_at(path: Path, timesteps: Sequence[float | int]) -> list[Level]:
    """Look the coefficients of all times up at once, on the CPU and in float64."""
    alpha, sigma = path.levels(torch.tensor(timesteps, dtype=torch.float64, device="cpu"))
    return [Level(*row) for row in zip(timesteps, alpha.tolist(), sigma.tolist(), strict=True)]


def level_pairs(path: Path, timesteps: Sequence[float | int]) -> Iterator[tuple[Level, Level]]:
    """Yield the levels at the start and at the end of each sampling step."""
    return pairwise(levels_at(path, timesteps))


def check_range(t: Num[Tensor, "*b"], T: float | int) -> None:
    """Raise a ConfigError unless all times lie between 0 and T, where they may be read."""
    if not t.numel() or not values_may_be_read(t):
        return
    low, high = (end.item() for end in t.detach().aminmax())
    if not 0 <= low <= high <= T * ROUNDING:
        raise ConfigError(
            f"t must lie between 0 and T = {T}, but it ranges from {low:g} to "
            f"{high:g}; t = 0 is data and t = T is noise."
        )


def check_ratio(ratio: Float[Tensor, "*b"]) -> None:
    """Raise a ConfigError unless all ratios sigma / alpha are at least 0; infinity is one."""
    if values_may_be_read(ratio) and not bool((ratio >= 0).all()):
        raise ConfigError(
            f"ratio must be at least 0, but it holds {ratio[~(ratio >= 0)].flatten()[0].item():g}; "
            "it is sigma / alpha, 0 for data and infinite for noise."
        )


@dataclass(frozen=True)
class LinearPath:
    """The straight path of rectified flow, from data at t = 0 to noise at t = 1.

    x_t = (1 - t) x0 + t eps

    Source: Liu et al. 2022, arXiv:2209.03003; Lipman et al. 2022, example II, arXiv:2210.02747.
    Differs: in the sources t = 1 is data; here, as everywhere in this course, it is noise.
    """

    T: ClassVar[float] = 1.0

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha = 1 - t and sigma = t, float64 where t's device has it.

        Raises:
            ConfigError: t lies outside [0, 1].
        """
        check_range(t, self.T)
        t = t.to(float_dtype(t.device))
        return 1 - t, t

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large.

        Raises:
            ConfigError: A ratio is negative or NaN (looked at on the CPU alone).
        """
        check_ratio(ratio)
        return 1 - 1 / (1 + ratio.to(float_dtype(ratio.device)))


@dataclass(frozen=True)
class TrigPath:
    """The path along a quarter of a circle, from data at t = 0 to noise at t = pi / 2.

    x_t = cos(t) x0 + sin(t) eps

    Source: Salimans & Ho 2022, appendix D, where t is called phi, arXiv:2202.00512; Lu & Song 2024,
        section 3.1, arXiv:2410.11081, as TrigFlow.
    """

    T: ClassVar[float] = math.pi / 2

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha = cos t, exactly 0 at T, and sigma = sin t, float64 where the device has it.

        Raises:
            ConfigError: t lies outside [0, pi / 2].
        """
        check_range(t, self.T)
        t = t.to(float_dtype(t.device))
        return (self.T - t).clamp(min=0).sin(), t.sin()  # pi / 2 is rounded up in float32

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large.

        Raises:
            ConfigError: A ratio is negative or NaN (looked at on the CPU alone).
        """
        check_ratio(ratio)
        return ratio.to(float_dtype(ratio.device)).atan()
