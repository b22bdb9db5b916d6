"""The plays: whole, in one split each, plain text."""

import re

from attnoise.data import load_plays, load_shakespeare, shakespeare


def test_plays_are_whole_and_in_one_split_each():
    plays = load_plays()
    assert len(plays) == 38
    splits = {s: load_shakespeare(s) for s in ("train", "validation", "test")}
    for name, text in plays.items():
        homes = [s for s, whole in splits.items() if text in whole]
        expected = {"validation": shakespeare.VALIDATION, "test": shakespeare.TEST}
        wanted = next((s for s, names in expected.items() if name in names), "train")
        assert homes == [wanted], name
    assert len(splits["train"]) > 4_000_000


def test_held_out_lines_do_not_occur_in_training():
    train = set(load_shakespeare("train").splitlines())
    lines = [line for line in load_shakespeare("test").splitlines() if len(line) > 45]
    assert sum(line in train for line in lines) / len(lines) < 0.001


def test_text_is_plain():
    text = load_shakespeare("all")
    assert text.isascii()
    assert not re.search(r"[*_#\\]", text)
    assert "HAMLET\n" in text
    assert "\n\n\n" not in text
    assert set(text) == set(load_shakespeare("train"))
