"""Baselines: moments of each class, its mean image, and classes that were never seen."""

import math

import pytest
import torch

from attnoise.data import load_digits
from attnoise.errors import DataError, ShapeError
from attnoise.evaluation.baselines import PerClassGaussian, class_means
from attnoise.evaluation.classifiers import digit_classifier


def test_gaussian_baseline_has_each_class_mean_and_spread():
    generator = torch.Generator().manual_seed(0)
    images = 0.1 * torch.randn(4000, 1, 2, 3, generator=generator)
    labels = torch.arange(4000) % 2
    images[labels == 1] = 3 * images[labels == 1] + 0.2
    wanted = torch.arange(5000) % 2
    drawn = PerClassGaussian(images, labels).sample(wanted, generator)
    for label in (0, 1):
        real, fake = images[labels == label].flatten(1), drawn[wanted == label].flatten(1)
        assert torch.allclose(fake.mean(0), real.mean(0), atol=0.03)
        assert torch.allclose(fake.T.cov(), real.T.cov(), atol=0.01)
    assert drawn.min() >= -1 and drawn.max() <= 1
    with pytest.raises(DataError, match="labels must name each class twice.*class 3 has 1"):
        PerClassGaussian(images[:3], torch.tensor([2, 2, 3]))


def test_samples_are_clipped_and_come_from_the_generator():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(50, 3, generator=generator)
    gaussian, wanted = PerClassGaussian(images, torch.zeros(50).long()), torch.zeros(40).long()
    first, again = (gaussian.sample(wanted, generator.manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.abs().max() == 1
    assert first.dtype == torch.float32


def test_class_means_agree_always_and_vary_never():
    train = load_digits("train")
    wanted = torch.arange(40) % 10
    means = class_means(*train, wanted)
    assert digit_classifier().agreement(means, wanted).value == 1
    assert torch.equal(means[0], train.images[train.labels == 0].mean(0))
    assert torch.equal(means[3], means[13])


def test_class_means_of_labels_in_any_order():
    images = torch.tensor([[1.0], [5.0], [3.0]])
    found = class_means(images, torch.tensor([7, 2, 7]), torch.tensor([7, 2, 2]))
    assert found.tolist() == [[2.0], [5.0], [5.0]]


def test_bad_input_is_named():
    images, labels = torch.zeros(4, 1, 2, 2), torch.tensor([0, 0, 1, 1])
    for call in (PerClassGaussian, lambda x, y: class_means(x, y, labels)):
        with pytest.raises(ShapeError, match="labels must hold one class per image"):
            call(images, labels[:3])
        with pytest.raises(ShapeError, match="labels must hold one class per image"):
            call(images[:0], labels[:0])
    with pytest.raises(DataError, match="images of class 1 hold NaN"):
        PerClassGaussian(images.index_fill(0, torch.tensor([3]), math.nan), labels)
    gaussian = PerClassGaussian(images, labels)
    with pytest.raises(DataError, match=r"fitted classes \[0, 1\], but they hold \[2\]"):
        gaussian.sample(torch.tensor([0, 2]), torch.Generator())
    with pytest.raises(DataError, match=r"\[5\] have none"):
        class_means(images, labels, torch.tensor([0, 5]))


def test_the_same_noise_whatever_the_precision_of_the_images():
    images = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    labels, wanted = torch.zeros(20).long(), torch.zeros(4).long()
    drawn = [
        PerClassGaussian(images.to(dtype), labels).sample(wanted, torch.Generator().manual_seed(1))
        for dtype in (torch.float32, torch.float64)
    ]
    torch.testing.assert_close(*drawn)
