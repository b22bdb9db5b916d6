"""A text encoder taught by comparison: which caption belongs to which picture."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ShapeError
from .text_encoder import PADDING, TextEncoder

LARGEST = math.log(100)  # of the logits' factor, as published


class ContrastivePair(nn.Module):
    """Send captions and pictures into one space, where those that belong together lie close.

    similarity_ij = e^s <picture_i, caption_j>, both of length 1

    Args:
        text: Reads captions; a caption is the mean of its words.
        pictures: Reads pictures or latents, one vector of width d each: a `ViT` whose classes
            are d.
        d: Width of the common space.

    Source: Radford et al. 2021, figure 3, arXiv:2103.00020.
    Differs: the mean of the words in place of the last one; pictures may be latents.
    """

    def __init__(self, text: TextEncoder, pictures: nn.Module, d: int) -> None:
        super().__init__()
        self.text, self.pictures = text, pictures
        self.project = nn.Linear(text.words.embedding_dim, d, bias=False)
        self.log_factor = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def embed_captions(self, tokens: Int[Tensor, "b m"]) -> Float[Tensor, "b d"]:
        """Return a vector of length 1 per caption."""
        words, _ = self.text(tokens)
        known = (tokens != PADDING)[..., None]
        mean = (words * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
        return F.normalize(self.project(mean), dim=-1)

    def embed_pictures(self, pictures: Float[Tensor, "b c i j"]) -> Float[Tensor, "b d"]:
        """Return a vector of length 1 per picture."""
        return F.normalize(self.pictures(pictures), dim=-1)

    def forward(
        self, pictures: Float[Tensor, "b c i j"], tokens: Int[Tensor, "k m"]
    ) -> Float[Tensor, "b k"]:
        """Return the logits of each caption for each picture."""
        factor = self.log_factor.clamp(max=LARGEST).exp()
        return factor * self.embed_pictures(pictures) @ self.embed_captions(tokens).T

    def loss(
        self, pictures: Float[Tensor, "b c i j"], tokens: Int[Tensor, "b m"]
    ) -> Float[Tensor, ""]:
        """Return how surprising each picture's caption is among the batch's, and each caption's
        picture: the mean of both cross-entropies, in nats.

        Raises:
            ShapeError: There are not as many captions as pictures.
        """
        if len(pictures) != len(tokens):
            raise ShapeError(
                f"pictures and tokens must be pairs, but there are {len(pictures)} pictures and "
                f"{len(tokens)} captions."
            )
        logits, own = self(pictures, tokens), torch.arange(len(tokens), device=tokens.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
