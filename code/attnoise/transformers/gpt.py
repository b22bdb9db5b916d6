"""GPT: blocks that look back, trained to predict the next token at every position at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import KeyValueCache, LearnedPositions
from ..checks import check_indices, check_shape, check_sizes, check_tokens
from ..errors import ConfigError, ShapeError
from .block import Block, BlockConfig
from .initialisation import initialise


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Shape of a `GPT`.

    Args:
        vocab: Number of tokens.
        max_length: Longest sequence that the model sees.
        depth: Number of blocks.
        block: What they look like; causal. Without block.positions, positions are learned.
        tied: Whether the embedding is also the head, as in GPT-2.

    Raises:
        ConfigError: The block is not causal, or a number is below 1.
    """

    vocab: int
    max_length: int = 256
    depth: int = 4
    block: BlockConfig = field(default_factory=lambda: BlockConfig(d=128, heads=4, causal=True))
    tied: bool = True

    def __post_init__(self) -> None:
        check_sizes(vocab=self.vocab, max_length=self.max_length, depth=self.depth)
        if not self.block.causal:
            raise ConfigError(
                "block.causal must be True: a GPT that sees the next token has nothing to predict."
            )


def modern_block(d: int, heads: int, **options) -> BlockConfig:
    """Return a causal block as most models since Llama have it: rotary, RMSNorm, SwiGLU, no bias.

    Source: Touvron et al. 2023, section 2.2, arXiv:2302.13971; with QK-norm: Qwen3, OLMo 2.
    """
    settings = {"mlp": "swiglu", "norm": "rms", "positions": "rotary", "qk_norm": True}
    return BlockConfig(d=d, heads=heads, causal=True, bias=False, **{**settings, **options})


# vocab and tokenizer of GPT-2: Radford et al. 2019; the two sizes named after nanoGPT's recipes
# are those of its README, with the 65 characters of its Shakespeare file.
GPT_PRESETS: Mapping[str, GPTConfig] = {
    "gpt2": GPTConfig(
        vocab=50257,
        max_length=1024,
        depth=12,
        block=BlockConfig(d=768, heads=12, causal=True, mlp="gelu_tanh"),
    ),
    "nanogpt-shakespeare": GPTConfig(
        vocab=65,
        max_length=256,
        depth=6,
        block=BlockConfig(d=384, heads=6, causal=True, bias=False, dropout=0.2),
    ),
    "nanogpt-shakespeare-cpu": GPTConfig(
        vocab=65, max_length=64, depth=4, block=BlockConfig(d=128, heads=4, causal=True, bias=False)
    ),
    "laptop": GPTConfig(vocab=65, max_length=64, depth=4, block=modern_block(128, 4)),
}


class GPT(nn.Module):
    """Predict the next token from all before it.

    P(y) = prod_i P(y_i | y_1 ... y_(i-1))

    Args:
        config: Its shape.

    Source: Radford et al. 2018 and 2019.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        d = config.block.d
        self.tokens = nn.Embedding(config.vocab, d)
        learned = config.block.positions is None
        self.positions = LearnedPositions(config.max_length, d) if learned else None
        self.dropout = nn.Dropout(config.block.dropout)
        self.blocks = nn.ModuleList(Block(config.block) for _ in range(config.depth))
        self.norm = config.block.make_norm()
        self.head = nn.Linear(d, config.vocab, bias=False)
        initialise(self)
        if config.tied:
            self.head.weight = self.tokens.weight

    def forward(
        self,
        tokens: Int[Tensor, "b n"],
        *,
        padding: Int[Tensor, " b"] | None = None,
        caches: Sequence[KeyValueCache] | None = None,
    ) -> Float[Tensor, "b n vocab"]:
        """Return the logits of what follows each token.

        Args:
            tokens: Numbers in [0, vocab).
            padding: How many tokens at the left of each sequence are padding, with caches counted
                from the first token of all. Their own logits mean nothing.
            caches: One per block; the tokens continue what they hold, and are added.

        Raises:
            ShapeError: The sequence, with what the caches hold, is empty or too long.
            DataError: A token lies outside [0, vocab), or a sequence is all padding; looked at
                on the CPU alone.
        """
        check_shape("tokens", tokens, batch=None, positions=None)
        check_tokens("tokens", tokens, self.config.vocab)
        start = caches[0].length if caches else 0
        end = start + tokens.shape[1]
        self._check_length(tokens.shape[1], end)
        positions, mask = torch.arange(end, device=tokens.device), None
        if padding is not None:
            check_shape("padding", padding, batch=len(tokens))
            check_indices("padding", padding, end, fix="every sequence needs a token of its own")
            positions = positions - padding[:, None]  # b m
            mask = (positions >= 0)[:, None, None, :]  # b 1 1 m
        x = self.tokens(tokens)  # b n d
        if self.positions is not None:
            x = x + self.positions(positions[..., start:].clamp(min=0))
        x = self.dropout(x)
        for i, block in enumerate(self.blocks):
            x = block(x, mask, cache=caches[i] if caches else None)
        return self.head(self.norm(x))

    def _check_length(self, n: int, end: int) -> None:
        if n < 1 or end > self.config.max_length:
            raise ShapeError(
                f"tokens must be 1 to {self.config.max_length} with those in the cache, but they "
                f"are {end}; shorten the text, or build the model with a larger max_length."
            )

    def make_caches(self, batch: int) -> list[KeyValueCache]:
        """Make empty caches, one per block, that hold a sequence of max_length."""
        block = self.config.block
        heads, k = block.kv_heads or block.heads, block.d // block.heads
        room = max(self.config.max_length, 2 * (block.window or 0))
        like = self.tokens.weight
        return [
            KeyValueCache(batch, heads, room, k, window=block.window, like=like.detach())
            for _ in self.blocks
        ]


def next_token_loss(model: nn.Module, tokens: Int[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of each token given those before it.

    One pass trains n - 1 predictions at once, since no position sees what it must predict.

    Args:
        model: A GPT, or any module from tokens "b n" to logits "b n vocab".
        tokens: Sequences.

    Raises:
        ShapeError: The sequences are shorter than two tokens, or too long.
        DataError: A token lies outside [0, vocab); looked at on the CPU alone.
    """
    check_shape("tokens", tokens, batch=None, positions=None)
    logits = model(tokens[:, :-1])  # b n v
    check_tokens("tokens", tokens, logits.shape[-1])  # the last is a target alone
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@torch.no_grad()
def mean_loss(
    model: GPT, tokens: Int[Tensor, " n"], *, stride: int | None = None, batch: int = 16
) -> float:
    """Return the mean cross-entropy of a long text in nats, every token but the first scored once.

    Windows of the model's max_length overlap: each token has at least max_length - stride tokens
    before it, except at the start.

    Args:
        model: The model; its mode is left as it is.
        tokens: The text, at least two tokens.
        stride: Tokens by which the window moves, 1 to max_length; half of that if not given.
        batch: Windows at once.

    Raises:
        ShapeError: The text is shorter than two tokens.
        ConfigError: stride lies outside [1, max_length], or batch is below 1.
        DataError: A token lies outside [0, vocab); looked at on the CPU alone.
    """
    check_shape("tokens", tokens, positions=None)
    check_tokens("tokens", tokens, model.config.vocab)
    n, length = len(tokens), model.config.max_length
    stride = max(1, length // 2) if stride is None else stride
    check_sizes(stride=stride, batch=batch)
    if stride > length:
        raise ConfigError(
            f"stride must lie between 1 and max_length = {length}, but it is {stride}; a larger "
            "one would leave tokens out."
        )
    if n < 2:
        raise ShapeError(f"tokens must be at least 2 to predict one from another, but are {n}.")
    last = max(n - 1 - length, 0)  # where the window starts that ends with the text
    windows = [min(first, last) for first in range(0, last + stride, stride)]
    total, scored = 0.0, 1  # scored: the next token to score
    for i in range(0, len(windows), batch):
        starts, parts = windows[i : i + batch], []
        inputs = torch.stack([tokens[s : s + length + 1] for s in starts])
        losses = F.cross_entropy(
            model(inputs[:, :-1]).transpose(1, 2), inputs[:, 1:], reduction="none"
        )  # b n
        for start, row in zip(starts, losses, strict=True):
            parts.append(row[scored - start - 1 :].sum())
            scored = start + inputs.shape[1]
        total += torch.stack(parts).sum().item()  # one wait for the device per batch
    return total / (n - 1)
