"""A grapheme-to-phoneme baseline without any network: counted letter-to-sound rules."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..checks import check_sizes
from ..errors import DataError

Chunk = tuple[str, ...]  # the phones of one letter: none, one or two
CONTEXTS = ((2, 2), (1, 2), (1, 1), (0, 1), (0, 0))  # letters to the left and to the right
LENGTH_PRIOR = (0.15, 0.8, 0.05)  # probability that a letter has 0, 1 or 2 phones, at first
UNSEEN = -9.0  # log probability of a chunk that the last round did not count
LEAST = 2  # a context decides if it was seen so often


class GraphemeToPhonemeRules:
    """Predict pronunciations by the likeliest phones of each letter in its context (n-gram rules).

    Letters and phones are aligned by the Viterbi path, first with a prior on how many phones a
    letter has, then with the counts of the last round (hard EM). A word is pronounced letter by
    letter: the widest context that was seen at least twice decides, else a narrower one (back-off).

    Args:
        words: Spellings.
        pronunciations: One sequence of phones for each.
        rounds: Rounds of alignment, at least 1.

    Raises:
        DataError: There are no words, or not one pronunciation for each, or an empty word.
        ConfigError: rounds is below 1.

    Source: Black, Lenzo & Pagel 1998, "Issues in building general letter to sound rules", ESCA
        workshop on speech synthesis, for the alignment. Differs: counts instead of trees.
    """

    def __init__(
        self, words: Sequence[str], pronunciations: Sequence[Sequence[str]], *, rounds: int = 3
    ) -> None:
        check_sizes(rounds=rounds)
        if not len(words) or len(words) != len(pronunciations) or not all(words):
            raise DataError(
                f"words and pronunciations must be equally many, at least one, and no word empty, "
                f"but are {len(words)} and {len(pronunciations)}; pass one pronunciation for each "
                "word."
            )
        self.scores: dict[str, dict[Chunk, float]] = {}
        for _ in range(rounds):
            pairs = zip(words, pronunciations, strict=True)
            aligned = [self.align(word, phones) for word, phones in pairs]
            self.scores = self._count(words, aligned)
        self.rules = self._rules(words, aligned)

    def align(self, word: str, phones: Sequence[str]) -> list[Chunk]:
        """Align phones with letters in order, none to two per letter: the Viterbi path.

        Phones left over when every letter has two go to the last letter.
        """
        m = len(phones)
        best = [0.0] + [-math.inf] * m  # log probability of the first j phones, after some letters
        back: list[list[int]] = []
        for letter in word:
            counted, fresh = self.scores.get(letter, {}), [-math.inf] * (m + 1)
            choice = [0] * (m + 1)
            for j in range(m + 1):
                for k in range(min(2, j) + 1):
                    prior = math.log(LENGTH_PRIOR[k])
                    score = counted.get(tuple(phones[j - k : j]), UNSEEN) if counted else prior
                    if best[j - k] + score > fresh[j]:
                        fresh[j], choice[j] = best[j - k] + score, k
            best = fresh
            back.append(choice)
        j = max(range(m + 1), key=lambda j: (best[j] > -math.inf, j))
        chunks: list[Chunk] = []
        rest = tuple(phones[j:])
        for choice in reversed(back):
            k = choice[j]
            chunks.append(tuple(phones[j - k : j]) + rest)
            j, rest = j - k, ()
        return chunks[::-1]

    @staticmethod
    def _count(
        words: Iterable[str], aligned: Iterable[list[Chunk]]
    ) -> dict[str, dict[Chunk, float]]:
        counts: dict[str, Counter[Chunk]] = defaultdict(Counter)
        for word, chunks in zip(words, aligned, strict=True):
            for letter, chunk in zip(word, chunks, strict=True):
                counts[letter][chunk] += 1
        return {
            letter: {c: math.log(n / sum(found.values())) for c, n in found.items()}
            for letter, found in counts.items()
        }

    @staticmethod
    def _rules(words: Iterable[str], aligned: Iterable[list[Chunk]]) -> dict[tuple, Chunk]:
        counts: dict[tuple, Counter[Chunk]] = defaultdict(Counter)
        for word, chunks in zip(words, aligned, strict=True):
            for i, chunk in enumerate(chunks):
                for context in CONTEXTS:
                    counts[context, *window(word, i, *context)][chunk] += 1
        return {
            key: max(found, key=lambda chunk: (found[chunk], chunk))
            for key, found in counts.items()
            if sum(found.values()) >= LEAST or key[0] == (0, 0)
        }

    def predict(self, word: str) -> list[str]:
        """Return the predicted phones of a word; a letter that was never seen has none."""
        phones: list[str] = []
        for i in range(len(word)):
            for context in CONTEXTS:
                chunk = self.rules.get((context, *window(word, i, *context)))
                if chunk is not None:
                    phones += chunk
                    break
        return phones


def window(word: str, i: int, left: int, right: int) -> tuple[str, str, str]:
    """Return the letters before letter i, the letter, and those after it; '#' marks the ends."""
    padded = "#" * left + word + "#" * right
    return padded[i : i + left], word[i], padded[i + left + 1 : i + left + 1 + right]
