"""Bits per character and error rates, against hand-made cases and closed forms."""

import math
import random

import pytest

from attnoise.errors import ConfigError, DataError
from attnoise.evaluation.intervals import wilson_interval
from attnoise.evaluation.text_metrics import (
    bits_per_character,
    compressed_bits_per_character,
    pronunciation_errors,
    unigram_bits_per_character,
)


def test_bits_per_character_at_chance():
    # 8 symbols, one per character: 3 bits; two characters in each token: half of it
    assert bits_per_character(math.log(8), 100, 100) == pytest.approx(3)
    assert bits_per_character(math.log(8), 50, 100) == pytest.approx(1.5)


def test_compressors_see_repetition():
    found = compressed_bits_per_character("abcdefgh" * 5000)
    assert set(found) == {"zlib", "xz", "bz2"}
    assert all(0 < value < 0.1 for value in found.values())


def test_compressors_count_bits_per_character_not_per_byte():
    text = "".join(random.Random(0).choices("äöü", k=3000))  # two bytes each, log2(3) bits
    found = compressed_bits_per_character(text)
    assert all(1.58 < value < 2.6 for value in found.values())


def test_unigram_bits_by_hand():
    # a: 3 + 1, b: 1 + 1 of six; with c: 0 + 1 of seven
    assert unigram_bits_per_character("aaab", "a") == pytest.approx(math.log2(6 / 4))
    expected = (math.log2(7 / 2) + math.log2(7)) / 2
    assert unigram_bits_per_character("aaab", "bc") == pytest.approx(expected)


def test_unigram_bits_of_its_own_text_are_its_entropy():
    assert unigram_bits_per_character("abcd" * 9999, "dcba") == pytest.approx(2, abs=1e-3)


def test_any_listed_pronunciation_counts():
    references = [[("A", "B"), ("A", "C", "D")], [("A",)], [("B", "B", "B", "B")]]
    predicted = [["A", "C", "D"], ["B"], ["B", "B", "B"]]
    errors = pronunciation_errors(predicted, references)
    assert errors.phone_error_rate == pytest.approx(2 / (3 + 1 + 4))
    assert errors.word_error_rate == wilson_interval(2, 3)


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [("", "ABC", 3), ("ABC", "AXC", 1), ("AB", "BA", 2), ("KITTEN", "SITTING", 3), ("AB", "AB", 0)],
)
def test_phone_errors_are_the_edit_distance(ours, theirs, distance):
    errors = pronunciation_errors([list(ours)], [[tuple(theirs)]])
    assert errors.phone_error_rate == distance / len(theirs)
    assert errors.word_error_rate.value == (distance > 0)


def test_equally_near_pronunciations_count_by_the_shorter():
    # one replacement of two phones, or one insertion of three: the same distance
    assert pronunciation_errors([["A", "B"]], [[("A", "B", "C"), ("A", "C")]])[0] == 1 / 2


def test_bad_input_is_named():
    with pytest.raises(DataError, match="same number of words.*1 and 2"):
        pronunciation_errors([["A"]], [[("A",)]] * 2)
    with pytest.raises(DataError, match="same number of words.*0 and 0"):
        pronunciation_errors([], [])
    for references in ([], [()]):
        with pytest.raises(DataError, match="at least one pronunciation per word, none empty"):
            pronunciation_errors([["A"]], [references])
    with pytest.raises(DataError, match="text must not be empty"):
        compressed_bits_per_character("")
    with pytest.raises(DataError, match="text must not be empty"):
        unigram_bits_per_character("abc", "")
    with pytest.raises(ConfigError, match="characters must be a whole number"):
        bits_per_character(1.0, 3, 0)
    with pytest.raises(ConfigError, match="tokens must be a whole number"):
        bits_per_character(1.0, 0, 3)
    for nats in (math.nan, math.inf, -0.1):
        with pytest.raises(ConfigError, match="nats_per_token must be finite and at least 0, but"):
            bits_per_character(nats, 3, 3)
    assert bits_per_character(0.0, 3, 3) == 0
