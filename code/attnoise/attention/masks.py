"""Boolean masks: True = this query (row) may attend to this key (column). Combine with `&`."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError, ShapeError


def causal_mask(
    n: int, m: int | None = None, *, device: torch.device | str | None = None
) -> Bool[Tensor, "n m"]:
    """Let each query attend to its own position and to those before it.

    mask[i, j] = j <= i + (m - n)

    Args:
        n: Number of queries, at least 1.
        m: Number of keys, at least n; n if not given. With m > n the queries are the last n of
            the m positions, as in generation with a cache.
        device: Where the mask is made.

    Raises:
        ConfigError: n < 1 or m < n.

    Source: Vaswani et al. 2017, section 3.2.3, arXiv:1706.03762.

    >>> causal_mask(2, 3).int().tolist()
    [[1, 1, 0], [1, 1, 1]]
    """
    m = n if m is None else m
    if n < 1 or m < n:
        raise ConfigError(
            f"causal_mask needs 1 <= n <= m, but n = {n} and m = {m}; "
            "n counts the queries, m the keys that they may look back on."
        )
    return torch.ones(n, m, dtype=torch.bool, device=device).tril(diagonal=m - n)


def padding_mask(lengths: Int[Tensor, " b"], m: int) -> Bool[Tensor, "b 1 1 m"]:
    """Hide the padding at the end of each sequence of a batch.

    mask[b, 0, 0, j] = j < lengths[b]

    Args:
        lengths: Number of real tokens of each sequence, between 0 and m.
        m: Number of keys, padding included.

    Returns:
        A mask with axes for heads and queries left at 1, ready to broadcast over both.

    Raises:
        ShapeError: lengths is not one whole number per sequence.
        ConfigError: A length lies outside [0, m]; looked at on the CPU alone, where that makes
            nobody wait.

    >>> padding_mask(torch.tensor([1, 3]), 3)[:, 0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    if lengths.ndim != 1 or lengths.dtype.is_floating_point or lengths.dtype == torch.bool:
        raise ShapeError(
            f"lengths must hold one whole number per sequence, but it has shape "
            f"{tuple(lengths.shape)} and dtype {lengths.dtype}; pass a 1-D integer tensor."
        )
    if lengths.numel() and values_may_be_read(lengths):
        low, high = (int(end) for end in lengths.aminmax())
        if low < 0 or high > m:
            raise ConfigError(
                f"lengths must lie between 0 and m = {m}, but they range from {low} to {high}; "
                "m counts all keys, padding included."
            )
    positions = torch.arange(m, device=lengths.device)
    return (positions < lengths[:, None])[:, None, None, :]  # b 1 1 m


def sliding_window_mask(
    n: int, window: int, m: int | None = None, *, device: torch.device | str | None = None
) -> Bool[Tensor, "n m"]:
    """Let each query attend to its own position and to the window - 1 positions before it.

    mask[i, j] = 0 <= i + (m - n) - j < window

    Args:
        n: Number of queries, at least 1.
        window: How many keys each query sees at most, at least 1.
        m: Number of keys, at least n; n if not given. The queries are the last n positions.
        device: Where the mask is made.

    Raises:
        ConfigError: n < 1, m < n or window < 1.

    Source: Beltagy et al. 2020, section 3.1, arXiv:2004.05150.
    Differs: theirs looks both ways; this one is causal, as in Mistral 7B (arXiv:2310.06825).

    >>> sliding_window_mask(3, 2).int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """
    if window < 1:
        raise ConfigError(
            f"window must be at least 1, but it is {window}; window = 1 sees only itself."
        )
    m = n if m is None else m
    causal = causal_mask(n, m, device=device)
    return causal & ~causal.tril(diagonal=m - n - window)
