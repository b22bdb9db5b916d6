"""The digits: their range, a split that does not leak, and a damaged file."""

import numpy as np
import pytest
import torch

from attnoise.data import digits, load_digits
from attnoise.errors import ConfigError, DataError


def test_images_lie_on_17_grey_levels_in_minus_one_to_one():
    images, labels = load_digits("all")
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert images.unique().tolist() == [i / 8 - 1 for i in range(17)]


def test_split_is_disjoint_complete_and_balanced():
    train, test, everything = (load_digits(split) for split in ("train", "test", "all"))
    rows = lambda images: {tuple(image.tolist()) for image in images.flatten(1)}  # noqa: E731
    assert not rows(train.images) & rows(test.images)
    assert rows(train.images) | rows(test.images) == rows(everything.images)
    assert len(train.images) + len(test.images) == 1797
    share = test.labels.bincount() / everything.labels.bincount()
    assert ((share - 0.25).abs() < 0.01).all()
    assert torch.equal(load_digits("train").labels, train.labels)


def test_unknown_split_lists_those_that_exist():
    with pytest.raises(ConfigError, match="'train', 'test', 'all', but it is 'tset'.*'test'"):
        load_digits("tset")


def test_changed_data_are_refused(monkeypatch):
    from sklearn import datasets

    real = datasets.load_digits()
    real.images[0, 0, 0] += 1
    monkeypatch.setattr(datasets, "load_digits", lambda: real)
    with pytest.raises(DataError, match=f"expected {digits.SHA256[:12]}"):
        load_digits()
    assert isinstance(real.images, np.ndarray)
