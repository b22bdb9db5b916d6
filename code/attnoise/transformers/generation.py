"""Write with a GPT: one token at a time, with the sampling parameters that shape each draw."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_sizes
from ..errors import ConfigError, DataError
from .gpt import GPT


def reshape_distribution(
    logits: Float[Tensor, "*b vocab"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
) -> Float[Tensor, "*b vocab"]:
    """Sharpen a distribution and cut off its tail, in the order of the arguments.

    p_i = softmax(logits / temperature)_i if i is kept, divided by the sum of all that are kept

    Args:
        logits: Of the next token.
        temperature: Below 1 sharpens, above 1 flattens; 0 is greedy decoding: all probability
            goes to the likeliest token, the first of them if there are several.
        top_k: Keep the k likeliest tokens; 1 is greedy, too.
        top_p: Keep the smallest set of likeliest tokens whose probabilities reach top_p.
        min_p: Keep tokens at least min_p times as likely as the likeliest.

    Returns:
        Probabilities that sum to 1, in float32 at least.

    Raises:
        ConfigError: temperature < 0, top_k outside [1, vocab], top_p or min_p outside (0, 1].

    Source: top_k: Fan et al. 2018, arXiv:1805.04833; top_p: Holtzman et al. 2019,
        arXiv:1904.09751; min_p: Nguyen et al. 2024, arXiv:2407.01082.

    >>> reshape_distribution(torch.tensor([2.0, 1.0, 0.0]), top_k=1).tolist()
    [1.0, 0.0, 0.0]
    """
    if not (temperature >= 0 and math.isfinite(temperature)):
        raise ConfigError(
            f"temperature must be at least 0 and finite, but it is {temperature}; 0 takes the "
            "likeliest token every time."
        )
    if top_k is not None and not 1 <= top_k <= logits.shape[-1]:
        raise ConfigError(
            f"top_k must lie between 1 and the {logits.shape[-1]} tokens of the vocabulary, but "
            f"it is {top_k}; leave it out to keep them all."
        )
    for name, value in (("top_p", top_p), ("min_p", min_p)):
        if value is not None and not 0 < value <= 1:
            raise ConfigError(f"{name} must lie in (0, 1], but it is {value}.")
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if temperature == 0:  # the limit: no division, and nothing left for the others to cut
        greedy = logits.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, greedy, 1.0)
    # Subtracted first: a small temperature would divide large logits to infinity.
    p = ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)
    if top_k is not None:
        p = _keep_first(p, torch.arange(p.shape[-1], device=p.device) < top_k)
    if top_p is not None:
        ordered = p.sort(dim=-1, descending=True).values
        before = ordered.cumsum(dim=-1) - ordered  # what is likelier than each
        p = _keep_first(p, before < top_p)
    if min_p is not None:
        p = p * (p >= min_p * p.amax(dim=-1, keepdim=True))
    return p / p.sum(dim=-1, keepdim=True)


def _keep_first(p: Tensor, keep: Tensor) -> Tensor:
    """Keep the tokens at the given ranks, set the others to 0, and divide by the sum."""
    order = p.argsort(dim=-1, descending=True, stable=True)
    p = p * torch.zeros_like(p, dtype=torch.bool).scatter(-1, order, keep.expand_as(p))
    return p / p.sum(dim=-1, keepdim=True)


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    generator: torch.Generator,
    *,
    max_new_tokens: int,
    stop: Collection[int] = (),
    use_cache: bool = True,
    **sampling,
) -> Iterator[Int[Tensor, " b"]]:
    """Continue several prompts at once and yield the next token of each, step by step.

    When max_length is reached, the older half is forgotten and generation goes on from the newer.
    Without stop tokens nothing is read back from the device; with them, whether all have stopped
    is read at each step.

    Args:
        model: In evaluation mode.
        prompts: Tokens of each prompt, at least one, of any lengths.
        generator: The source of randomness, on the model's device or on the CPU; a generator on
            the CPU draws the same text on every device.
        max_new_tokens: How many steps at most.
        stop: Tokens that end a text; after one, that sequence yields it again and again.
        use_cache: Compute each token once, or everything anew at each step: the same result.
        sampling: temperature, top_k, top_p, min_p; see `reshape_distribution`.

    Yields:
        The next token of every sequence. Ends early when all have stopped.

    Raises:
        ConfigError: A sampling parameter is out of range, or max_new_tokens < 1.
        DataError: A prompt is empty, longer than max_length, or holds an unknown token.
    """
    _check(model, prompts, max_new_tokens)
    reshape_distribution(torch.zeros(model.config.vocab), **sampling)  # a bad value fails here
    return _generate(model, prompts, generator, max_new_tokens, sorted(stop), use_cache, sampling)


def _generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    generator: torch.Generator,
    steps: int,
    stop: list[int],
    use_cache: bool,
    sampling: dict[str, Any],
) -> Iterator[Int[Tensor, " b"]]:
    device, max_length = model.tokens.weight.device, model.config.max_length
    longest = max(map(len, prompts))
    padding = [longest - len(p) for p in prompts]  # numbers of Python: no device is asked
    rows = [[0] * pad + list(p) for pad, p in zip(padding, prompts, strict=True)]
    text = torch.tensor(rows, device=device)  # b n, filled up at the left
    ended = torch.zeros(len(text), dtype=torch.bool, device=device)
    stops = torch.tensor(stop, dtype=text.dtype, device=device)
    caches = model.make_caches(len(text)) if use_cache else None
    seen = 0  # tokens that the caches hold
    for _ in range(steps):
        if text.shape[1] > max_length:  # forget the older half
            gone = text.shape[1] - max(max_length // 2, 1)
            text, padding = text[:, gone:], [max(pad - gone, 0) for pad in padding]
            caches, seen = (model.make_caches(len(text)) if use_cache else None), 0
        pads = torch.tensor(padding, device=device) if any(padding) else None
        with torch.no_grad():  # around each step: a decorator would be gone before the first
            logits = model(text[:, seen:], padding=pads, caches=caches)[:, -1]
        following = _draw(reshape_distribution(logits, **sampling), generator)  # b
        following = torch.where(ended, text[:, -1], following)
        seen = text.shape[1] if use_cache else 0
        text = torch.cat([text, following[:, None]], dim=1)
        yield following
        if stop:
            ended = ended | torch.isin(following, stops)
            if bool(ended.all()):
                return


def _draw(p: Float[Tensor, "b vocab"], generator: torch.Generator) -> Int[Tensor, " b"]:
    """Draw from each row: the argmax of p over exponential noise, as `torch.multinomial` does.

    Written out, since that wants the generator on the device of p.
    """
    noise = torch.empty(p.shape, device=generator.device).exponential_(generator=generator)
    return (p / noise.to(p.device)).argmax(dim=-1)


def _check(model: GPT, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> None:
    config = model.config
    check_sizes(max_new_tokens=max_new_tokens)
    if not len(prompts):
        raise DataError("prompts must hold at least one prompt, but it is empty.")
    for i, prompt in enumerate(prompts):
        if not 1 <= len(prompt) <= config.max_length:
            raise DataError(
                f"prompt {i} has {len(prompt)} tokens, but the model takes 1 to "
                f"{config.max_length}; give it a first token, or keep the last ones of a long text."
            )
        wrong = [token for token in prompt if not 0 <= token < config.vocab]
        if wrong:
            raise DataError(
                f"prompt {i} holds token {wrong[0]}, but the vocabulary ends at "
                f"{config.vocab - 1}; encode it with the model's own tokenizer."
            )


def complete(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    generator: torch.Generator,
    *,
    max_new_tokens: int,
    stop: Collection[int] = (),
    use_cache: bool = True,
    **sampling,
) -> list[list[int]]:
    """Return what `generate` adds to each prompt, up to and without its stop token.

    Arguments and errors are those of `generate`.
    """
    steps = generate(
        model, prompts, generator, max_new_tokens=max_new_tokens, stop=stop, use_cache=use_cache,
        **sampling,
    )  # fmt: skip
    answers = []
    for row in torch.stack(list(steps), dim=1).tolist():
        end = next((i for i, token in enumerate(row) if token in stop), len(row))
        answers.append(row[:end])
    return answers
