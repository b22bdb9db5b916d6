"""The encoder-decoder: one stack of blocks reads a sequence, another writes a new one from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import KeyValueCache, sinusoidal_positions
from ..checks import check_shape, check_sizes, check_tokens
from ..errors import ConfigError, ShapeError
from .block import Block, BlockConfig
from .initialisation import initialise


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig:
    """Shape of an `EncoderDecoder`.

    Args:
        source_vocab: Number of tokens in the language that is read, special ones included.
        target_vocab: The same of the language that is written.
        encoder_depth: Blocks that read.
        decoder_depth: Blocks that write.
        block: What they look like. The decoder's are made causal and look at the encoder's
            output; without block.positions, sines are added to the tokens.
        max_length: Longest sequence, special tokens included.
        pad: Token that fills up short sequences, the same in both languages.
        begin: Token before the first one that is written.
        end: Token after the last one.

    Raises:
        ConfigError: The special tokens are not three different ones, or the block is causal.
    """

    source_vocab: int
    target_vocab: int
    encoder_depth: int = 3
    decoder_depth: int = 3
    block: BlockConfig = field(default_factory=lambda: BlockConfig(d=128, heads=4))
    max_length: int = 64
    pad: int = 0
    begin: int = 1
    end: int = 2

    def __post_init__(self) -> None:
        check_sizes(encoder_depth=self.encoder_depth, decoder_depth=self.decoder_depth)
        check_sizes(source_vocab=self.source_vocab, target_vocab=self.target_vocab)
        check_sizes(max_length=self.max_length)
        special = {self.pad, self.begin, self.end}
        least = min(self.source_vocab, self.target_vocab)
        if len(special) < 3 or not 0 <= min(special) <= max(special) < least:
            raise ConfigError(
                f"pad, begin and end must be three tokens of both vocabularies, but they are "
                f"{self.pad}, {self.begin} and {self.end}."
            )
        if self.block.causal or self.block.context_width is not None:
            raise ConfigError(
                "block must be neither causal nor have a context_width: it is the encoder's, and "
                "the decoder's is made from it."
            )


class DecoderCache(NamedTuple):
    """What a block of the decoder remembers: of the target so far, and of the source."""

    own: KeyValueCache
    read: KeyValueCache


class EncoderDecoder(nn.Module):
    """Read a source, then write a target one token at a time, looking at the source at each.

    P(y | x) = prod_i P(y_i | y_1 ... y_(i-1), x)

    Args:
        config: Its shape.

    Source: Vaswani et al. 2017, arXiv:1706.03762.
    Differs: pre-norm unless block.post_norm is set, and with the block that every other model has.
    """

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.config = config
        block, d = config.block, config.block.d
        writer = replace(block, causal=True, context_width=d)
        self.source = nn.Embedding(config.source_vocab, d)
        self.target = nn.Embedding(config.target_vocab, d)
        self.dropout = nn.Dropout(block.dropout)
        self.encoder_blocks = nn.ModuleList(Block(block) for _ in range(config.encoder_depth))
        self.decoder_blocks = nn.ModuleList(Block(writer) for _ in range(config.decoder_depth))
        self.encoder_norm = nn.Identity() if block.post_norm else block.make_norm()
        self.decoder_norm = nn.Identity() if block.post_norm else block.make_norm()
        self.head = nn.Linear(d, config.target_vocab, bias=False)
        self.table: Tensor
        table = sinusoidal_positions(config.max_length, d) * (block.positions is None)
        self.register_buffer("table", table, persistent=False)
        initialise(self, std=d**-0.5)

    def encode(self, source_tokens: Int[Tensor, "b m"]) -> Float[Tensor, "b m d"]:
        """Read the source, padding masked."""
        x = self._embed("source_tokens", source_tokens, self.source)
        mask = self.source_mask(source_tokens)
        for block in self.encoder_blocks:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(
        self,
        target_tokens: Int[Tensor, "b n"],
        context: Float[Tensor, "b m d"],
        source_mask: Bool[Tensor, "b 1 1 m"],
        *,
        caches: Sequence[DecoderCache] | None = None,
    ) -> Float[Tensor, "b n vocab"]:
        """Return the logits of what follows each token of the target.

        Padding needs no mask here: it stands at the end, where no causal position looks.

        Args:
            target_tokens: Tokens that begin with `begin`; with caches, those that follow.
            context: What `encode` returned.
            source_mask: What `source_mask` returned.
            caches: From `make_caches`; the tokens continue what they hold, and are added.

        Raises:
            ShapeError: As for `forward`, or the batch is not the context's.
        """
        check_shape("target_tokens", target_tokens, batch=len(context), positions=None)
        start = caches[0].own.length if caches else 0
        x = self._embed("target_tokens", target_tokens, self.target, start)
        for i, block in enumerate(self.decoder_blocks):
            own, read = caches[i] if caches else (None, None)
            x = block(x, context=context, context_mask=source_mask, cache=own, context_cache=read)
        return self.head(self.decoder_norm(x))

    def forward(
        self, source_tokens: Int[Tensor, "b m"], target_tokens: Int[Tensor, "b n"]
    ) -> Float[Tensor, "b n vocab"]:
        """Read the source and predict the target, all positions at once (teacher forcing).

        Args:
            source_tokens: Padded at the end.
            target_tokens: Tokens that begin with `begin`, padded at the end.

        Raises:
            ShapeError: A sequence is longer than max_length, or empty.
            DataError: A token is outside its vocabulary; looked at on the CPU alone.
        """
        context = self.encode(source_tokens)
        return self.decode(target_tokens, context, self.source_mask(source_tokens))

    def source_mask(self, source_tokens: Int[Tensor, "b m"]) -> Bool[Tensor, "b 1 1 m"]:
        """Hide the source's padding."""
        return (source_tokens != self.config.pad)[:, None, None, :]

    def make_caches(self, batch: int, m: int) -> list[DecoderCache]:
        """Make empty caches, one pair per block of the decoder, for sources of m tokens."""
        block, like = self.config.block, self.head.weight.detach()
        shape = {"kv_heads": block.kv_heads or block.heads, "k": block.d // block.heads}
        return [
            DecoderCache(
                KeyValueCache(batch, max_length=self.config.max_length, **shape, like=like),
                KeyValueCache(batch, max_length=m, **shape, like=like),
            )
            for _ in self.decoder_blocks
        ]

    def _embed(
        self, name: str, tokens: Int[Tensor, "b n"], embedding: nn.Embedding, start: int = 0
    ) -> Float[Tensor, "b n d"]:
        check_shape(name, tokens, batch=None, positions=None)
        check_tokens(name, tokens, embedding.num_embeddings)
        n, end = tokens.shape[1], start + tokens.shape[1]
        if n < 1 or end > self.config.max_length:
            raise ShapeError(
                f"{name} must have 1 to {self.config.max_length} tokens, but has {end}; shorten "
                "it, or build the model with a larger max_length."
            )
        size = self.config.block.d**0.5  # embeddings are drawn with std 1 / sqrt(d)
        return self.dropout(size * embedding(tokens) + self.table[start:end])


def teacher_forcing_loss(
    model: EncoderDecoder,
    source_tokens: Int[Tensor, "b m"],
    target_tokens: Int[Tensor, "b n"],
    *,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of each target token given the true ones before it.

    Args:
        model: Predicts target_tokens[:, 1:] from target_tokens[:, :-1].
        source_tokens: Padded at the end.
        target_tokens: begin, tokens, end, padding. A batch of padding alone has a loss of 0.
        label_smoothing: How much of the probability is spread over all tokens, in [0, 1).

    Raises:
        ConfigError: label_smoothing lies outside [0, 1).

    Source: Williams & Zipser 1989; label smoothing: Szegedy et al. 2015, arXiv:1512.00567.
    """
    if not 0 <= label_smoothing < 1:
        raise ConfigError(f"label_smoothing must lie in [0, 1), but it is {label_smoothing}.")
    logits = model(source_tokens, target_tokens[:, :-1])  # b n-1 vocab
    wanted = target_tokens[:, 1:]
    total = F.cross_entropy(
        logits.flatten(0, 1),
        wanted.flatten(),
        ignore_index=model.config.pad,
        label_smoothing=label_smoothing,
        reduction="sum",
    )
    return total / (wanted != model.config.pad).sum().clamp(min=1)
