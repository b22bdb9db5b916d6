"""Part V of the book: the transformer and the diffusion model in one."""

from .contrastive import ContrastivePair
from .dit import DIT_PRESETS, DiT, DiTConfig
from .text_encoder import TextEncoder
from .text_to_image import TextToImage, TextToImageConfig, sample, word_maps

__all__ = [
    "DIT_PRESETS",
    "ContrastivePair",
    "DiT",
    "DiTConfig",
    "TextEncoder",
    "TextToImage",
    "TextToImageConfig",
    "sample",
    "word_maps",
]
