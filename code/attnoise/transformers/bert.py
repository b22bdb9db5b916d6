"""BERT: blocks that look both ways, trained to fill in what was hidden."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import LearnedPositions
from ..errors import ConfigError, ShapeError
from .block import Block, BlockConfig
from .initialisation import initialise


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """Shape of a `BERT`.

    Args:
        vocab: Number of tokens, special ones included.
        context: Longest sequence.
        depth: Number of blocks.
        block: What they look like; not causal. Post-norm in the paper, pre-norm by default here.
        segments: How many kinds of text a sequence may be made of (2 in the paper); 0 for no
            such embedding.
        mask: Token that hides another one.
        pad: Token that fills up short sequences.

    Raises:
        ConfigError: The block is causal, or mask and pad are not two tokens of the vocabulary.
    """

    vocab: int
    context: int = 128
    depth: int = 4
    block: BlockConfig = field(default_factory=lambda: BlockConfig(d=128, heads=4))
    segments: int = 0
    mask: int = 1
    pad: int = 0

    def __post_init__(self) -> None:
        if self.block.causal:
            raise ConfigError("block.causal must be False: BERT fills a gap from both sides.")
        if self.mask == self.pad or not 0 <= min(self.mask, self.pad) <= max(
            self.mask, self.pad
        ) < max(self.vocab, 1):
            raise ConfigError(
                f"mask and pad must be two tokens below vocab = {self.vocab}, but they are "
                f"{self.mask} and {self.pad}."
            )


class BERT(nn.Module):
    """Encode each token with everything around it, and guess the hidden ones.

    Args:
        config: Its shape.

    Source: Devlin et al. 2018, arXiv:1810.04805.
    Differs: no next-sentence task, which later work found not to help (Liu et al. 2019,
        arXiv:1907.11692).
    """

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.config = config
        block, d = config.block, config.block.d
        self.tokens = nn.Embedding(config.vocab, d)
        self.positions = LearnedPositions(config.context, d) if block.positions is None else None
        self.segments = nn.Embedding(config.segments, d) if config.segments else None
        # A pre-norm stack normalises at its end, a post-norm stack at its beginning.
        self.input_norm = block.make_norm() if block.post_norm else nn.Identity()
        self.dropout = nn.Dropout(block.dropout)
        self.blocks = nn.ModuleList(Block(block) for _ in range(config.depth))
        self.norm = nn.Identity() if block.post_norm else block.make_norm()
        self.transform = nn.Sequential(nn.Linear(d, d), nn.GELU(), block.make_norm())
        self.head = nn.Linear(d, config.vocab)
        initialise(self)
        self.head.weight = self.tokens.weight

    def encode(
        self, tokens: Int[Tensor, "b n"], segments: Int[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n d"]:
        """Return one vector per token; padding is masked.

        Args:
            tokens: Padded at the end.
            segments: Which kind of text each token belongs to; all 0 if not given.

        Raises:
            ShapeError: The sequence is empty or longer than context.
        """
        n = tokens.shape[1]
        if not 1 <= n <= self.config.context:
            raise ShapeError(
                f"tokens must be 1 to {self.config.context} per sequence, but are {n}; split the "
                "text, or build the model with a larger context."
            )
        x = self.tokens(tokens)  # b n d
        if self.positions is not None:
            x = x + self.positions(torch.arange(n, device=tokens.device))
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(tokens) if segments is None else segments)
        x = self.dropout(self.input_norm(x))
        mask = self.padding_mask(tokens)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

    def forward(
        self, tokens: Int[Tensor, "b n"], segments: Int[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n vocab"]:
        """Return the logits of what each token was before it was hidden."""
        return self.head(self.transform(self.encode(tokens, segments)))

    def padding_mask(self, tokens: Int[Tensor, "b n"]) -> Bool[Tensor, "b 1 1 n"] | None:
        """Hide the padding; None if there is none, which is faster."""
        real = tokens != self.config.pad
        return None if bool(real.all()) else real[:, None, None, :]


class Masked(NamedTuple):
    """Tokens with some hidden, and where: True = must be guessed."""

    tokens: Int[Tensor, "b n"]
    chosen: Bool[Tensor, "b n"]


def mask_tokens(
    tokens: Int[Tensor, "b n"],
    config: BERTConfig,
    generator: torch.Generator,
    *,
    share: float = 0.15,
    special: int = 2,
) -> Masked:
    """Choose a share of the tokens to be guessed, and hide most of them.

    Of the chosen, 80 % become `mask`, 10 % a random token, 10 % stay: since the model cannot know
    which tokens it will be asked about, it has to know them all.

    Args:
        tokens: Padded at the end; padding is never chosen.
        config: Says what `mask` and `pad` are.
        generator: The source of randomness.
        share: Of the tokens that are chosen, in (0, 1].
        special: Tokens below this number are never put in another's place.

    Raises:
        ConfigError: share lies outside (0, 1].

    Source: Devlin et al. 2018, section 3.1, arXiv:1810.04805.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share must lie in (0, 1], but it is {share}; 0.15 is usual.")
    device = tokens.device

    def uniform():
        return torch.rand(tokens.shape, generator=generator, device=device)

    chosen = (uniform() < share) & (tokens != config.pad)
    fate = uniform()
    others = torch.randint(special, config.vocab, tokens.shape, generator=generator, device=device)
    hidden = torch.where(chosen & (fate < 0.8), config.mask, tokens)
    return Masked(torch.where(chosen & (fate >= 0.9), others, hidden), chosen)


def masked_loss(model: BERT, tokens: Int[Tensor, "b n"], masked: Masked) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of the chosen tokens alone."""
    x = model.encode(masked.tokens)[masked.chosen]  # the head runs where it is asked: k d
    return F.cross_entropy(model.head(model.transform(x)), tokens[masked.chosen])


class SequenceClassifier(nn.Module):
    """A BERT with one more layer, which reads a class off the first token.

    Args:
        bert: Pre-trained or fresh; it is trained on together with the new layer.
        classes: Number of classes.
        dropout: On the pooled vector, while training.

    Source: Devlin et al. 2018, section 4.1: tanh of a linear layer on the first token, then a
        linear layer.
    """

    def __init__(self, bert: BERT, classes: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        d = bert.config.block.d
        self.bert = bert
        self.pool = nn.Sequential(nn.Linear(d, d), nn.Tanh())
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(d, classes)

    def forward(self, tokens: Int[Tensor, "b n"]) -> Float[Tensor, "b classes"]:
        """Return the logits of each sequence's class."""
        return self.classify(self.dropout(self.pool(self.bert.encode(tokens)[:, 0])))
