"""Contrastive language-image pre-training (CLIP): captions and images in one embedding space."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_sizes
from ..diffusion.numerics import widen
from ..errors import ShapeError
from .text_encoder import PADDING, TextEncoder

LARGEST = math.log(100)  # of the logits' scale, as published


class ContrastivePair(nn.Module):
    """Embed captions and images in one space, so that matching pairs have a high cosine similarity.

    logits_ij = e^s <image_i, caption_j>, both of length 1; s is learned, 1 / e^s the temperature

    Args:
        text: Encodes captions; a caption's embedding is the mean over its words.
        images: Encodes images or latents, one vector of width d each: a `ViT` whose classes are d.
        d: Width of the shared space.

    Raises:
        ConfigError: d is below 1.

    Source: Radford et al. 2021, figure 3, arXiv:2103.00020.
    Differs: the mean over the words in place of the last one; images may be latents.
    """

    def __init__(self, text: TextEncoder, images: nn.Module, d: int) -> None:
        super().__init__()
        check_sizes(d=d)
        self.text, self.images = text, images
        self.project = nn.Linear(text.words.embedding_dim, d, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def embed_captions(self, tokens: Int[Tensor, "b m"]) -> Float[Tensor, "b d"]:
        """Return the unit-length embedding of each caption; of an empty one zeros."""
        words, _ = self.text(tokens)
        real = (tokens != PADDING)[..., None]
        mean = (words * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
        return _unit(self.project(mean))

    def embed_images(self, images: Float[Tensor, "b c i j"]) -> Float[Tensor, "b d"]:
        """Return the unit-length embedding of each image."""
        return _unit(self.images(images))

    def forward(
        self, images: Float[Tensor, "b c i j"], tokens: Int[Tensor, "k m"]
    ) -> Float[Tensor, "b k"]:
        """Return the scaled cosine similarities of all images with all captions, as logits."""
        scale = self.logit_scale.clamp(max=LARGEST).exp()
        return scale * self.embed_images(images) @ self.embed_captions(tokens).T

    def loss(
        self, images: Float[Tensor, "b c i j"], tokens: Int[Tensor, "b m"]
    ) -> Float[Tensor, ""]:
        """Return the symmetric InfoNCE loss of a batch of pairs, in nats.

        -1/2b sum_i log softmax_j(logits_ij)_i - 1/2b sum_j log softmax_i(logits_ij)_j

        Each image is classified among the batch's captions, and each caption among its images.

        Args:
            images: Image i belongs to caption i.
            tokens: The captions.

        Raises:
            ShapeError: There are not as many captions as images, or none.

        Source: van den Oord et al. 2018, equation 4, arXiv:1807.03748; symmetric: Radford et al.
            2021, figure 3, arXiv:2103.00020.
        """
        if len(images) != len(tokens) or not len(tokens):
            raise ShapeError(
                f"images and tokens must be pairs, at least one, but there are {len(images)} "
                f"images and {len(tokens)} captions."
            )
        logits, own = widen(self(images, tokens)), torch.arange(len(tokens), device=tokens.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def _unit(x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Divide vectors by their length, in float32: in float16 a length of 0 would give NaN."""
    return F.normalize(widen(x), dim=-1).to(x.dtype)
