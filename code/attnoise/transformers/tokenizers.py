"""Text to whole numbers and back: one number per symbol, or one per frequent run of bytes."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..errors import ConfigError, DataError


class SymbolTokenizer:
    """One token per symbol: letters, phones, characters.

    Args:
        symbols: All symbols, in the order of their numbers.
        special: Tokens that stand for no symbol, such as padding; they come first.

    Raises:
        ConfigError: There are no symbols, or one comes twice.

    >>> SymbolTokenizer("abc", special=["<pad>"]).encode("cab")
    [3, 1, 2]
    """

    def __init__(self, symbols: Iterable[str], *, special: Sequence[str] = ()) -> None:
        self.special, self.symbols = list(special), list(symbols)
        self.vocab = self.special + self.symbols
        self.numbers = {symbol: number for number, symbol in enumerate(self.vocab)}
        if not self.symbols:
            raise ConfigError("symbols must be at least one, but there are none.")
        if len(self.numbers) < len(self.vocab):
            twice = next(symbol for symbol in self.vocab if self.vocab.count(symbol) > 1)
            raise ConfigError(
                f"symbols and special must each come once, but {twice!r} comes twice."
            )

    def __len__(self) -> int:
        return len(self.vocab)

    def encode(self, sequence: Iterable[str]) -> list[int]:
        """Turn symbols into numbers.

        Raises:
            DataError: A symbol is unknown.
        """
        symbols = list(sequence)
        unknown = sorted({s for s in symbols if s not in self.numbers})
        if unknown:
            raise DataError(
                f"sequence must consist of the vocabulary's {len(self.symbols)} symbols, "
                f"{' '.join(self.symbols[:30])} ..., but it holds "
                f"{', '.join(map(repr, unknown[:5]))}; drop or replace what is unknown first."
            )
        return [self.numbers[symbol] for symbol in symbols]

    def decode(self, tokens: Iterable[int]) -> list[str]:
        """Turn numbers into symbols; special tokens are left out.

        Raises:
            DataError: A number is no token.
        """
        tokens = _known_tokens(tokens, len(self.vocab))
        return [self.vocab[token] for token in tokens if token >= len(self.special)]


def _known_tokens(tokens: Iterable[int], vocab: int) -> list[int]:
    tokens = list(tokens)
    wrong = [token for token in tokens if not 0 <= token < vocab]
    if wrong:
        raise DataError(
            f"tokens must lie between 0 and {vocab - 1}, but there is {wrong[0]}; decode with the "
            "tokenizer that encoded the text."
        )
    return tokens


class CharacterTokenizer(SymbolTokenizer):
    """One token per character of a text.

    Raises:
        ConfigError: The text is empty.

    >>> tokenizer = CharacterTokenizer("banana")
    >>> tokenizer.decode(tokenizer.encode("nab"))
    'nab'
    """

    def __init__(self, text: str, *, special: Sequence[str] = ()) -> None:
        if not text:
            raise ConfigError("text must not be empty: its characters become the vocabulary.")
        super().__init__(sorted(set(text)), special=special)

    def decode(self, tokens: Iterable[int]) -> str:  # type: ignore[override]
        """Turn numbers into text; special tokens are left out."""
        return "".join(super().decode(tokens))


# Words with the space before them, numbers, other signs, and white space by itself; merges never
# cross these borders. GPT-2's pattern with the standard library's classes.
PIECES = re.compile(r" ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")

Pair = tuple[int, int]


class BytePairTokenizer:
    """Byte-pair encoding: start from 256 bytes, and merge the commonest pair again and again.

    Any text can be encoded, since every text is bytes. A text's tokens are found by replaying the
    merges in the order in which they were learned.

    Args:
        merges: Pairs of tokens; the i-th makes token 256 + i.

    Raises:
        ConfigError: A merge is no pair of tokens that exist before it.

    Source: Sennrich et al. 2016, algorithm 1, arXiv:1508.07909; on bytes: Radford et al. 2019.

    >>> tokenizer = BytePairTokenizer.train("banana bandana", vocab=258)
    >>> tokenizer.decode(tokenizer.encode("bandana"))
    'bandana'
    """

    def __init__(self, merges: Iterable[Sequence[int]] = ()) -> None:
        self.ranks: dict[Pair, int] = {}
        self.bytes = [bytes([i]) for i in range(256)]
        for pair in map(tuple, merges):
            if len(pair) != 2 or not 0 <= min(pair) <= max(pair) < len(self.bytes):
                raise ConfigError(
                    f"merges must be pairs of tokens made before them, but merge {len(self.ranks)} "
                    f"is {pair}; pass the merges of a trained tokenizer, in their order."
                )
            self.ranks[pair] = len(self.bytes)
            self.bytes.append(self.bytes[pair[0]] + self.bytes[pair[1]])
        self._known: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.bytes)

    @classmethod
    def train(cls, text: str, vocab: int) -> "BytePairTokenizer":
        """Learn merges from a text until there are `vocab` tokens.

        The commonest pair wins; among equals the one with the smallest numbers.

        Args:
            text: Any text.
            vocab: At least 256. Fewer come back if no pair is left that occurs twice.

        Raises:
            ConfigError: vocab < 256.
            DataError: The text is empty.
        """
        if vocab < 256:
            raise ConfigError(f"vocab must be at least 256, one per byte, but it is {vocab}.")
        if not text:
            raise DataError("text must not be empty: there is nothing to learn merges from.")
        counted = Counter(PIECES.findall(text))
        words = [(list(word.encode()), count) for word, count in counted.items()]
        counts: Counter[Pair] = Counter()
        where: dict[Pair, set[int]] = defaultdict(set)  # the words in which a pair may occur
        for index, (word, count) in enumerate(words):
            for pair in zip(word, word[1:], strict=False):
                counts[pair] += count
                where[pair].add(index)
        merges: list[Pair] = []
        while len(merges) < vocab - 256 and counts:
            best = max(counts, key=lambda pair: (counts[pair], -pair[0], -pair[1]))
            if counts[best] < 2:
                break
            for index in where.pop(best):
                word, count = words[index]
                merged = merge(word, best, 256 + len(merges))
                for pair in zip(word, word[1:], strict=False):
                    counts[pair] -= count
                for pair in zip(merged, merged[1:], strict=False):
                    counts[pair] += count
                    where[pair].add(index)
                words[index] = (merged, count)
            del counts[best]
            merges.append(best)
        return cls(merges)

    @property
    def merges(self) -> list[Pair]:
        """The pairs in the order in which they were learned."""
        return list(self.ranks)

    def encode(self, text: str) -> list[int]:
        """Turn text into tokens. Lone surrogates, which no file can hold, become '?'."""
        tokens: list[int] = []
        for piece in PIECES.findall(text):
            if piece not in self._known:
                self._known[piece] = self._encode_piece(piece)
            tokens += self._known[piece]
        return tokens

    def _encode_piece(self, piece: str) -> list[int]:
        word = list(piece.encode("utf8", errors="replace"))
        while len(word) > 1:
            pairs = zip(word, word[1:], strict=False)
            first = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.bytes)))
            if first not in self.ranks:
                break
            word = merge(word, first, self.ranks[first])
        return word

    def decode(self, tokens: Iterable[int]) -> str:
        """Turn tokens into text; bytes that are no whole character become U+FFFD.

        Raises:
            DataError: A number is no token.
        """
        tokens = _known_tokens(tokens, len(self.bytes))
        return b"".join(self.bytes[token] for token in tokens).decode("utf8", errors="replace")


def merge(word: list[int], pair: Pair, token: int) -> list[int]:
    """Replace each occurrence of a pair, from the left, by one token."""
    merged, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            merged.append(token)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return merged
