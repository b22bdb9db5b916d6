"""A caption as vectors: one per word, which has seen the others."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..errors import ShapeError
from ..transformers import Block, BlockConfig, initialise

PADDING = 0  # token 0 is no word


class TextEncoder(nn.Module):
    """Read a caption with the blocks of Part II: a vector per word, which has seen all the others.

    Args:
        vocabulary: Number of tokens; token 0 is padding.
        length: Tokens of the longest caption.
        d: Width of a word's vector.
        depth: Number of blocks.
        heads: Their attention heads; must divide d.
    """

    def __init__(
        self, vocabulary: int, length: int, d: int = 96, *, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, d)
        self.positions = nn.Parameter(torch.randn(length, d) * d**-0.5)
        self.blocks = nn.ModuleList(Block(BlockConfig(d=d, heads=heads)) for _ in range(depth))
        self.norm = nn.LayerNorm(d)
        initialise(self, std=d**-0.5)

    def forward(
        self, tokens: Int[Tensor, "b m"]
    ) -> tuple[Float[Tensor, "b m d"], Bool[Tensor, "b m"]]:
        """Return a vector per token, and which tokens may be looked at.

        Padding may not. A caption without words leaves one token to look at, the first padding:
        its vector is what the model knows when nothing was asked for.

        Raises:
            ShapeError: There are more or fewer tokens than the encoder has positions.
        """
        if tokens.shape[1] != len(self.positions):
            raise ShapeError(
                f"tokens must have shape (batch, {len(self.positions)}), but their shape is "
                f"{tuple(tokens.shape)}; `encode_captions` makes them."
            )
        known = tokens != PADDING
        known = known | (torch.arange(tokens.shape[1], device=tokens.device) == 0)
        x = self.words(tokens) + self.positions  # b m d
        for block in self.blocks:
            x = block(x, known[:, None, None])
        return self.norm(x), known
