"""Four ways to tell attention where its tokens stand: added, learned, rotated, or as a penalty."""

import math

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import ConfigError, ShapeError, choose


def position_angles(
    n: int, k: int, *, start: int = 0, base: float = 10_000.0
) -> Float[Tensor, "n half"]:
    """Return the angle of every position and pair: angle(pos, j) = pos * base^(-2j / k).

    In float64, and therefore on the CPU: at long range a float32 angle is off by more than the
    fast pairs can bear.

    Raises:
        ConfigError: k is odd.
    """
    if k < 2 or k % 2:
        raise ConfigError(f"the width must be even to be split in pairs, but it is {k}.")
    frequencies = base ** (-torch.arange(0, k, 2, dtype=torch.float64, device="cpu") / k)
    positions = torch.arange(start, start + n, dtype=torch.float64, device="cpu")
    return positions[:, None] * frequencies


def sinusoidal_positions(n: int, d: int, *, base: float = 10_000.0) -> Float[Tensor, "n d"]:
    """Write each position as sines and cosines of falling frequency, to be added to the tokens.

    P(pos, 2i) = sin(pos / base^(2i / d)), P(pos, 2i + 1) = cos(pos / base^(2i / d))

    Args:
        n: Number of positions, from 0.
        d: Model width, even.
        base: The slowest wave turns once in about 2 pi base positions.

    Raises:
        ConfigError: d is odd.

    Source: Vaswani et al. 2017, section 3.5, arXiv:1706.03762.

    >>> sinusoidal_positions(3, 4)[0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    angles = position_angles(n, d, base=base).repeat_interleave(2, dim=1)  # n d
    angles[:, 1::2] += math.pi / 2  # cos(a) = sin(a + pi / 2)
    return angles.sin().float()


class LearnedPositions(nn.Module):
    """One trained vector per position, to be added to the tokens.

    Args:
        capacity: How many positions there are; there is nothing beyond.
        d: Model width.

    Source: Radford et al. 2018 (GPT); Devlin et al. 2018, arXiv:1810.04805 (BERT).
    """

    def __init__(self, capacity: int, d: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(capacity, d))

    def forward(self, positions: Int[Tensor, "*b n"]) -> Float[Tensor, "*b n d"]:
        """Return the vectors of some positions, counted from 0.

        Raises:
            ShapeError: There are not that many positions.
        """
        last = int(positions.max())
        if last >= len(self.weight):
            raise ShapeError(
                f"positions up to {last} were asked for, but the model has learned 0 to "
                f"{len(self.weight) - 1}; shorten the sequence, or train a longer model."
            )
        return self.weight[positions]


class Rotary(nn.Module):
    """Turn each pair of a head's numbers by an angle that grows with the position.

    (a, b) -> (a cos - b sin, a sin + b cos), so that <R_n q, R_m k> depends on n - m alone.

    Args:
        k: Head width, even.
        base: Sets the slowest rotation; larger for longer contexts (Llama 3 uses 500,000).
        layout: Which numbers form pair j: "half" takes j and j + k / 2, "pairs" takes 2j and
            2j + 1. The models are the same, their weights are not: see `pairs_to_half`.

    Source: Su et al. 2021, equations 14 to 16 and 34, arXiv:2104.09864.

    >>> Rotary(4)(torch.ones(1, 1, 3, 4)).shape
    torch.Size([1, 1, 3, 4])
    """

    def __init__(self, k: int, *, base: float = 10_000.0, layout: str = "half") -> None:
        super().__init__()
        self.k, self.base = k, base
        self.split, self.join = choose("layout", layout, LAYOUTS)
        self._fill(64, torch.device("cpu"))

    def _fill(self, n: int, device: torch.device) -> None:
        # A table that grows when it is needed, hence no buffer of the module.
        angles = position_angles(n, self.k, base=self.base)
        self.cos, self.sin = angles.cos().float().to(device), angles.sin().float().to(device)

    def forward(self, x: Float[Tensor, "b h n k"], start: int = 0) -> Float[Tensor, "b h n k"]:
        """Rotate queries or keys whose first position is `start`."""
        end = start + x.shape[-2]
        if end > len(self.cos) or self.cos.device != x.device:
            self._fill(max(2 * end, 64), x.device)
        cos, sin = self.cos[start:end].to(x.dtype), self.sin[start:end].to(x.dtype)  # n k/2
        a, b = self.split(x)
        return self.join(a * cos - b * sin, a * sin + b * cos)


def _split_pairs(x):
    return x[..., ::2], x[..., 1::2]


def _join_pairs(a, b):
    return torch.stack([a, b], dim=-1).flatten(-2)


LAYOUTS = {
    "half": (lambda x: x.chunk(2, dim=-1), lambda a, b: torch.cat([a, b], dim=-1)),
    "pairs": (_split_pairs, _join_pairs),
}


def pairs_to_half(
    weight: Float[Tensor, "hk *d"], heads: int, *, back: bool = False
) -> Float[Tensor, "hk *d"]:
    """Reorder a query or key projection made for one rotary layout so that it serves the other.

    Args:
        weight: Weight or bias of the projection; its first axis holds heads times head width.
        heads: Number of heads in it.
        back: From "half" to "pairs" instead.

    Source: the two layouts: meta-llama/llama3, model.py (pairs); Hugging Face transformers (half).
    """
    if back:
        return rearrange(weight, "(h two j) ... -> (h j two) ...", h=heads, two=2)
    return rearrange(weight, "(h j two) ... -> (h two j) ...", h=heads, two=2)


class Alibi(nn.Module):
    """Subtract from each score a penalty that grows with the distance, at another rate per head.

    bias(h, i, j) = -slope_h |i - j|, slopes 2^(-8 / heads), 2^(-16 / heads), ...

    Args:
        heads: Number of heads.

    Source: Press et al. 2021, section 3, arXiv:2108.12409; for heads that are no power of two,
        their code: the slopes of the next lower power, then every other one of the next higher.

    >>> Alibi(2).slopes.tolist()
    [0.0625, 0.00390625]
    """

    slopes: Tensor

    def __init__(self, heads: int) -> None:
        super().__init__()
        lower = 2 ** math.floor(math.log2(heads))
        rates = [2 ** (-8 * (i + 1) / lower) for i in range(lower)]
        rates += [2 ** (-4 * (2 * i + 1) / lower) for i in range(heads - lower)]
        self.register_buffer("slopes", torch.tensor(rates), persistent=False)

    def forward(self, n: int, m: int) -> Float[Tensor, "h n m"]:
        """Return the bias of n queries, the last of m positions, over m keys."""
        device = self.slopes.device
        query = torch.arange(m - n, m, device=device)
        distance = (query[:, None] - torch.arange(m, device=device)).abs()  # n m
        return -self.slopes[:, None, None] * distance
