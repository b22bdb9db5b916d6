"""Tokenizers: any text comes back; byte pairs are those of the tokenizers library."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, trainers

from attnoise.data import load_shakespeare
from attnoise.errors import ConfigError, DataError
from attnoise.transformers import BytePairTokenizer, CharacterTokenizer, SymbolTokenizer
from attnoise.transformers.tokenizers import PIECES, merge

TEXT = "the cat sat on the mat; the cats sat there. Ever and ever and ever!\n" * 3


def as_latin(piece: str) -> str:
    """Write bytes as the 256 characters of Latin-1, which the library then takes for letters."""
    return piece.encode().decode("latin-1")


def library_merges(text: str, vocab: int) -> list[tuple[bytes, bytes]]:
    """Train the tokenizers library on the same pieces."""
    theirs = Tokenizer(models.BPE())
    alphabet = [chr(i) for i in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )
    theirs.train_from_iterator([as_latin(p) for p in PIECES.findall(text)], trainer)
    found = json.loads(theirs.to_str())["model"]["merges"]
    return [tuple(side.encode("latin-1") for side in pair) for pair in found]


@pytest.mark.parametrize(
    ("text", "vocab"),
    [(TEXT, 300), (load_shakespeare("test")[:60_000], 600), ("ünïcödé für Zoë — ☃☃☃ " * 9, 290)],
)
def test_merges_are_those_of_the_tokenizers_library(text, vocab):
    ours = BytePairTokenizer.train(text, vocab)
    assert [(ours.bytes[a], ours.bytes[b]) for a, b in ours.merges] == library_merges(text, vocab)


def test_encoding_is_that_of_the_tokenizers_library():
    text = load_shakespeare("test")
    ours = BytePairTokenizer.train(text[:40_000], 500)
    names = [token.decode("latin-1") for token in ours.bytes]
    merges = [(names[a], names[b]) for a, b in ours.merges]
    theirs = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, merges))
    pieces = PIECES.findall(text[40_000:60_000])
    expected = [i for piece in pieces for i in theirs.encode(as_latin(piece)).ids]
    assert ours.encode(text[40_000:60_000]) == expected


@given(st.text())
def test_any_text_comes_back(text):
    tokenizer = BytePairTokenizer.train(TEXT, 300)
    whole = text.encode("utf8", "replace").decode()
    assert tokenizer.decode(tokenizer.encode(text)) == whole


@given(st.text())
def test_pieces_lose_nothing(text):
    assert "".join(PIECES.findall(text)) == text


def test_merges_by_hand():
    tokenizer = BytePairTokenizer.train("aaab aaab", 258)
    assert tokenizer.merges == [(97, 97), (97, 98)]  # among equals the smallest
    assert tokenizer.encode("aaab") == [256, 257]


def test_training_stops_when_no_pair_comes_twice():
    assert len(BytePairTokenizer.train("abc", 300)) == 256


def test_tokenizer_is_rebuilt_from_its_merges():
    tokenizer = BytePairTokenizer.train(TEXT, 300)
    again = BytePairTokenizer([list(pair) for pair in tokenizer.merges])  # as JSON has them
    assert again.encode(TEXT) == tokenizer.encode(TEXT)


@given(st.text(alphabet="abcdef "))
def test_characters_come_back(text):
    tokenizer = CharacterTokenizer("fed cab", special=["<pad>"])
    assert tokenizer.decode([0, *tokenizer.encode(text)]) == text


def test_special_tokens_come_first():
    tokenizer = SymbolTokenizer(["AA", "B"], special=["<pad>", "<end>"])
    assert tokenizer.encode(("B", "AA")) == [3, 2]
    assert tokenizer.decode([3, 2, 1, 0]) == ["B", "AA"]
    assert len(tokenizer) == 4


def test_what_no_file_can_hold_becomes_a_sign_of_its_own():
    tokenizer = BytePairTokenizer()
    assert tokenizer.encode("a\ud800b") == [97, 63, 98]
    assert tokenizer.decode([97, 0xFF, 98]) == "a\ufffdb"
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    assert len(BytePairTokenizer.train(TEXT, 256)) == 256


def test_merge_replaces_from_the_left():
    assert merge([1, 1, 1, 2, 1, 1], (1, 1), 9) == [9, 1, 2, 9]
    assert merge([1, 2], (1, 2), 9) == [9] and merge([2], (1, 2), 9) == [2]


def test_merges_count_from_256_and_the_first_and_last_token_may_be_merged():
    tokenizer = BytePairTokenizer([(0, 255), (256, 256)])
    assert len(tokenizer) == 258 and tokenizer.bytes[257] == b"\x00\xff" * 2
    assert tokenizer.decode([257, 97])[-1] == "a"


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SymbolTokenizer([], special=["<pad>"]), ConfigError, "^symbols must be at least one"),
        (lambda: SymbolTokenizer("ab", special=["a"]), ConfigError, "but 'a' comes twice"),
        (lambda: SymbolTokenizer("ab").decode([0, 2]), DataError, "^tokens must lie between 0 and 1, but there is 2"),
        (lambda: SymbolTokenizer("ab").decode([-1]), DataError, "there is -1"),
        (lambda: BytePairTokenizer().decode([256]), DataError, "^tokens must lie between 0 and 255, but there is 256"),
        (lambda: BytePairTokenizer([(1, 2, 3)]), ConfigError, r"merge 0 is \(1, 2, 3\)"),
        (lambda: BytePairTokenizer([(1, 2), (3, 257)]), ConfigError, r"merge 1 is \(3, 257\)"),
        (lambda: BytePairTokenizer([(-1, 2)]), ConfigError, r"merge 0 is \(-1, 2\)"),
    ],
)  # fmt: skip
def test_each_argument_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.bad_input
def test_a_long_vocabulary_is_cut_in_the_message():
    letters = [chr(97 + i) for i in range(26)] + [chr(65 + i) for i in range(10)]
    with pytest.raises(DataError) as caught:
        SymbolTokenizer(letters).encode("9876543")
    assert f" {' '.join(letters[:30])} ..., but it holds '3', '4', '5', '6', '7'; drop" in str(
        caught.value
    )


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(
        DataError, match="sequence must consist of .* 2 symbols, a b ..., but it holds 'ß', 'é'"
    ):
        CharacterTokenizer("ab").encode("aßbé")
    with pytest.raises(ConfigError, match="text must not be empty"):
        CharacterTokenizer("")
    with pytest.raises(ConfigError, match="each come once, but 'b' comes twice"):
        SymbolTokenizer(["a", "b", "b"])
    with pytest.raises(
        ConfigError, match="vocab must be at least 256, one per byte, but it is 255"
    ):
        BytePairTokenizer.train("text", 255)
    with pytest.raises(DataError, match="text must not be empty"):
        BytePairTokenizer.train("", 300)
