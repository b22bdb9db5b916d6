"""The n-gram that the GPT is set beside: by hand, and as a distribution."""

import math
from itertools import product

import pytest

from experiments.transformers.measure_text_baselines import BackOffNGram, ppmd_bits


def test_back_off_by_hand():
    model = BackOffNGram("abab", letters=1)
    # alone: a and b twice each of 4; 0.75 is taken from both and spread evenly over two characters
    alone = (2 - 0.75) / 4 + 0.75 * 2 / 4 * 0.5
    assert alone == 0.5
    # after a: b twice of 2, one kind; after b: a once of 1
    assert model.probability("a", "b") == pytest.approx((2 - 0.75) / 2 + 0.75 / 2 * alone)
    assert model.probability("b", "b") == pytest.approx(0.75 * alone)
    assert model.probability("?", "b") == pytest.approx(alone)  # never seen: backs off
    expected = -(math.log2(alone) + math.log2(model.probability("a", "b"))) / 2
    assert model.bits("ab") == pytest.approx(expected)


def test_probabilities_sum_to_one_after_every_context():
    text = "to be or not to be that is the question"
    model, alphabet = BackOffNGram(text, letters=3), sorted(set(text))
    for context in map("".join, product("to b?", repeat=3)):
        total = sum(model.probability(context, c) for c in alphabet)
        assert total == pytest.approx(1), context


def test_what_ppmd_has_read_before_helps_it():
    text = "the quality of mercy is not strained; it droppeth as the gentle rain from heaven"
    assert ppmd_bits(text, 4, before=text) < 0.2 * ppmd_bits(text, 4)
