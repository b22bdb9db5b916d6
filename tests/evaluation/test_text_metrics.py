"""Bits per character and error rates, against hand-made cases and closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnoise.errors import DataError
from attnoise.evaluation.text_metrics import (
    bits_per_character,
    compressed_bits_per_character,
    pronunciation_errors,
    unigram_bits_per_character,
)


def test_bits_per_character_of_an_even_guess():
    # 8 symbols, one per character: 3 bits; two characters in each token: half of it
    assert bits_per_character(math.log(8), 100, 100) == pytest.approx(3)
    assert bits_per_character(math.log(8), 50, 100) == pytest.approx(1.5)


def test_compressors_see_repetition():
    found = compressed_bits_per_character("abcdefgh" * 5000)
    assert set(found) == {"zlib", "xz", "bz2"}
    assert all(0 < value < 0.1 for value in found.values())


def test_unigram_bits_by_hand():
    # a: 3 + 1, b: 1 + 1 of six; with c: 0 + 1 of seven
    assert unigram_bits_per_character("aaab", "a") == pytest.approx(math.log2(6 / 4))
    expected = (math.log2(7 / 2) + math.log2(7)) / 2
    assert unigram_bits_per_character("aaab", "bc") == pytest.approx(expected)


def test_unigram_bits_of_its_own_text_are_its_entropy():
    assert unigram_bits_per_character("abcd" * 9999, "dcba") == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)],
)
def test_edit_distance_by_hand(ours, theirs, distance):
    assert Levenshtein.distance(ours, theirs) == distance


@given(*[st.text(alphabet="abc", max_size=6)] * 3)
def test_edit_distance_is_a_distance(a, b, c):
    assert Levenshtein.distance(a, b) == Levenshtein.distance(b, a)
    assert (Levenshtein.distance(a, b) == 0) == (a == b)
    assert Levenshtein.distance(a, c) <= Levenshtein.distance(a, b) + Levenshtein.distance(b, c)


def test_any_listed_pronunciation_counts():
    listed = [[("A", "B"), ("A", "C", "D")], [("A",)], [("B", "B", "B", "B")]]
    spoken = [["A", "C", "D"], ["B"], ["B", "B", "B"]]
    phones, words = pronunciation_errors(spoken, listed)
    assert phones == pytest.approx(2 / (3 + 1 + 4))
    assert words.value == pytest.approx(2 / 3)
    assert words.low < 2 / 3 < words.high


def test_bad_input_is_named():
    with pytest.raises(DataError, match="same number of words.*1 and 2"):
        pronunciation_errors([["A"]], [[("A",)]] * 2)
    with pytest.raises(DataError, match="text must not be empty"):
        compressed_bits_per_character("")
    with pytest.raises(DataError, match="text must not be empty"):
        unigram_bits_per_character("abc", "")
