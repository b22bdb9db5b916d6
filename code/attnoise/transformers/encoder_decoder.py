"""The encoder-decoder: one stack of blocks reads a sequence, another writes a new one from it."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import padding_mask, sinusoidal_positions
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
        special = {self.pad, self.begin, self.end}
        if len(special) < 3 or max(special) >= min(self.source_vocab, self.target_vocab):
            raise ConfigError(
                f"pad, begin and end must be three tokens of both vocabularies, but they are "
                f"{self.pad}, {self.begin} and {self.end}."
            )
        if self.block.causal or self.block.context_width is not None:
            raise ConfigError(
                "block must be neither causal nor have a context_width: it is the encoder's, and "
                "the decoder's is made from it."
            )


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

    def encode(self, source: Int[Tensor, "b m"]) -> Float[Tensor, "b m d"]:
        """Read the source, padding masked."""
        x = self._embed("source", source, self.source)
        mask = self.source_mask(source)
        for block in self.encoder_blocks:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(
        self,
        target: Int[Tensor, "b n"],
        memory: Float[Tensor, "b m d"],
        source_mask: Bool[Tensor, "b 1 1 m"],
    ) -> Float[Tensor, "b n vocab"]:
        """Return the logits of what follows each token of the target.

        Padding needs no mask here: it stands at the end, where no causal position looks.
        """
        x = self._embed("target", target, self.target)
        for block in self.decoder_blocks:
            x = block(x, context=memory, context_mask=source_mask)
        return self.head(self.decoder_norm(x))

    def forward(
        self, source: Int[Tensor, "b m"], target: Int[Tensor, "b n"]
    ) -> Float[Tensor, "b n vocab"]:
        """Read the source and predict the target, all positions at once (teacher forcing).

        Args:
            source: Tokens, padded at the end.
            target: Tokens that begin with `begin`, padded at the end.

        Raises:
            ShapeError: A sequence is longer than max_length, or empty.
        """
        return self.decode(target, self.encode(source), self.source_mask(source))

    def source_mask(self, source: Int[Tensor, "b m"]) -> Bool[Tensor, "b 1 1 m"]:
        """Hide the source's padding."""
        return padding_mask((source != self.config.pad).sum(dim=1), source.shape[1])

    def _embed(self, name: str, tokens: Tensor, embedding: nn.Embedding) -> Tensor:
        n = tokens.shape[1]
        if not 1 <= n <= self.config.max_length:
            raise ShapeError(
                f"{name} must have 1 to {self.config.max_length} tokens, but has {n}; shorten "
                "it, or build the model with a larger max_length."
            )
        size = self.config.block.d**0.5  # embeddings are drawn with std 1 / sqrt(d)
        return self.dropout(size * embedding(tokens) + self.table[:n])


def teacher_forcing_loss(
    model: EncoderDecoder,
    source: Int[Tensor, "b m"],
    target: Int[Tensor, "b n"],
    *,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of each target token given the true ones before it.

    Args:
        model: Predicts target[:, 1:] from target[:, :-1].
        source: Tokens, padded at the end.
        target: begin, tokens, end, padding.
        label_smoothing: Share of the probability that is spread over all tokens.

    Source: Williams & Zipser 1989; label smoothing: Szegedy et al. 2015, arXiv:1512.00567.
    """
    logits = model(source, target[:, :-1])  # b n-1 vocab
    return F.cross_entropy(
        logits.flatten(0, 1),
        target[:, 1:].flatten(),
        ignore_index=model.config.pad,
        label_smoothing=label_smoothing,
    )


@torch.no_grad()
def greedy_decode(model: EncoderDecoder, source: Int[Tensor, "b m"]) -> Int[Tensor, "b n"]:
    """Write the likeliest token, again and again, until each sequence has ended.

    Returns:
        Tokens without `begin`; `end`, then padding, follow the last one of each sequence.
    """
    config = model.config
    memory, mask = model.encode(source), model.source_mask(source)
    target = torch.full_like(source[:, :1], config.begin)
    ended = torch.zeros_like(source[:, 0], dtype=torch.bool)
    while target.shape[1] < config.max_length and not ended.all():
        following = model.decode(target, memory, mask)[:, -1].argmax(dim=-1)
        following = following.masked_fill(ended, config.pad)
        target = torch.cat([target, following[:, None]], dim=1)
        ended = ended | (following == config.end)
    return target[:, 1:]


@torch.no_grad()
def beam_search(
    model: EncoderDecoder,
    source: Int[Tensor, "b m"],
    *,
    beams: int = 4,
    length_penalty: float = 0.6,
) -> tuple[Int[Tensor, "b n"], Float[Tensor, " b"]]:
    """Follow the likeliest beginnings instead of one, and return the best whole sequence.

    score(y) = log P(y | x) / ((5 + |y|) / 6)^length_penalty

    Args:
        model: The model.
        source: Tokens, padded at the end.
        beams: How many beginnings are kept for each source.
        length_penalty: 0 prefers short sequences, 1 nearly averages over the tokens.

    Returns:
        Tokens without `begin`, as from `greedy_decode`, and their scores.

    Raises:
        ConfigError: beams < 1 or more than there are tokens.

    Source: the penalty: Wu et al. 2016, equation 14, arXiv:1609.08144.
    """
    config, b = model.config, len(source)
    if not 1 <= beams <= config.target_vocab:
        raise ConfigError(
            f"beams must lie between 1 and the {config.target_vocab} tokens, but it is {beams}."
        )
    memory = model.encode(source).repeat_interleave(beams, dim=0)
    mask = model.source_mask(source).repeat_interleave(beams, dim=0)
    target = torch.full((b * beams, 1), config.begin, device=source.device)
    scores = torch.full((b, beams), float("-inf"), device=source.device)
    scores[:, 0] = 0.0  # at first all beams are alike: only one may go on
    ended = torch.zeros(b * beams, dtype=torch.bool, device=source.device)
    stay = torch.full((config.target_vocab,), float("-inf"), device=source.device)
    stay[config.pad] = 0.0  # what has ended goes on with padding, at no cost
    rows = torch.arange(b, device=source.device)[:, None] * beams
    while target.shape[1] < config.max_length and not ended.all():
        steps = model.decode(target, memory, mask)[:, -1].log_softmax(dim=-1)  # b*beams vocab
        steps = torch.where(ended[:, None], stay, steps).view(b, beams, -1)
        scores, best = (scores[:, :, None] + steps).flatten(1).topk(beams)  # b beams
        parent = (rows + best // config.target_vocab).flatten()
        token = (best % config.target_vocab).flatten()
        target = torch.cat([target[parent], token[:, None]], dim=1)
        ended = ended[parent] | (token == config.end)
    lengths = (target[:, 1:] != config.pad).sum(dim=1).view(b, beams)
    scores = scores / ((5 + lengths) / 6) ** length_penalty
    score, winner = scores.max(dim=1)
    return target.view(b, beams, -1)[torch.arange(b), winner, 1:], score
