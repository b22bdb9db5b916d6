"""A transformer text encoder: a vector per word of a caption, each of which has seen the others."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..checks import check_sizes, check_tokens
from ..errors import ShapeError
from ..transformers import Block, BlockConfig, initialise

PADDING = 0  # token 0 is no word


class TextEncoder(nn.Module):
    """Encode captions with the blocks of Part II, bidirectional: one vector per token.

    Args:
        vocab: Number of tokens; token 0 is padding.
        max_length: Tokens of the longest caption.
        d: Width of a word's vector.
        depth: Number of blocks.
        heads: Their attention heads; must divide d.

    Raises:
        ConfigError: A size is below 1 or no whole number, or heads does not divide d.
    """

    def __init__(
        self, vocab: int, max_length: int, d: int = 96, *, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        check_sizes(vocab=vocab, max_length=max_length, d=d, depth=depth, heads=heads)
        self.words = nn.Embedding(vocab, d)
        self.positions = nn.Parameter(torch.randn(max_length, d) * d**-0.5)
        self.blocks = nn.ModuleList(Block(BlockConfig(d=d, heads=heads)) for _ in range(depth))
        self.norm = nn.LayerNorm(d)
        initialise(self, std=d**-0.5)

    def forward(
        self, tokens: Int[Tensor, "b m"]
    ) -> tuple[Float[Tensor, "b m d"], Bool[Tensor, "b m"]]:
        """Return a vector per token, and a mask: True where a token may be attended to.

        Padding may not. An empty caption leaves one token to attend to, the first padding: its
        vector is the unconditional embedding that guidance compares with.

        Raises:
            ShapeError: There are more or fewer tokens than max_length, or no whole numbers.
            DataError: On the CPU: a token lies outside [0, vocab).
        """
        if tokens.ndim != 2 or tokens.shape[1] != len(self.positions):
            raise ShapeError(
                f"tokens must have shape (batch, {len(self.positions)}), but their shape is "
                f"{tuple(tokens.shape)}; `encode_captions` makes them."
            )
        check_tokens("tokens", tokens, self.words.num_embeddings)
        attended = tokens != PADDING
        attended = attended | (torch.arange(tokens.shape[1], device=tokens.device) == 0)
        x = self.words(tokens) + self.positions  # b m d
        for block in self.blocks:
            x = block(x, attended[:, None, None])
        return self.norm(x), attended
