"""BERT: blocks that look both ways, trained to fill in what was hidden."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import LearnedPositions
from ..checks import check_indices, check_shape, check_sizes, check_tokens, values_may_be_read
from ..errors import ConfigError, ShapeError
from .block import Block, BlockConfig
from .initialisation import initialise


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """Shape of a `BERT`.

    Args:
        vocab: Number of tokens, special ones included.
        max_length: Longest sequence.
        depth: Number of blocks.
        block: What they look like; not causal. Post-norm in the paper, pre-norm by default here.
        segments: How many kinds of text a sequence may be made of (2 in the paper); 0 for no
            such embedding.
        mask: Token that hides another one.
        pad: Token that fills up short sequences.

    Raises:
        ConfigError: A number is out of range, the block is causal, or mask and pad are not two
            tokens of the vocabulary.
    """

    vocab: int
    max_length: int = 128
    depth: int = 4
    block: BlockConfig = field(default_factory=lambda: BlockConfig(d=128, heads=4))
    segments: int = 0
    mask: int = 1
    pad: int = 0

    def __post_init__(self) -> None:
        check_sizes(vocab=self.vocab, max_length=self.max_length, depth=self.depth)
        if self.segments < 0:
            raise ConfigError(f"segments must be at least 0, but it is {self.segments}.")
        if self.block.causal:
            raise ConfigError("block.causal must be False: BERT fills a gap from both sides.")
        low, high = sorted((self.mask, self.pad))
        if not 0 <= low < high < self.vocab:
            raise ConfigError(
                f"mask and pad must be two tokens below vocab = {self.vocab}, but they are "
                f"{self.mask} and {self.pad}."
            )


class BERT(nn.Module):
    """Encode each token with everything around it, and predict the hidden ones.

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
        self.positions = LearnedPositions(config.max_length, d) if block.positions is None else None
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
            ShapeError: The sequence is empty or longer than max_length, or the model has no
                segments.
            DataError: A token or segment is out of range; looked at on the CPU alone.
        """
        check_shape("tokens", tokens, batch=None, positions=None)
        check_tokens("tokens", tokens, self.config.vocab)
        n = tokens.shape[1]
        if not 1 <= n <= self.config.max_length:
            raise ShapeError(
                f"tokens must be 1 to {self.config.max_length} per sequence, but are {n}; split "
                "the text, or build the model with a larger max_length."
            )
        x = self.tokens(tokens)  # b n d
        if self.positions is not None:
            x = x + self.positions(torch.arange(n, device=tokens.device))
        if segments is not None:
            check_shape("segments", segments, batch=len(tokens), positions=n)
            check_indices("segments", segments, self.config.segments)
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
        """Hide the padding; None, which is faster, where it is seen for free that there is none."""
        real = tokens != self.config.pad
        if values_may_be_read(real) and bool(real.all()):
            return None
        return real[:, None, None, :]


class MaskedTokens(NamedTuple):
    """Tokens with some hidden, and where: True = must be predicted."""

    tokens: Int[Tensor, "b n"]
    chosen: Bool[Tensor, "b n"]


def mask_tokens(
    tokens: Int[Tensor, "b n"],
    config: BERTConfig,
    generator: torch.Generator,
    *,
    mask_ratio: float = 0.15,
    special: int = 2,
) -> MaskedTokens:
    """Choose tokens that must be predicted, and hide most of them: BERT's 80/10/10 rule.

    Of the chosen, 80 % become `mask`, 10 % a random token, 10 % stay: since the model cannot know
    which tokens it will be asked about, it has to know them all.

    Args:
        tokens: Padded at the end; padding is never chosen.
        config: Says what `mask` and `pad` are.
        generator: The source of randomness, on the tokens' device or on the CPU.
        mask_ratio: Of the tokens that are chosen, in (0, 1].
        special: Tokens below this number are never put in another's place.

    Raises:
        ConfigError: mask_ratio lies outside (0, 1], or special outside [0, vocab).
        DataError: A token lies outside [0, vocab); looked at on the CPU alone.

    Source: Devlin et al. 2018, section 3.1, arXiv:1810.04805.
    """
    if not 0 < mask_ratio <= 1:
        raise ConfigError(f"mask_ratio must lie in (0, 1], but it is {mask_ratio}; 0.15 is usual.")
    if not 0 <= special < config.vocab:
        raise ConfigError(
            f"special must lie between 0 and {config.vocab - 1}, but it is {special}; it counts "
            "the special tokens, which come first."
        )
    check_tokens("tokens", tokens, config.vocab)
    at: dict[str, Any] = {"generator": generator, "device": generator.device}
    device = tokens.device
    chosen = (torch.rand(tokens.shape, **at).to(device) < mask_ratio) & (tokens != config.pad)
    draw = torch.rand(tokens.shape, **at).to(device)  # decides what becomes of the chosen
    others = torch.randint(special, config.vocab, tokens.shape, **at).to(tokens)
    hidden = torch.where(chosen & (draw < 0.8), config.mask, tokens)
    return MaskedTokens(torch.where(chosen & (draw >= 0.9), others, hidden), chosen)


def masked_loss(model: BERT, tokens: Int[Tensor, "b n"], masked: MaskedTokens) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of the chosen tokens alone; 0 if there are none.

    Args:
        model: The model.
        tokens: What is to be predicted.
        masked: What the model sees, from `mask_tokens`.

    Raises:
        ShapeError: tokens and masked differ in shape.
        DataError: A token lies outside [0, vocab); looked at on the CPU alone.
    """
    batch, n = masked.chosen.shape
    check_shape("tokens", tokens, batch=batch, positions=n)
    check_tokens("tokens", tokens, model.config.vocab)
    x, chosen = model.encode(masked.tokens), masked.chosen  # b n d, b n
    if values_may_be_read(chosen):  # the head runs where it is asked; how often, a GPU cannot say
        x, tokens, chosen = x[chosen], tokens[chosen], chosen[chosen]
    logits = model.head(model.transform(x))
    losses = F.cross_entropy(logits.flatten(0, -2), tokens.flatten(), reduction="none")
    return (losses * chosen.flatten()).sum() / chosen.sum().clamp(min=1)


class SequenceClassifier(nn.Module):
    """A BERT with one more layer, which reads a class off the first token.

    Args:
        bert: Pre-trained or fresh; it is trained on together with the new layer.
        classes: Number of classes.
        dropout: On the pooled vector, while training.

    Raises:
        ConfigError: classes < 1, or dropout outside [0, 1).

    Source: Devlin et al. 2018, section 4.1: tanh of a linear layer on the first token, then a
        linear layer.
    """

    def __init__(self, bert: BERT, classes: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        check_sizes(classes=classes)
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1), but it is {dropout}.")
        d = bert.config.block.d
        self.bert = bert
        self.pool = nn.Sequential(nn.Linear(d, d), nn.Tanh())
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(d, classes)

    def forward(self, tokens: Int[Tensor, "b n"]) -> Float[Tensor, "b classes"]:
        """Return the logits of each sequence's class."""
        return self.classify(self.dropout(self.pool(self.bert.encode(tokens)[:, 0])))
