"""The playground: type a prompt, see what a GPT makes of it, and let it write on.

`playground.js` runs the shipped model on the page, from its weights, once a reader asks for it. A
recorded example stands there until then: its tokens, where every head looks, and the logits of what
follows, so that the sampling parameters can be moved at once.
"""

import base64
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from ..attention import record_weights
from ..checks import check_counts
from ..errors import ConfigError, DataError
from ..transformers import GPT, BytePairTokenizer
from .controls import Control
from .explore import MovingFigure, live
from .next_token import describe, draw, likeliest, reshape, token_name
from .studio import page_uniform

START = {"temperature": 0.8, "top_k": 8, "top_p": 1.0, "min_p": 0.0}
# What the page's script computes: the block of `modern_block`.
BLOCK = {
    "kv_heads": None, "mlp": "swiglu", "norm": "rms", "post_norm": False, "bias": False,
    "window": None, "positions": "rotary", "qk_norm": True, "context_width": None,
    "condition_width": None,
}  # fmt: skip


def playground(
    model: GPT,
    tokenizer: BytePairTokenizer,
    prompt: str,
    *,
    seed: int = 1,
    written: int = 12,
    head: tuple[int, int] = (0, 0),
    weights: str = "shakespeare",
    title: str = "The playground: let the model write on",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader's prompt is continued, token by token.

    Args:
        model: A GPT of blocks as `modern_block` makes them, with the embedding as its head.
        tokenizer: Its tokenizer.
        prompt: What stands in the field at first.
        seed: Of the draws: `page_uniform(seed, i)` draws the i-th token written.
        written: How many tokens the recorded example adds to the prompt, drawn with START.
        head: Block and head that are looked at first, counted from 0.
        weights: The file in the site's folder `_static/models`, without ".safetensors".
        title: The visible title.
        alt: What the figure shows; a fixed text if not given.

    Raises:
        ConfigError: The page's script does not compute such a model, there is no such head, or
            written is below 0.
        DataError: The prompt is empty, or longer with what is written than the model's context.
    """
    check_counts(written=written)
    _check_model(model, tokenizer, head)
    tokens = tokenizer.encode(prompt)
    _check_length(len(tokens), written, model.config.max_length)
    tokens, looked, logits = record(model, tokens, seed, written)
    names = [token_name(tokenizer, token) for token in range(len(tokenizer))]
    data = {
        "merges": tokenizer.merges,
        "config": page_config(model),
        "prompt": prompt,
        "tokens": tokens,
        "written": written,
        "looked": _address(looked),
        "logits": _address(logits),
        "seed": seed,
        "head": list(head),
        "weights": weights,
        "megabytes": round(2 * sum(p.numel() for p in model.parameters()) / 1e6, 1),
    }
    row = looked[len(tokens) - 1, head[0], head[1]] / 255

    def picture(**sampling: float) -> Figure:
        shown = [names[token] for token in tokens]
        return draw(shown, len(tokens) - written, row, logits, names, sampling)

    controls = make_controls(len(tokenizer))
    return live(
        "playground",
        data,
        controls,
        picture,
        lambda **sampling: describe(logits, names, controls, sampling),
        numbers=lambda **sampling: {"p": reshape(logits, **sampling)[likeliest(logits)].tolist()},
        title=title,
        alt=alt
        or (
            "A text cut into tokens, and under each how much the last one looks at it with one "
            "head; then bars of the twelve likeliest next tokens. Those that the sampling "
            "parameters cut off are hatched and struck through."
        ),
    )


def make_controls(vocab: int) -> dict[str, Control]:
    """Return the sliders of the sampling parameters; at their ends each leaves all tokens."""
    values: dict[str, tuple[str, list, int | None]] = {
        "temperature": ("Temperature", [i / 10 for i in range(21)], 1),
        "top_k": ("Top-k", [k for k in (1, 2, 3, 5, 8, 12, 20, 40, 100, 300) if k < vocab], None),
        "top_p": ("Top-p", [i / 20 for i in range(1, 21)], 2),
        "min_p": ("Min-p", [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0], 2),
    }
    values["top_k"][1].append(vocab)
    return {
        name: Control(
            label=label, values=all_values, start=START[name], digits=digits, idea="prediction"
        )
        for name, (label, all_values, digits) in values.items()
    }


def _check_model(model: GPT, tokenizer: BytePairTokenizer, head: tuple[int, int]) -> None:
    config = model.config
    wrong = [name for name, value in BLOCK.items() if getattr(config.block, name) != value]
    if wrong or not config.tied:
        named = ", ".join(wrong) if wrong else "tied"
        raise ConfigError(
            f"model must be a GPT of blocks as modern_block makes them, with a tied head, but "
            f"{named} differs; the page's script computes no other."
        )
    if len(tokenizer) != config.vocab:
        raise ConfigError(
            f"tokenizer must have the model's {config.vocab} tokens, but it has {len(tokenizer)}."
        )
    if not (0 <= head[0] < config.depth and 0 <= head[1] < config.block.heads):
        raise ConfigError(
            f"head must name one of {config.depth} blocks and {config.block.heads} heads, counted "
            f"from 0, but it is {head}."
        )


def _check_length(tokens: int, written: int, room: int) -> None:
    if not 1 <= tokens <= room - written:
        raise DataError(
            f"prompt must have 1 to {room - written} tokens, since {written} are written and the "
            f"model sees {room}, but it has {tokens}."
        )


def page_config(model: GPT) -> dict[str, Any]:
    """Return the numbers of a model's config with which the page's script computes."""
    config, block = model.config, model.config.block
    return {
        "vocab": config.vocab,
        "max_length": config.max_length,
        "depth": config.depth,
        "d": block.d,
        "heads": block.heads,
        "hidden": model.blocks[0].mlp.gate.out_features,  # type: ignore[union-attr]
        "rotary_base": block.rotary_base,
        "norm_eps": block.norm_eps,
    }


@torch.no_grad()
def record(
    model: GPT, prompt: Sequence[int], seed: int, written: int
) -> tuple[list[int], UInt8[Tensor, "n layers h m"], Float[Tensor, " vocab"]]:
    """Write on, and return all tokens, every head's weights in 255ths, and the next logits."""
    tokens = list(prompt)
    for i in range(written):
        p = reshape(model(torch.tensor([tokens]))[0, -1], **START)
        number = torch.tensor(page_uniform(seed, i), dtype=torch.float64)
        tokens.append(int(torch.searchsorted(p.cumsum(0), number, right=True)))
    with record_weights(model) as recorded:
        logits = model(torch.tensor([tokens]))[0, -1]
    looked = torch.stack([weights[0] for weights in recorded.values()])  # layers h n m
    return tokens, (looked * 255).round().to(torch.uint8).movedim(2, 0).contiguous(), logits


def _address(values: Tensor) -> str:
    """Return numbers as a data address: short, and apart from what tests compare as text."""
    content = values.cpu().numpy().tobytes()
    return f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"
