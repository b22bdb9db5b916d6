"""Many attentions side by side: self-attention, cross-attention, grouped key/value heads."""

from collections.abc import Iterator
from contextlib import contextmanager

from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..checks import check_shape, check_sizes
from ..errors import ConfigError
from .cache import KeyValueCache
from .masks import sliding_window_mask
from .positions import Alibi, Rotary
from .scaled_dot_product import attention, check_mask, fused_attention


class MultiHeadAttention(nn.Module):
    """Attend with several heads at once, each in its own slice of the width.

    concat_h(softmax(Q_h K_h^T / sqrt(k)) V_h) W_O, with Q = x W_Q, K = c W_K, V = c W_V

    Args:
        d: Model width; the width of the input and of the output.
        heads: Number of query heads h; each is k = d / h wide.
        kv_heads: Number of key/value heads; `heads` if not given (the usual multi-head
            attention), 1 for multi-query, in between for grouped-query attention.
        context_width: Width of the context in cross-attention; d if not given.
        bias: Whether the four projections add a bias.
        positions: `Rotary` turns queries and keys, `Alibi` penalises distance; None leaves
            positions to whoever made x.
        qk_norm: Whether each head's queries and keys are divided by their root mean square (with
            a trained gain), before they are turned; it keeps the scores from growing.

    Raises:
        ConfigError: A number is below 1, d is not a multiple of heads, or heads not a multiple of
            kv_heads.

    Source: Vaswani et al. 2017, section 3.2.2, arXiv:1706.03762; grouped heads: Ainslie et al.
        2023, arXiv:2305.13245; QK-norm: Henry et al. 2020, arXiv:2010.04245, here as RMSNorm.

    >>> import torch
    >>> MultiHeadAttention(12, heads=3)(torch.ones(2, 5, 12)).shape
    torch.Size([2, 5, 12])
    """

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        context_width: int | None = None,
        bias: bool = True,
        positions: Rotary | Alibi | None = None,
        qk_norm: bool = False,
    ) -> None:
        super().__init__()
        kv_heads = heads if kv_heads is None else kv_heads
        context_width = d if context_width is None else context_width
        check_sizes(d=d, heads=heads, kv_heads=kv_heads, context_width=context_width)
        if d % heads:
            raise ConfigError(
                f"d must be a multiple of heads, but d = {d} and heads = {heads}; "
                "each head takes an equal slice of the width."
            )
        if heads % kv_heads:
            raise ConfigError(
                f"heads must be a multiple of kv_heads, but heads = {heads} and kv_heads = "
                f"{kv_heads}; each key/value head serves an equal group of query heads."
            )
        self.d, self.heads, self.kv_heads, self.context_width = d, heads, kv_heads, context_width
        k = d // heads
        self.to_query = nn.Linear(d, heads * k, bias=bias)
        self.to_key = nn.Linear(context_width, kv_heads * k, bias=bias)
        self.to_value = nn.Linear(context_width, kv_heads * k, bias=bias)
        self.to_output = nn.Linear(heads * k, d, bias=bias)
        self.positions = positions
        self.query_norm = nn.RMSNorm(k) if qk_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(k) if qk_norm else nn.Identity()
        self.attend = fused_attention  # `record_weights` puts the plain one here for a while

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        context: Float[Tensor, "b m c"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        causal: bool = False,
        window: int | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Let x attend to the context, or to itself if there is none.

        Args:
            x: What asks.
            context: What is looked up; x if not given (self-attention).
            mask: Boolean, True = may attend; broadcasts to "b h n m". With a cache, m counts
                all tokens seen so far.
            causal: Also forbid later positions.
            window: Also forbid all but the last `window` positions, its own included.
            cache: Holds the keys and values of earlier calls. In self-attention x continues them,
                and is added; in cross-attention the first call fills it from the context, and
                later ones read it.

        Raises:
            ShapeError: A width differs from what the layer was built for, or the mask is off.
        """
        check_shape("x", x, batch=None, positions=None, width=self.d)
        source = x if context is None else context
        check_shape("context", source, batch=len(x), positions=None, width=self.context_width)
        check_mask(mask)
        query = rearrange(self.to_query(x), "b n (h k) -> b h n k", h=self.heads)
        query = self.query_norm(query)
        if isinstance(self.positions, Rotary):
            query = self.positions(query, 0 if cache is None else cache.length)
        key, value = self._keys_and_values(x, context, cache)  # b g m k
        if self.kv_heads < self.heads:
            group = self.heads // self.kv_heads
            key = repeat(key, "b g m k -> b (g r) m k", r=group)  # b h m k
            value = repeat(value, "b g m k -> b (g r) m k", r=group)  # b h m k
        n, m = query.shape[-2], key.shape[-2]
        if mask is not None and cache is not None:
            mask = mask[..., -m:]  # a cache with a window has forgotten the first
        if window is not None:
            near = sliding_window_mask(n, window, m, device=x.device)
            mask = near if mask is None else mask & near
        bias = self.positions(n, m) if isinstance(self.positions, Alibi) else None
        output = self.attend(query, key, value, mask, causal=causal, bias=bias)  # b h n k
        return self.to_output(rearrange(output, "b h n k -> b n (h k)"))

    def _keys_and_values(
        self, x: Float[Tensor, "b n d"], context: Tensor | None, cache: KeyValueCache | None
    ) -> tuple[Float[Tensor, "b g m k"], Float[Tensor, "b g m k"]]:
        """Compute what is looked up, or take from the cache what was computed before."""
        if cache is not None and context is not None and cache.length:
            return cache.read()  # the context stays the same from token to token
        source = x if context is None else context
        key = rearrange(self.to_key(source), "b m (g k) -> b g m k", g=self.kv_heads)
        value = rearrange(self.to_value(source), "b m (g k) -> b g m k", g=self.kv_heads)
        key = self.key_norm(key)
        if isinstance(self.positions, Rotary):
            key = self.positions(key, 0 if cache is None else cache.length)
        return (key, value) if cache is None else cache.extend(key, value)


@contextmanager
def record_weights(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Read the attention weights of every `MultiHeadAttention` in a model while it runs.

    Inside the block the layers run the plain attention, which has weights to show; outside they
    run the fused one again. A later forward pass overwrites what an earlier one recorded.

    Args:
        model: Any module that holds `MultiHeadAttention` layers.

    Yields:
        A dict from the layer's name in the model to its weights, "b h n m", detached. A layer
        that is itself the model is named "attention".

    Raises:
        ConfigError: The model holds no such layer.
    """
    layers = {
        n or "attention": m for n, m in model.named_modules() if isinstance(m, MultiHeadAttention)
    }
    if not layers:
        raise ConfigError(
            f"model must hold a MultiHeadAttention layer to record, but {type(model).__name__} "
            "has none; pass the module that attends."
        )
    recorded: dict[str, Tensor] = {}

    def recorder(name: str):
        def attend(query, key, value, mask=None, **options):
            output, weights = attention(query, key, value, mask, return_weights=True, **options)
            recorded[name] = weights.detach()
            return output

        return attend

    before = {name: layer.attend for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.attend = recorder(name)
    try:
        yield recorded
    finally:
        for name, layer in layers.items():
            layer.attend = before[name]
