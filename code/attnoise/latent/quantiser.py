"""Finite scalar quantisation (FSQ): discrete codes without a learned codebook."""

import math
from collections.abc import Sequence
from numbers import Integral

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..checks import check_tokens
from ..errors import ConfigError, ShapeError


def check_levels(levels: Sequence[int]) -> None:
    """Check that there are levels, and that all are whole numbers from 2 to 1,000.

    Beyond 1,000 the ends, a thousandth inside, would no longer be reached.

    Raises:
        ConfigError: There are none, or one is another number.
    """
    whole = all(isinstance(count, Integral) for count in levels)
    if not len(levels) or not whole or min(levels) < 2 or max(levels) > 1000:
        raise ConfigError(
            f"levels must hold whole numbers of at least 2 and at most 1,000, but they are "
            f"{tuple(levels)}; (8, 5, 5, 5) makes 1,000 codes."
        )


class FiniteScalarQuantiser(nn.Module):
    """Round each channel to one of a few levels in [-1, 1]; all channels together are one code.

    bounded = tanh(z + shift) half - offset, half = (levels - 1) (1 - 0.001) / 2
    level = round(bounded) / (levels // 2), shift = tan(offset / half)

    with offset 1/2 for an even number of levels and 0 for an odd one; the shift brings z = 0 to
    about 0. Rounding is straight-through:
    gradients pass as if it were not there.

    Args:
        levels: How many levels each channel has, whole numbers from 2 to 1,000.

    Raises:
        ConfigError: There are no levels, or too few or too many in some channel.

    Source: Mentzer et al. 2023, section 3.1 and appendix A.1, arXiv:2309.15505.
    """

    levels: Tensor
    place: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        check_levels(levels)
        self.codes = math.prod(levels)
        counts = torch.tensor(levels)
        self.register_buffer("levels", counts, persistent=False)
        place = torch.cat([torch.ones(1, dtype=torch.long), counts.cumprod(0)[:-1]])
        self.register_buffer("place", place, persistent=False)

    def forward(self, z: Float[Tensor, "b c i j"]) -> Float[Tensor, "b c i j"]:
        """Return the nearest levels, from -1 to 1, in z's dtype, with straight-through gradients.

        Raises:
            ShapeError: z has not one channel for each entry of levels.
        """
        self._check_channels("z", z)
        levels = self.levels[:, None, None]
        precise = z.to(torch.promote_types(z.dtype, torch.float32))
        half = (levels - 1) * (1 - 1e-3) / 2  # a little less: no end lies between two levels
        offset = torch.where(levels % 2 == 0, 0.5, 0.0)
        bounded = (precise + (offset / half).tan()).tanh() * half - offset
        rounded = bounded + (bounded.round() - bounded).detach()
        return (rounded / (levels // 2)).to(z.dtype)

    def to_codes(self, quantised: Float[Tensor, "b c i j"]) -> Int[Tensor, "b i j"]:
        """Number each position's combination of levels, from 0 to the product of levels - 1.

        Raises:
            ShapeError: quantised has not one channel for each entry of levels.
        """
        self._check_channels("quantised", quantised)
        half = (self.levels // 2)[:, None, None]
        digits = (quantised.float() * half).round().long() + half
        return (digits * self.place[:, None, None]).sum(dim=1)

    def from_codes(self, codes: Int[Tensor, "b i j"]) -> Float[Tensor, "b c i j"]:
        """Return the levels of each code, float32.

        Raises:
            DataError: On the CPU: a code lies outside [0, product of levels).
        """
        check_tokens("codes", codes, self.codes)
        levels = self.levels[:, None, None]
        digits = codes[:, None] // self.place[:, None, None] % levels
        return (digits - levels // 2) / (levels // 2)

    def _check_channels(self, name: str, values: Tensor) -> None:
        if values.ndim != 4 or values.shape[1] != len(self.levels):
            raise ShapeError(
                f"{name} must have shape (batch, {len(self.levels)}, height, width), one channel "
                f"for each entry of levels, but its shape is {tuple(values.shape)}."
            )
