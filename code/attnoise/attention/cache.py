"""What generation remembers, so that each new token is computed once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_indices, check_sizes
from ..errors import ConfigError, ShapeError


class KeyValueCache:
    """The keys and values of all tokens so far, in memory that is set aside once.

    Without a window the cache holds `max_length` tokens. With one, it forgets: when the memory is
    full, the last window - 1 tokens move to its front, and the rest is dropped. In
    cross-attention it holds the context's, which are computed at the first call alone.

    Args:
        batch: Number of sequences.
        kv_heads: Number of key/value heads.
        max_length: How many tokens fit; with a window at least 2 * window.
        k: Head width.
        window: Sliding window of the attention that reads the cache; None for all tokens.
        like: A tensor whose dtype and device the cache takes.

    Raises:
        ConfigError: max_length is too small, or another number below 1.

    Source: Shazeer 2019, section 2.3.1, arXiv:1911.02150; rolling buffer: Jiang et al. 2023,
        arXiv:2310.06825. Differs: a buffer of twice the window instead of a ring, so that the
        tokens stay in their order.
    """

    def __init__(
        self,
        batch: int,
        kv_heads: int,
        max_length: int,
        k: int,
        *,
        window: int | None = None,
        like: Tensor | None = None,
    ) -> None:
        check_sizes(batch=batch, kv_heads=kv_heads, k=k, window=window)
        least = 1 if window is None else 2 * window
        if max_length < least:
            raise ConfigError(
                f"max_length must be at least {least}, but it is {max_length}; a cache holds every "
                "token that attention may still look back on, with a window twice that."
            )
        like = torch.empty(0) if like is None else like
        self.keys = like.new_empty(batch, kv_heads, max_length, k)
        self.values = like.new_empty(batch, kv_heads, max_length, k)
        self.window, self.max_length = window, max_length
        self.length = 0  # tokens seen: the position of the next one
        self.kept = 0  # tokens held

    def extend(
        self, key: Float[Tensor, "b g n k"], value: Float[Tensor, "b g n k"]
    ) -> tuple[Float[Tensor, "b g m k"], Float[Tensor, "b g m k"]]:
        """Append n tokens and return all that are held, the oldest first.

        Raises:
            ShapeError: The shapes differ from the cache's, or it is full.
        """
        n = key.shape[-2]
        wanted = (*self.keys.shape[:2], n, self.keys.shape[-1])
        if key.shape != wanted or value.shape != wanted:
            raise ShapeError(
                f"key and value must have shape {wanted}, but they have {tuple(key.shape)} and "
                f"{tuple(value.shape)}; build the cache for the model and the batch that use it."
            )
        if self.kept + n > self.max_length and self.window is not None:
            self._forget(min(self.kept, self.window - 1))
        end = self.kept + n
        if end > self.max_length:
            raise ShapeError(
                f"key and value bring {n} tokens, but the cache holds {self.kept} of at most "
                f"{self.max_length}; set a larger max_length."
            )
        self.keys[:, :, self.kept : end], self.values[:, :, self.kept : end] = key, value
        self.kept, self.length = end, self.length + n
        return self.read()

    def read(self) -> tuple[Float[Tensor, "b g m k"], Float[Tensor, "b g m k"]]:
        """Return the keys and values that are held, the oldest first."""
        return self.keys[:, :, : self.kept], self.values[:, :, : self.kept]

    def _forget(self, keep: int) -> None:
        first = self.kept - keep
        for store in (self.keys, self.values):
            store[:, :, :keep] = store[:, :, first : self.kept].clone()
        self.kept = keep

    def select(self, rows: Int[Tensor, " b"]) -> None:
        """Keep the given rows of the batch, in that order: what beam search needs.

        Raises:
            ShapeError: rows are no whole numbers.
            DataError: There is no such row; looked at on the CPU alone.
        """
        check_indices("rows", rows, len(self.keys))
        self.keys, self.values = self.keys[rows], self.values[rows]
