"""Scaled dot-product attention: once to read, once to run fast."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from ..errors import ConfigError, ShapeError
from .masks import causal_mask


def attention(
    query: Float[Tensor, "*b n k"],
    key: Float[Tensor, "*b m k"],
    value: Float[Tensor, "*b m e"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    causal: bool = False,
    bias: Float[Tensor, "..."] | None = None,
    scale: float | None = None,
    return_weights: bool = False,
) -> Float[Tensor, "*b n e"] | tuple[Float[Tensor, "*b n e"], Float[Tensor, "*b n m"]]:
    """Look every query up among the keys and average the values by how well the keys match.

    softmax(Q K^T / sqrt(k) + bias) V

    Args:
        query: What each of n positions asks for.
        key: What each of m positions offers.
        value: What each of m positions hands over; its width e may differ from k.
        mask: Boolean, True = this query may attend to this key. Its shape must broadcast to
            "*b n m". A query that may attend nowhere gets weights and output of zero.
        causal: Also forbid each query all later keys; the queries are the last n of m positions.
        bias: Added to the scores, for instance a penalty for distance; broadcasts to "*b n m".
        scale: Multiplies the scores before the softmax; 1 / sqrt(k) if not given.
        return_weights: Also return the weights, which sum to 1 over the keys.

    Returns:
        The output, or (output, weights), in the dtype of the values. Half precision is widened
        to float32 in between, as the fused kernels do: scores of large entries overflow float16,
        and a softmax needs their differences.

    Raises:
        ShapeError: Widths, lengths or the mask do not fit.
        ConfigError: scale is not finite.

    Source: Vaswani et al. 2017, equation 1, arXiv:1706.03762.

    >>> attention(torch.ones(1, 2, 4), torch.ones(1, 3, 4), torch.ones(1, 3, 5)).shape
    torch.Size([1, 2, 5])
    """
    check_attention_shapes(query, key, value, mask, bias)
    check_scale(scale)
    mask = with_causal(mask, query, key) if causal else mask
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    dtype, wide = value.dtype, torch.promote_types(query.dtype, torch.float32)
    query, key, value = query.to(wide), key.to(wide), value.to(wide)
    scores = torch.einsum("...nk,...mk->...nm", query * scale, key)  # *b n m
    if bias is not None:
        scores = scores + bias.to(wide)
    if mask is not None:
        # The lowest finite number instead of -inf: a row with no True stays free of NaN.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    output = torch.einsum("...nm,...me->...ne", weights, value).to(dtype)  # *b n e
    return (output, weights.to(dtype)) if return_weights else output


def fused_attention(
    query: Float[Tensor, "*b n k"],
    key: Float[Tensor, "*b m k"],
    value: Float[Tensor, "*b m e"],
    mask: Bool[Tensor, "..."] | None = None,
    *,
    causal: bool = False,
    bias: Float[Tensor, "..."] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "*b n e"]:
    """Compute what `attention` computes with torch's fused kernel, without storing the weights.

    softmax(Q K^T / sqrt(k) + bias) V

    Args, errors and result are those of `attention`; there are no weights to return.

    Source: torch.nn.functional.scaled_dot_product_attention; Dao et al. 2022, arXiv:2205.14135.
    """
    check_attention_shapes(query, key, value, mask, bias)
    check_scale(scale)
    if causal and mask is None and bias is None and query.shape[-2] == key.shape[-2]:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale)
    mask = with_causal(mask, query, key) if causal else mask
    if mask is not None:
        # A query that may attend nowhere sees everything here and is set to zero below: a row
        # of -inf is NaN in some kernels and in exported graphs, and NaN cannot be undone there.
        nowhere = ~mask.any(dim=-1, keepdim=True)  # *b n 1
        mask = mask | nowhere
    added = mask
    if bias is not None:
        bias = bias.to(query.dtype)
        added = bias if mask is None else bias.masked_fill(~mask, float("-inf"))
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=added, scale=scale)
    return output if mask is None else output.masked_fill(nowhere, 0.0)


def with_causal(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """Forbid later keys on top of a mask; a single query, the last, has none to forbid."""
    n, m = query.shape[-2], key.shape[-2]
    if n == 1:
        return mask
    causal = causal_mask(n, m, device=query.device)
    return causal if mask is None else mask & causal


def check_attention_shapes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
) -> None:
    """Raise a ShapeError that names the argument if the four tensors do not fit together."""
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if tensor.ndim < 2:
            raise ShapeError(
                f"{name} must have at least two axes (positions, width), but its shape is "
                f"{tuple(tensor.shape)}; add a batch or position axis with {name}[None]."
            )
        if not tensor.is_floating_point():
            raise ShapeError(
                f"{name} must be floating-point numbers, but its dtype is {tensor.dtype}; "
                f"pass {name}.float()."
            )
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(
            f"query and key must have the same width, but query is {query.shape[-1]} wide and "
            f"key is {key.shape[-1]} wide; project both to one head width k."
        )
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"key and value must have the same number of positions, but key has "
            f"{key.shape[-2]} and value has {value.shape[-2]}; each key needs its own value."
        )
    check_mask(mask)
    batch = query.shape[:-2]
    if not batch == key.shape[:-2] == value.shape[:-2]:
        raise ShapeError(
            f"query, key and value must have the same batch axes, but their shapes are "
            f"{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}; expand the "
            "smaller ones."
        )
    wanted = (*batch, query.shape[-2], key.shape[-2])
    for name, added in (("mask", mask), ("bias", bias)):
        if added is not None and not _broadcasts(added.shape, wanted):
            raise ShapeError(
                f"{name} must broadcast to (..., queries, keys) = {wanted}, but its shape is "
                f"{tuple(added.shape)}; rows are queries, columns are keys."
            )


def check_mask(mask: Tensor | None) -> None:
    """Raise a ShapeError if a mask is not boolean."""
    if mask is not None and mask.dtype != torch.bool:
        raise ShapeError(
            f"mask must be boolean (True = may attend), but its dtype is {mask.dtype}; "
            "for a mask of 0 and 1 pass mask.bool(), for one of 0 and -inf pass mask == 0."
        )


def check_scale(scale: float | None) -> None:
    """Raise a ConfigError if a scale is NaN or infinite."""
    if scale is not None and not math.isfinite(scale):
        raise ConfigError(f"scale must be finite, but it is {scale}; 1 / sqrt(k) is usual.")


def _broadcasts(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    try:
        return torch.broadcast_shapes(shape, wanted) == torch.Size(wanted)
    except RuntimeError:
        return False
