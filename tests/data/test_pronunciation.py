"""The pronunciation lexicon: splits that cannot leak, letters and phones."""

from attnoise.data import LETTERS, PHONES, load_pronunciations


def test_a_word_is_in_one_split():
    splits = [{e.word for e in load_pronunciations(s)} for s in ("train", "validation", "test")]
    train, validation, test = splits
    assert not train & validation and not train & test and not validation & test
    assert train | validation | test == {e.word for e in load_pronunciations("all")}
    assert 0.04 < len(test) / sum(map(len, splits)) < 0.06


def test_entries_are_letters_and_phones_without_doubles():
    for word, pronunciations in load_pronunciations("all"):
        assert set(word) <= set(LETTERS)
        assert pronunciations and len(set(pronunciations)) == len(pronunciations)
        assert all(set(phones) <= set(PHONES) and phones for phones in pronunciations)
    entries = {e.word: e.pronunciations for e in load_pronunciations("all")}
    assert entries["read"] == (("R", "EH", "D"), ("R", "IY", "D"))
    assert len(entries) > 117_000
