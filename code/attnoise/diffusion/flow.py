"""Flows in straight lines from noise to data."""

from jaxtyping import Float, Num
from torch import Tensor

from .paths import check_range


class LinearPath:
    """The straight path of rectified flow, from data at t = 0 to noise at t = 1.

    x_t = (1 - t) x0 + t eps

    Source: Liu et al. 2022, arXiv:2209.03003; Lipman et al. 2022, example II, arXiv:2210.02747.
        There t = 1 is data; here, as everywhere in this course, it is noise.
    """

    T = 1.0

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha = 1 - t and sigma = t, float64.

        Raises:
            ConfigError: t lies outside [0, 1].
        """
        check_range(t, self.T)
        t = t.double()
        return 1 - t, t

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large, float64."""
        return 1 - 1 / (1 + ratio.double())
