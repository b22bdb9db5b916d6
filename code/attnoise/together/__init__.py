"""Part V of the book: the transformer and the diffusion model in one.

`dit` is the network, `text_encoder` reads captions, `text_to_image` joins both, `text_sampling`
draws images; `contrastive` trains a text encoder by itself.
"""

from .contrastive import ContrastivePair
from .dit import DIT_PRESETS, DiT, DiTConfig
from .text_encoder import TextEncoder
from .text_sampling import SAMPLERS, condition_on_text, cross_attention_maps, sample
from .text_to_image import TextToImage, TextToImageConfig

__all__ = [
    "DIT_PRESETS",
    "SAMPLERS",
    "ContrastivePair",
    "DiT",
    "DiTConfig",
    "TextEncoder",
    "TextToImage",
    "TextToImageConfig",
    "condition_on_text",
    "cross_attention_maps",
    "sample",
]
