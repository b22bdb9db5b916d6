"""Letter-to-sound rules: alignment by hand, context, and a figure on real words."""

import pytest

from attnoise.data import load_pronunciations
from attnoise.errors import DataError
from attnoise.evaluation.grapheme_to_phoneme import GraphemeToPhonemeRules, window
from attnoise.evaluation.text_metrics import pronunciation_errors

WORDS = ["cat", "at", "cab", "tab", "tax", "chat", "chess", "hat", "cache"] * 3
WAYS = [
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
RULES = GraphemeToPhonemeRules(WORDS, [way.split() for way in WAYS])


def test_letters_and_phones_are_aligned_in_order():
    assert RULES.align("chat", ["CH", "AE", "T"])[2:] == [("AE",), ("T",)]
    for word, way in zip(WORDS, WAYS, strict=True):
        chunks = RULES.align(word, way.split())
        assert len(chunks) == len(word)
        assert [phone for chunk in chunks for phone in chunk] == way.split()


def test_more_phones_than_letters_can_say_go_to_the_last():
    assert RULES.align("w", ["D", "AH", "B", "AH"]) == [("D", "AH", "B", "AH")]


def test_context_decides_what_a_letter_says():
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
    spoken = [rules.predict(e.word) for e in held_out]
    errors = pronunciation_errors(spoken, [e.pronunciations for e in held_out])
    assert errors.phone_error_rate < 0.35


def test_bad_input_is_named():
    with pytest.raises(DataError, match="equally many, at least one, but are 1 and 0"):
        GraphemeToPhonemeRules(["a"], [])
