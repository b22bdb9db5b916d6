"""Codes instead of numbers: finite scalar quantisation."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import ConfigError


class FiniteScalarQuantiser(nn.Module):
    """Round each channel to one of a few levels between -1 and 1; all levels together are a code.

    bounded = tanh(z + shift) half - offset, half = (levels - 1) (1 - 0.001) / 2
    level = round(bounded) / (levels // 2), shift = tan(offset / half)

    with offset 1/2 for an even number of levels and 0 for an odd one. The shift brings z = 0 to
    about 0. Rounding passes gradients on as if it were not there.

    Args:
        levels: How many levels each channel has, each from 2 to 1,000.

    Raises:
        ConfigError: There are no levels, or too few or too many in some channel.

    Source: Mentzer et al. 2023, section 3.1 and appendix A.1, arXiv:2309.15505.
    """

    levels: Tensor
    place: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2 or max(levels) > 1000:  # beyond, the ends are not reached
            raise ConfigError(
                f"levels must hold numbers of at least 2 and at most 1,000, but they are "
                f"{tuple(levels)}; (8, 5, 5, 5) makes 1,000 codes."
            )
        counts = torch.tensor(levels)
        self.register_buffer("levels", counts, persistent=False)
        place = torch.cat([torch.ones(1, dtype=torch.long), counts.cumprod(0)[:-1]])
        self.register_buffer("place", place, persistent=False)

    def forward(self, z: Float[Tensor, "b c i j"]) -> Float[Tensor, "b c i j"]:
        """Return the nearest levels, from -1 to 1, differentiable as if nothing were rounded."""
        levels = self.levels[:, None, None]
        half = (levels - 1) * (1 - 1e-3) / 2  # a little less: no end lies between two levels
        offset = torch.where(levels % 2 == 0, 0.5, 0.0)
        bounded = (z + (offset / half).tan()).tanh() * half - offset
        rounded = bounded + (bounded.round() - bounded).detach()
        return rounded / (levels // 2)

    def to_codes(self, quantised: Float[Tensor, "b c i j"]) -> Int[Tensor, "b i j"]:
        """Number each place's combination of levels, from 0 to the product of levels - 1."""
        half = (self.levels // 2)[:, None, None]
        digits = (quantised * half).round().long() + half
        return (digits * self.place[:, None, None]).sum(dim=1)

    def from_codes(self, codes: Int[Tensor, "b i j"]) -> Float[Tensor, "b c i j"]:
        """Return the levels of each code."""
        levels = self.levels[:, None, None]
        digits = codes[:, None] // self.place[:, None, None] % levels
        return (digits - levels // 2) / (levels // 2)
