"""A baseline for pronunciation without any network: letter-to-sound rules, counted."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..errors import DataError

Chunk = tuple[str, ...]  # what one letter says: no phone, one or two
CONTEXTS = ((2, 2), (1, 2), (1, 1), (0, 1), (0, 0))  # letters to the left and to the right
SHARE_AT_FIRST = (0.15, 0.8, 0.05)  # how often a letter is taken to say 0, 1 or 2 phones


class GraphemeToPhonemeRules:
    """Let each letter say what it said most often among the same neighbours.

    Letters and phones are aligned by the likeliest path, first with a guess at how often a letter
    is silent, then again with what the last round counted. A word is spoken letter by letter: the
    widest context that was seen at least twice decides.

    Args:
        words: Spellings.
        ways: One pronunciation for each.
        rounds: How often the alignment is done anew.

    Raises:
        DataError: There are no words, or not one pronunciation for each.

    Source: Black, Lenzo & Pagel 1998, "Issues in building general letter to sound rules", ESCA
        workshop on speech synthesis, for the alignment. Differs: counts instead of trees.
    """

    def __init__(
        self, words: Sequence[str], ways: Sequence[Sequence[str]], *, rounds: int = 3
    ) -> None:
        if not words or len(words) != len(ways):
            raise DataError(
                f"words and ways must be equally many, at least one, but are {len(words)} and "
                f"{len(ways)}; pass one pronunciation for each word."
            )
        self.scores: dict[str, dict[Chunk, float]] = {}
        for _ in range(rounds):
            aligned = [self.align(word, way) for word, way in zip(words, ways, strict=True)]
            self.scores = self._count(words, aligned)
        self.rules = self._rules(words, aligned)

    def align(self, word: str, way: Sequence[str]) -> list[Chunk]:
        """Share the phones out among the letters, in order: the likeliest way to do so.

        What is left over when every letter has said two phones goes to the last letter.
        """
        m = len(way)
        best = [0.0] + [-math.inf] * m  # after some letters, with the first j phones said
        back: list[list[int]] = []
        for letter in word:
            said, fresh = self.scores.get(letter, {}), [-math.inf] * (m + 1)
            choice = [0] * (m + 1)
            for j in range(m + 1):
                for k in range(min(2, j) + 1):
                    first = math.log(SHARE_AT_FIRST[k])
                    score = said.get(tuple(way[j - k : j]), -9.0) if said else first
                    if best[j - k] + score > fresh[j]:
                        fresh[j], choice[j] = best[j - k] + score, k
            best = fresh
            back.append(choice)
        j = max(range(m + 1), key=lambda j: (best[j] > -math.inf, j))
        chunks: list[Chunk] = []
        rest = tuple(way[j:])
        for choice in reversed(back):
            k = choice[j]
            chunks.append(tuple(way[j - k : j]) + rest)
            j, rest = j - k, ()
        return chunks[::-1]

    @staticmethod
    def _count(words: Iterable[str], aligned: Iterable[list[Chunk]]) -> dict:
        counts: dict[str, Counter[Chunk]] = defaultdict(Counter)
        for word, chunks in zip(words, aligned, strict=True):
            for letter, chunk in zip(word, chunks, strict=True):
                counts[letter][chunk] += 1
        return {
            letter: {c: math.log(n / sum(found.values())) for c, n in found.items()}
            for letter, found in counts.items()
        }

    @staticmethod
    def _rules(words: Iterable[str], aligned: Iterable[list[Chunk]]) -> dict:
        counts: dict[tuple, Counter[Chunk]] = defaultdict(Counter)
        for word, chunks in zip(words, aligned, strict=True):
            for i, chunk in enumerate(chunks):
                for context in CONTEXTS:
                    counts[context, *window(word, i, *context)][chunk] += 1
        return {
            key: max(found, key=lambda chunk: (found[chunk], chunk))
            for key, found in counts.items()
            if sum(found.values()) >= 2 or key[0] == (0, 0)
        }

    def speak(self, word: str) -> list[str]:
        """Return the phones of a word; a letter that was never seen says nothing."""
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
