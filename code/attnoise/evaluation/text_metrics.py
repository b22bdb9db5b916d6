"""How well text is predicted and words are pronounced: bits per character, error rates."""

import bz2
import lzma
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from ..checks import check_sizes
from ..errors import ConfigError, DataError
from .intervals import Estimate, wilson_interval


def bits_per_character(nats_per_token: float, tokens: int, characters: int) -> float:
    """Turn a mean loss into bits per character, which models of any vocabulary share.

    bits / character = nats / token * tokens / characters / ln 2

    Args:
        nats_per_token: Mean cross-entropy of the tokens.
        tokens: How many tokens were predicted.
        characters: How many characters they stand for.

    Raises:
        ConfigError: A count is below 1, or the loss is negative, NaN or infinite.
    """
    check_sizes(tokens=tokens, characters=characters)
    if not 0 <= nats_per_token < math.inf:
        raise ConfigError(
            f"nats_per_token must be finite and at least 0, but it is {nats_per_token}; pass the "
            "cross-entropy itself, not the log-likelihood."
        )
    return nats_per_token * tokens / characters / math.log(2)


def compressed_bits_per_character(text: str) -> dict[str, float]:
    """Return the bits per character of three general-purpose compressors at their best settings.

    They learn while they read, from this text alone: a baseline for language models.

    Raises:
        DataError: The text is empty.
    """
    if not text:
        raise DataError("text must not be empty: there is nothing to compress.")
    content = text.encode()
    sizes = {
        "zlib": len(zlib.compress(content, 9)),
        "xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)),
        "bz2": len(bz2.compress(content, 9)),
    }
    return {name: 8 * size / len(text) for name, size in sizes.items()}


def unigram_bits_per_character(train_text: str, text: str) -> float:
    """Return the bits per character of a unigram model: the weakest baseline of language models.

    Counts come from `train_text`, plus one (Laplace smoothing) for every character of either text,
    so that none is impossible.

    Raises:
        DataError: The text is empty.
    """
    if not text:
        raise DataError("text must not be empty: there is nothing to predict.")
    counts = Counter(train_text)
    alphabet = counts.keys() | set(text)
    total = counts.total() + len(alphabet)
    return sum(math.log2(total / (counts[character] + 1)) for character in text) / len(text)


class PronunciationErrors(NamedTuple):
    """Phone error rate (PER), and word error rate (WER) with its 95 % interval."""

    phone_error_rate: float
    word_error_rate: Estimate


def pronunciation_errors(
    predicted: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> PronunciationErrors:
    """Return phone and word error rates against all pronunciations that a dictionary lists.

    A word is right if it equals any of them; its phone errors are the edit distance (Levenshtein)
    to the nearest, per phone of that one.

    Args:
        predicted: One sequence of phones for each word.
        references: For each word its pronunciations, at least one, of at least one phone.

    Raises:
        DataError: The two have different lengths, or are empty, or a word has no pronunciation.
    """
    if len(predicted) != len(references) or not len(predicted):
        raise DataError(
            f"predicted and references must have the same number of words, at least one, but they "
            f"have {len(predicted)} and {len(references)}."
        )
    wrong = errors = phones = 0
    for ours, listed in zip(predicted, references, strict=True):
        if not len(listed) or not all(len(theirs) for theirs in listed):
            raise DataError(
                "references must list at least one pronunciation per word, none empty, but one "
                f"word has {listed!r}."
            )
        nearest, length = min(
            (Levenshtein.distance(ours, theirs), len(theirs)) for theirs in listed
        )
        wrong, errors, phones = wrong + (nearest > 0), errors + nearest, phones + length
    return PronunciationErrors(errors / phones, wilson_interval(wrong, len(predicted)))
