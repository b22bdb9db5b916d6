"""How well text is predicted, and how well words are spoken: bits per character, error rates."""

import bz2
import lzma
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import DataError
from .metrics import Estimate, wilson_interval


def bits_per_character(nats_per_token: float, tokens: int, characters: int) -> float:
    """Turn a mean loss into bits per character, which models of any vocabulary share.

    bits / character = nats / token * tokens / characters / ln 2

    Args:
        nats_per_token: Mean cross-entropy of the tokens.
        tokens: How many tokens were predicted.
        characters: How many characters they stand for.
    """
    return nats_per_token * tokens / characters / math.log(2)


def compressed_bits_per_character(text: str) -> dict[str, float]:
    """Return what three general compressors need for a text, at their best settings.

    They learn while they read, from this text alone: the baselines of every language model here.

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
    """Return what a text costs when each character is guessed by how common it is: the floor.

    Counts come from `train_text`, plus one for every character of either text, so that none is
    impossible.

    Raises:
        DataError: The text is empty.
    """
    if not text:
        raise DataError("text must not be empty: there is nothing to predict.")
    counts = Counter(train_text)
    alphabet = counts.keys() | set(text)
    total = counts.total() + len(alphabet)
    return sum(math.log2(total / (counts[character] + 1)) for character in text) / len(text)


def edit_distance(ours: Sequence, theirs: Sequence) -> int:
    """Return the least number of insertions, deletions and replacements between two sequences.

    Source: Wagner & Fischer 1974.

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(theirs) + 1))
    for i, a in enumerate(ours, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(theirs, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


class PronunciationErrors(NamedTuple):
    """Share of wrong phones, and share of wrong words with its 95 % interval."""

    phones: float
    words: Estimate


def pronunciation_errors(
    spoken: Sequence[Sequence[str]], listed: Sequence[Sequence[Sequence[str]]]
) -> PronunciationErrors:
    """Compare spoken words with all the pronunciations that a dictionary lists.

    A word is right if it equals any of them; its phone errors are the edit distance to the
    nearest, in phones of that one.

    Args:
        spoken: One sequence of phones for each word.
        listed: For each word its pronunciations, at least one.

    Raises:
        DataError: The two have different lengths, or are empty.
    """
    if len(spoken) != len(listed) or not len(spoken):
        raise DataError(
            f"spoken and listed must have the same number of words, at least one, but they have "
            f"{len(spoken)} and {len(listed)}."
        )
    wrong = errors = phones = 0
    for ours, ways in zip(spoken, listed, strict=True):
        nearest, length = min((edit_distance(ours, way), len(way)) for way in ways)
        wrong, errors, phones = wrong + (nearest > 0), errors + nearest, phones + length
    return PronunciationErrors(errors / phones, wilson_interval(wrong, len(spoken)))
