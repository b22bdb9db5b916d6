"""Part I of the book: attention as a soft look-up, its masks, many heads of it, and positions."""

from .cache import KeyValueCache
from .masks import causal_mask, padding_mask, sliding_window_mask
from .multi_head import MultiHeadAttention, record_weights
from .positions import (
    Alibi,
    LearnedPositions,
    Rotary,
    pairs_to_half,
    position_angles,
    sinusoidal_positions,
)
from .scaled_dot_product import attention, fused_attention

__all__ = [
    "Alibi",
    "KeyValueCache",
    "LearnedPositions",
    "MultiHeadAttention",
    "Rotary",
    "attention",
    "causal_mask",
    "fused_attention",
    "padding_mask",
    "pairs_to_half",
    "position_angles",
    "record_weights",
    "sinusoidal_positions",
    "sliding_window_mask",
]
