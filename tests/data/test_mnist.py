"""MNIST: its split, its range, and digits that look like theirs."""

import torch

from attnoise.data import load_mnist


def test_mnist_is_split_by_class_and_disjoint():
    train, test = load_mnist("train"), load_mnist("test")
    assert train.images.shape == (4000, 1, 28, 28)
    assert test.labels.bincount().tolist() == [100] * 10
    assert (train.images.min(), train.images.max()) == (-1, 1)
    rows = lambda images: {tuple(image.tolist()) for image in images.flatten(1)}  # noqa: E731
    assert not rows(train.images) & rows(test.images)
    ink = torch.stack([train.images[train.labels == c].mean() for c in (0, 1)])
    assert ink[0] > ink[1]  # a nought needs more ink than a one
