"""The book's diagrams by name."""

from collections.abc import Callable, Mapping

import torch

from ..errors import choose
from .attention import draw_attention, draw_many_heads
from .bert import draw_bert
from .blocks import draw_adaln_zero, draw_block
from .book_map import draw_book_map
from .encoder_decoder import draw_encoder_decoder
from .gpt import draw_gpt
from .latents import draw_autoencoder, draw_latent_diffusion
from .page import Diagram
from .pictures import draw_unet, draw_vit
from .scene import Scene
from .text_to_image import draw_text_to_image

DIAGRAMS: Mapping[str, Callable[[], Scene]] = {
    "attention": draw_attention,
    "many-heads": draw_many_heads,
    "block": draw_block,
    "encoder-decoder": draw_encoder_decoder,
    "gpt-cache": draw_gpt,
    "bert": draw_bert,
    "vit": draw_vit,
    "unet": draw_unet,
    "autoencoder": draw_autoencoder,
    "latent-diffusion": draw_latent_diffusion,
    "adaln-zero": draw_adaln_zero,
    "text-to-image": draw_text_to_image,
    "book-map": draw_book_map,
}


def diagram(name: str) -> Diagram:
    """Draw one of the book's diagrams; a notebook shows what comes back.

    Args:
        name: One of DIAGRAMS.

    Raises:
        ConfigError: No diagram has that name; the message lists them.

    >>> diagram("book-map").scene.title
    'The map of the book: which part uses which'
    """
    draw = choose("name", name, DIAGRAMS)
    with torch.random.fork_rng(devices=[]):  # the chapter that shows it keeps its draws
        return Diagram(draw())
