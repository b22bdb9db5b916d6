"""Classifiers: accuracy on unseen digits, features, every device's images, and what is no image."""

import math

import pytest
import torch

from attnoise.data import load_digits, load_mnist
from attnoise.errors import DataError, ShapeError
from attnoise.evaluation.classifiers import digit_classifier, mnist_classifier
from attnoise.evaluation.intervals import wilson_interval


def test_the_classifier_names_unseen_digits():
    unseen, classifier = load_digits("test"), digit_classifier()
    assert classifier.agreement(*unseen).value > 0.98
    assert classifier.agreement(unseen.images, (unseen.labels + 1) % 10).value < 0.02
    features = classifier.features(unseen.images)
    assert features.shape == (445, 64)
    assert (features >= 0).all()
    outputs = features @ classifier.mlp.coefs_[1] + classifier.mlp.intercepts_[1]
    assert (outputs.argmax(1) == classifier.mlp.predict(unseen.images.flatten(1).numpy())).all()


def test_mnist_features_are_what_the_head_reads():
    images, labels = (part[::10] for part in load_mnist("test"))
    classifier = mnist_classifier()
    features = classifier.features(images)
    assert features.shape == (100, 64)
    with torch.no_grad():
        whole = classifier.model(images)
    torch.testing.assert_close(classifier.model.head(torch.from_numpy(features)), whole)
    named = whole.argmax(dim=1)
    assert (classifier.classify(images) == named.numpy()).all()
    right = int((named == labels).sum())
    assert classifier.agreement(images, labels) == wilson_interval(right, 100)
    assert right >= 95


@pytest.mark.parametrize("load", [digit_classifier, mnist_classifier])
def test_bfloat16_and_single_images_are_taken(load):
    side = 8 if load is digit_classifier else 28
    images = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    classifier, coarse = load(), images.bfloat16()
    assert (classifier.classify(coarse) == classifier.classify(coarse.float())).all()
    assert classifier.features(images[:1]).shape == (1, 64)


@pytest.mark.parametrize("load", [digit_classifier, mnist_classifier])
def test_what_is_no_image_is_refused(load):
    side = 8 if load is digit_classifier else 28
    images, classifier = torch.zeros(2, 1, side, side), load()
    for method in (classifier.classify, classifier.features):
        with pytest.raises(DataError, match="images must have pixels in"):
            method(images + 255)
        with pytest.raises(DataError, match="images must have pixels in"):
            method(images * math.nan)
        with pytest.raises(ShapeError, match="images must be floating-point"):
            method(images.byte())
        with pytest.raises(ShapeError, match="images must have shape"):
            method(images[..., 1:])
    for labels in (torch.zeros(3), torch.zeros(1), torch.zeros(2, 1), torch.zeros(())):
        with pytest.raises(ShapeError, match=r"labels must have shape \(2,\)"):
            classifier.agreement(images, labels.long())
    with pytest.raises(ShapeError, match="one class per image, at least one"):
        classifier.agreement(images[:0], torch.zeros(0).long())
    assert classifier.classify(images[:0]).shape == (0,)
