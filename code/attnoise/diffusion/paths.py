"""What a sampler must know of the way from data to noise, whichever way it is."""

from typing import Protocol, runtime_checkable

from jaxtyping import Num
from torch import Tensor

from ..errors import ConfigError


@runtime_checkable
class Path(Protocol):
    """A way from data to noise, x_t = alpha(t) x0 + sigma(t) eps: all that a sampler must know."""

    @property
    def T(self) -> float | int:
        """The time of noise; t = 0 is data."""

    def levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and sigma at each time, float64."""

    def time_of(self, ratio: Tensor) -> Tensor:
        """Return the time at which sigma / alpha is so large, float64."""


def check_range(t: Num[Tensor, "*b"], T: float | int) -> None:
    """Raise a ConfigError unless all times lie between 0 and T."""
    if t.numel() and not 0 <= float(t.min()) <= float(t.max()) <= T:
        raise ConfigError(
            f"t must lie between 0 and T = {T}, but it ranges from {float(t.min()):g} to "
            f"{float(t.max()):g}; t = 0 is data and t = T is noise."
        )
