"""Write with an encoder-decoder: the likeliest token each time, or the best of several beams."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..checks import check_sizes
from ..errors import ConfigError
from .encoder_decoder import DecoderCache, EncoderDecoder


@torch.no_grad()
def greedy_decode(model: EncoderDecoder, source_tokens: Int[Tensor, "b m"]) -> Int[Tensor, "b n"]:
    """Write the likeliest token, again and again, until each sequence has ended.

    y_i = argmax P(y_i | y_1 ... y_(i-1), x), of all tokens but `pad` and `begin`

    Whether all sequences have ended is read back from the device at each step.

    Args:
        model: In evaluation mode.
        source_tokens: Padded at the end.

    Returns:
        Tokens without `begin`; `end`, then padding, follow the last one of each sequence. A
        sequence that max_length cuts off has no `end`.
    """
    config = model.config
    context, mask = model.encode(source_tokens), model.source_mask(source_tokens)
    caches = model.make_caches(*source_tokens.shape)
    following = torch.full_like(source_tokens[:, 0], config.begin)
    ended = torch.zeros_like(following, dtype=torch.bool)
    written = torch.empty_like(source_tokens[:, :0])
    while written.shape[1] + 1 < config.max_length and not ended.all():
        log_p = next_log_probabilities(model, following, context, mask, caches)
        following = log_p.argmax(dim=-1).masked_fill(ended, config.pad)
        written = torch.cat([written, following[:, None]], dim=1)
        ended = ended | (following == config.end)
    return written


@torch.no_grad()
def beam_search(
    model: EncoderDecoder,
    source_tokens: Int[Tensor, "b m"],
    *,
    beams: int = 4,
    length_penalty: float = 0.6,
) -> tuple[Int[Tensor, "b n"], Float[Tensor, " b"]]:
    """Follow the likeliest beginnings instead of one, and return the best whole sequence.

    score(y) = log P(y | x) / ((5 + |y|) / 6)^length_penalty, |y| counts `end`

    Whether all beams have ended is read back from the device at each step.

    Args:
        model: In evaluation mode.
        source_tokens: Padded at the end.
        beams: How many beginnings are kept for each source; at most target_vocab, since the
            first step has no more to offer.
        length_penalty: 0 prefers short sequences, 1 nearly averages over the tokens.

    Returns:
        Tokens without `begin`, as from `greedy_decode`, and their scores.

    Raises:
        ConfigError: beams lies outside [1, target_vocab], or length_penalty is below 0.

    Source: the penalty: Wu et al. 2016, equation 14, arXiv:1609.08144.
    """
    check_sizes(beams=beams)
    if not 0 <= length_penalty < float("inf"):
        raise ConfigError(f"length_penalty must be at least 0, but it is {length_penalty}.")
    config, b, device = model.config, len(source_tokens), source_tokens.device
    if beams > config.target_vocab:
        raise ConfigError(
            f"beams must be at most target_vocab = {config.target_vocab}, but it is {beams}."
        )
    context = model.encode(source_tokens).repeat_interleave(beams, dim=0)
    mask = model.source_mask(source_tokens).repeat_interleave(beams, dim=0)
    caches = model.make_caches(b * beams, source_tokens.shape[1])
    following = source_tokens.new_full((b * beams,), config.begin)
    written = source_tokens.new_empty(b * beams, 0)
    ended = torch.zeros(b * beams, dtype=torch.bool, device=device)
    scores = torch.full((b, beams), float("-inf"), device=device)
    scores[:, 0] = 0.0  # at first all beams are alike: only one may go on
    stay = torch.full((config.target_vocab,), float("-inf"), device=device)
    stay[config.pad] = 0.0  # what has ended goes on with padding, at no cost
    rows = torch.arange(b, device=device)[:, None] * beams
    while written.shape[1] + 1 < config.max_length and not ended.all():
        log_p = next_log_probabilities(model, following, context, mask, caches)
        log_p = torch.where(ended[:, None], stay, log_p).view(b, beams, -1)
        scores, best = (scores[:, :, None] + log_p).flatten(1).topk(beams)  # b beams
        parent = (rows + best // config.target_vocab).flatten()
        following = (best % config.target_vocab).flatten()
        written = torch.cat([written[parent], following[:, None]], dim=1)
        ended = ended[parent] | (following == config.end)
        for own, _ in caches:  # a beam never leaves its source, whose cache needs no order
            own.select(parent)
    lengths = (written != config.pad).sum(dim=1).view(b, beams)
    scores = scores / ((5 + lengths) / 6) ** length_penalty
    score, winner = scores.max(dim=1)
    return written.view(b, beams, -1)[torch.arange(b, device=device), winner], score


def next_log_probabilities(
    model: EncoderDecoder,
    following: Int[Tensor, " b"],
    context: Float[Tensor, "b m d"],
    mask: Bool[Tensor, "b 1 1 m"],
    caches: Sequence[DecoderCache],
) -> Float[Tensor, "b vocab"]:
    """Return log P of what comes after one more token; `pad` and `begin` can never come.

    The probabilities stay the model's: what is left sums to less than 1.
    """
    logits = model.decode(following[:, None], context, mask, caches=caches)[:, -1]
    log_p = logits.float().log_softmax(dim=-1)
    never = torch.tensor([model.config.pad, model.config.begin], device=log_p.device)
    return log_p.index_fill(1, never, float("-inf"))
