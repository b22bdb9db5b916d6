"""Four ways to tell attention where its tokens stand: added, learned, rotated, or as a penalty."""

import math

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import WHOLE, check_positive, check_sizes, values_may_be_read
from ..errors import ConfigError, ShapeError, choose


def position_angles(
    n: int, k: int, *, start: int = 0, base: float = 10_000.0
) -> Float[Tensor, "n {k}//2"]:
    """Return the angle of every position and pair: angle(pos, j) = pos * base^(-2j / k).

    In float64, and therefore on the CPU: at long range a float32 angle is off by more than the
    fast pairs can bear.

    Args:
        n: Number of positions.
        k: Width, even: two numbers make a pair.
        start: The first position.
        base: Sets the slowest frequency.

    Raises:
        ConfigError: k is odd, n below 1, or base not above 0.
    """
    check_sizes(n=n)
    _check_even("k", k)
    check_positive(base=base)
    frequencies = base ** (-torch.arange(0, k, 2, dtype=torch.float64, device="cpu") / k)
    positions = torch.arange(start, start + n, dtype=torch.float64, device="cpu")
    return positions[:, None] * frequencies


def _check_even(name: str, width: int) -> None:
    if width < 2 or width % 2:
        raise ConfigError(f"{name} must be even to be split in pairs, but it is {width}.")


def sinusoidal_positions(n: int, d: int, *, base: float = 10_000.0) -> Float[Tensor, "n d"]:
    """Write each position as sines and cosines of falling frequency, to be added to the tokens.

    P(pos, 2i) = sin(pos / base^(2i / d)), P(pos, 2i + 1) = cos(pos / base^(2i / d))

    Args:
        n: Number of positions, from 0.
        d: Model width, even.
        base: The slowest wave turns once in about 2 pi base positions.

    Raises:
        ConfigError: d is odd, n below 1, or base not above 0.

    Source: Vaswani et al. 2017, section 3.5, arXiv:1706.03762.

    >>> sinusoidal_positions(3, 4)[0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    _check_even("d", d)
    angles = position_angles(n, d, base=base).repeat_interleave(2, dim=1)  # n d
    angles[:, 1::2] += math.pi / 2  # cos(a) = sin(a + pi / 2)
    return angles.sin().float()


class LearnedPositions(nn.Module):
    """One trained vector per position, to be added to the tokens.

    Args:
        max_length: How many positions there are; there is nothing beyond.
        d: Model width.

    Raises:
        ConfigError: A number is below 1.

    Source: Radford et al. 2018 (GPT); Devlin et al. 2018, arXiv:1810.04805 (BERT).
    """

    def __init__(self, max_length: int, d: int) -> None:
        super().__init__()
        check_sizes(max_length=max_length, d=d)
        self.weight = nn.Parameter(0.02 * torch.randn(max_length, d))

    def forward(self, positions: Int[Tensor, "*b n"]) -> Float[Tensor, "*b n d"]:
        """Return the vectors of some positions, counted from 0.

        Raises:
            ShapeError: The positions are no whole numbers, or one is below 0 or was not learned;
                looked at on the CPU alone.
        """
        if positions.dtype not in WHOLE:
            raise ShapeError(
                f"positions must be whole numbers, but their dtype is {positions.dtype}; "
                "pass torch.arange(n)."
            )
        if positions.numel() and values_may_be_read(positions):
            first, last = (int(end) for end in positions.aminmax())
            if first < 0 or last >= len(self.weight):
                raise ShapeError(
                    f"positions from {first} to {last} were asked for, but the model has learned "
                    f"0 to {len(self.weight) - 1}; shorten the sequence, or train a longer model."
                )
        return F.embedding(positions, self.weight)


class Rotary(nn.Module):
    """Turn each pair of a head's numbers by an angle that grows with the position.

    (a, b) -> (a cos - b sin, b cos + a sin), so that <R_n q, R_m k> depends on n - m alone.

    Args:
        k: Head width, even.
        base: Sets the slowest rotation; larger for longer contexts (Llama 3 uses 500,000).
        layout: Which numbers form pair j: "half" takes j and j + k / 2, "pairs" takes 2j and
            2j + 1. The models are the same, their weights are not: see `pairs_to_half`.

    Raises:
        ConfigError: k is odd, base not above 0, or the layout unknown.

    Source: Su et al. 2021, equations 14 to 16 and 34, arXiv:2104.09864.

    >>> Rotary(4)(torch.ones(1, 1, 3, 4)).shape
    torch.Size([1, 1, 3, 4])
    """

    def __init__(self, k: int, *, base: float = 10_000.0, layout: str = "half") -> None:
        super().__init__()
        choose("layout", layout, PARTNERS)
        self.k, self.base, self.layout = k, base, layout
        self._fill(64, torch.device("cpu"))

    def _fill(self, n: int, device: torch.device) -> None:
        # Tables that grow when they are needed, hence no buffers of the module. Both are as wide
        # as the head, and the sine has the sign of its half, so that a rotation is two products.
        angles = position_angles(n, self.k, base=self.base)
        cos, sin = angles.cos(), angles.sin()
        if self.layout == "half":
            cos, sin = torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)  # n k
        else:
            cos = cos.repeat_interleave(2, dim=1)  # n k
            sin = torch.stack([-sin, sin], dim=2).flatten(1)  # n k
        self.cos, self.sin = cos.float().to(device), sin.float().to(device)

    def forward(self, x: Float[Tensor, "b h n k"], start: int = 0) -> Float[Tensor, "b h n k"]:
        """Rotate queries or keys whose first position is `start`."""
        if x.shape[-1] != self.k or start < 0:
            raise ShapeError(
                f"x must be {self.k} wide and start at least 0, but they are {x.shape[-1]} and "
                f"{start}; make the Rotary for the width of a head."
            )
        end = start + x.shape[-2]
        if end > len(self.cos) or self.cos.device != x.device:
            self._fill(max(2 * end, 64), x.device)
        cos, sin = self.cos[start:end].to(x.dtype), self.sin[start:end].to(x.dtype)  # n k
        # In place on the fresh copy that PARTNERS make: every pass over memory costs as much.
        return PARTNERS[self.layout](x).mul_(sin).addcmul_(x, cos)


def _other_half(x: Float[Tensor, "*b k"]) -> Float[Tensor, "*b k"]:
    return x.roll(x.shape[-1] // 2, dims=-1)


def _neighbour(x: Float[Tensor, "*b k"]) -> Float[Tensor, "*b k"]:
    return x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)


# The other number of each number's pair, in its place.
PARTNERS = {"half": _other_half, "pairs": _neighbour}


def pairs_to_half(
    weight: Float[Tensor, "d *axes"], heads: int, *, back: bool = False
) -> Float[Tensor, "d *axes"]:
    """Reorder a query or key projection made for one rotary layout so that it serves the other.

    Args:
        weight: Weight or bias of the projection; its first axis holds heads times head width.
        heads: Number of heads in it.
        back: From "half" to "pairs" instead.

    Raises:
        ConfigError: The first axis is not heads times an even width.

    Source: the two layouts: meta-llama/llama3, model.py (pairs); Hugging Face transformers (half).
    """
    if heads < 1 or len(weight) % (2 * heads):
        raise ConfigError(
            f"weight must have heads times an even width of rows, but it has {len(weight)} and "
            f"heads = {heads}."
        )
    if back:
        return rearrange(weight, "(h two j) ... -> (h j two) ...", h=heads, two=2)
    return rearrange(weight, "(h j two) ... -> (h two j) ...", h=heads, two=2)


class Alibi(nn.Module):
    """Subtract from each score a penalty that grows with the distance, at another rate per head.

    bias(h, i, j) = -slope_h |i - j|, slopes 2^(-8 / heads), 2^(-16 / heads), ...

    Args:
        heads: Number of heads.

    Raises:
        ConfigError: heads < 1.

    Source: Press et al. 2021, section 3, arXiv:2108.12409; for heads that are no power of two,
        their code: the slopes of the next lower power, then every other one of the next higher.

    >>> Alibi(2).slopes.tolist()
    [0.0625, 0.00390625]
    """

    slopes: Tensor

    def __init__(self, heads: int) -> None:
        super().__init__()
        check_sizes(heads=heads)
        lower = 2 ** math.floor(math.log2(heads))
        rates = [2 ** (-8 * (i + 1) / lower) for i in range(lower)]
        rates += [2 ** (-4 * (2 * i + 1) / lower) for i in range(heads - lower)]
        self.register_buffer("slopes", torch.tensor(rates), persistent=False)

    def forward(self, n: int, m: int) -> Float[Tensor, "h n m"]:
        """Return the bias of n queries, the last of m positions, over m keys.

        Raises:
            ConfigError: n < 1 or m < n.
        """
        if not 1 <= n <= m:
            raise ConfigError(
                f"n must lie between 1 and m, but n = {n} and m = {m}; the queries are the last "
                "n of the m positions."
            )
        device = self.slopes.device
        query = torch.arange(m - n, m, device=device)
        distance = (query[:, None] - torch.arange(m, device=device)).abs()  # n m
        return -self.slopes[:, None, None] * distance
