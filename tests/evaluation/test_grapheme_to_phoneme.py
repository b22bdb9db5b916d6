"""Grapheme-to-phoneme rules: alignment by hand, context, back-off, and real words."""

import math

import pytest

from attnoise.data import load_pronunciations
from attnoise.errors import ConfigError, DataError
from attnoise.evaluation.grapheme_to_phoneme import GraphemeToPhonemeRules, window
from attnoise.evaluation.text_metrics import pronunciation_errors

WORDS = ["cat", "at", "cab", "tab", "tax", "chat", "chess", "hat", "cache"] * 3
PRONUNCIATIONS = [
    "K AE T",
    "AE T",
    "K AE B",
    "T AE B",
    "T AE K S",
    "CH AE T",
    "CH EH S",
    "HH AE T",
    "K AE SH",
] * 3
RULES = GraphemeToPhonemeRules(WORDS, [phones.split() for phones in PRONUNCIATIONS])


def test_letters_and_phones_are_aligned_in_order():
    assert RULES.align("chat", ["CH", "AE", "T"])[2:] == [("AE",), ("T",)]
    for word, phones in zip(WORDS, PRONUNCIATIONS, strict=True):
        chunks = RULES.align(word, phones.split())
        assert len(chunks) == len(word)
        assert [phone for chunk in chunks for phone in chunk] == phones.split()


def test_more_phones_than_letters_hold_go_to_the_last():
    assert RULES.align("w", ["D", "AH", "B", "AH"]) == [("D", "AH", "B", "AH")]


def test_context_decides_the_phones_of_a_letter():
    assert RULES.predict("chat") == ["CH", "AE", "T"]
    assert RULES.predict("bat") == ["B", "AE", "T"]  # never seen
    assert RULES.predict("z") == []


def test_window_marks_the_ends_of_a_word():
    assert window("cat", 0, 2, 1) == ("##", "c", "a")
    assert window("cat", 2, 1, 2) == ("a", "t", "##")


def test_rules_know_most_phones_of_unseen_words():
    train = load_pronunciations("train")[::40]
    rules = GraphemeToPhonemeRules([e.word for e in train], [e.pronunciations[0] for e in train])
    held_out = load_pronunciations("validation")[::20]
    predicted = [rules.predict(e.word) for e in held_out]
    errors = pronunciation_errors(predicted, [e.pronunciations for e in held_out])
    assert errors.phone_error_rate < 0.35


def test_a_context_seen_once_does_not_decide():
    # "a" between b and t is AY once; everywhere else, and so in narrower contexts, it is AE
    words = ["bat", "cat", "cap", "map"] + ["cat", "cap", "map"]
    phones = [["B", "AY", "T"], ["K", "AE", "T"], ["K", "AE", "P"], ["M", "AE", "P"]]
    once = GraphemeToPhonemeRules(words, phones + phones[1:])
    assert once.predict("bat") == ["B", "AE", "T"]
    twice = GraphemeToPhonemeRules([*words, "bat"], [*phones, *phones[1:], phones[0]])
    assert twice.predict("bat") == ["B", "AY", "T"]


def test_the_first_alignment_prefers_one_phone_a_letter():
    fresh = GraphemeToPhonemeRules(["a"], [["A"]], rounds=1)
    fresh.scores = {}
    assert fresh.align("ab", ["A", "B"]) == [("A",), ("B",)]
    assert fresh.align("abc", ["A"]).count(()) == 2
    assert fresh.align("ab", ["A", "B", "C"]) in ([("A", "B"), ("C",)], [("A",), ("B", "C")])
    assert fresh.align("ab", []) == [(), ()]


def test_later_rounds_align_by_the_counts():
    words = ["xa", "bx", "cx", "dx", "a", "a", "a"]
    phones = [["A"], ["B"], ["C"], ["D"], ["A"], ["A"], ["A"]]
    first = GraphemeToPhonemeRules(words, phones, rounds=1)  # a tie: the first letter takes it
    assert first.scores["x"] == pytest.approx({("A",): math.log(1 / 4), (): math.log(3 / 4)})
    second = GraphemeToPhonemeRules(words, phones, rounds=2)  # but x has seldom a phone, a always
    assert second.scores["x"] == {(): 0.0}
    assert second.scores["a"] == {("A",): 0.0}


def test_bad_input_is_named():
    with pytest.raises(DataError, match="equally many, at least one, .* but are 1 and 0"):
        GraphemeToPhonemeRules(["a"], [])
    with pytest.raises(DataError, match="but are 0 and 0"):
        GraphemeToPhonemeRules([], [])
    with pytest.raises(DataError, match="no word empty"):
        GraphemeToPhonemeRules([""], [["A"]])
    for rounds in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="rounds must be a whole number of at least 1"):
            GraphemeToPhonemeRules(["a"], [["A"]], rounds=rounds)
