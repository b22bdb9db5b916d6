"""Part I of the book: attention as a soft look-up, its masks, and many heads of it."""

from .masks import causal_mask, padding_mask, sliding_window_mask
from .multi_head import MultiHeadAttention, record_weights
from .scaled_dot_product import attention, fused_attention

__all__ = [
    "MultiHeadAttention",
    "attention",
    "causal_mask",
    "fused_attention",
    "padding_mask",
    "record_weights",
    "sliding_window_mask",
]
