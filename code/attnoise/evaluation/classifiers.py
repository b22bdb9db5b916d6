"""Classifiers that score generated digits. All are trained on training data alone."""

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from torch import Tensor

from ..checks import check_images
from ..data import load_digits
from ..errors import ShapeError
from ..training.checkpoints import load_checkpoint
from .intervals import Estimate, wilson_interval


class DigitClassifier:
    """Two classifiers of 8 x 8 digits, fitted to the real training digits: labels and features.

    `classify` asks a support vector machine. `features` are the 64 hidden units of a small network,
    so that a Fréchet distance in them is called FD-mlp64 (Fréchet distance, hidden layer of 64).
    Images of any device and precision are moved to the CPU.
    """

    feature_name = "mlp64"

    def __init__(self) -> None:
        images, labels = load_digits("train")
        x, y = self._rows(images), labels.numpy()
        self.svm = SVC(gamma=0.02, C=10.0).fit(x, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mlp = MLPClassifier((64,), max_iter=300, random_state=0).fit(x, y)

    def classify(self, images: Float[Tensor, "b 1 8 8"]) -> np.ndarray:
        """Return the predicted digit of each image.

        Raises:
            ShapeError: The images have another size, or are no floating-point numbers.
            DataError: A pixel is NaN, infinite, or far outside [-1, 1].
        """
        x = self._rows(images)
        return self.svm.predict(x) if len(x) else np.empty(0, dtype=int)  # sklearn refuses none

    def features(self, images: Float[Tensor, "b 1 8 8"]) -> np.ndarray:
        """Return the 64 hidden units for each image, after their ReLU."""
        hidden = self._rows(images) @ self.mlp.coefs_[0] + self.mlp.intercepts_[0]
        return np.maximum(hidden, 0)

    def agreement(self, images: Float[Tensor, "b 1 8 8"], labels: Int[Tensor, " b"]) -> Estimate:
        """Return the accuracy of the labels by the classifier, with its Wilson interval.

        Raises:
            ShapeError: There is not one label per image, or no image.
        """
        _check_pairs(images, labels)
        return _accuracy(self.classify(images), labels)

    @staticmethod
    def _rows(images: Tensor) -> np.ndarray:
        images = images.detach().cpu()
        check_images("images", images, (1, 8, 8))
        return images.double().flatten(1).numpy()


class MnistClassifier:
    """The shipped ViT as a classifier of 28 x 28 digits: labels and features.

    It was trained on the real training images and names 98.7 % of the test images. `features` are
    the 64 numbers that its head reads, the mean over all patches, so that a Fréchet distance in
    them is called FD-vit64. Images of any device and precision are moved to the CPU.
    """

    feature_name = "vit64"

    def __init__(self) -> None:
        model, _ = load_checkpoint("vit-mnist")
        self.model: Any = model

    @torch.no_grad()
    def features(self, images: Float[Tensor, "b 1 28 28"]) -> np.ndarray:
        """Return the 64 numbers for each image.

        Raises:
            ShapeError: The images have another size, or are no floating-point numbers.
            DataError: A pixel is NaN, infinite, or far outside [-1, 1].
        """
        images = images.detach().cpu()
        check_images("images", images, (1, 28, 28))
        parts = [self.model.encode(some).mean(dim=1) for some in images.float().split(250)]
        return torch.cat(parts).numpy()

    @torch.no_grad()
    def classify(self, images: Float[Tensor, "b 1 28 28"]) -> np.ndarray:
        """Return the predicted digit of each image."""
        features = torch.from_numpy(self.features(images))
        return self.model.head(features).argmax(dim=1).numpy()

    def agreement(self, images: Float[Tensor, "b 1 28 28"], labels: Int[Tensor, " b"]) -> Estimate:
        """Return the accuracy of the labels by the classifier, with its Wilson interval.

        Raises:
            ShapeError: There is not one label per image, or no image.
        """
        _check_pairs(images, labels)
        return _accuracy(self.classify(images), labels)


def _check_pairs(images: Tensor, labels: Tensor) -> None:
    if labels.shape != images.shape[:1] or not len(labels):
        raise ShapeError(
            f"labels must have shape ({len(images)},), one class per image, at least one, but "
            f"their shape is {tuple(labels.shape)}."
        )


def _accuracy(predicted: np.ndarray, labels: Tensor) -> Estimate:
    return wilson_interval(int((predicted == labels.cpu().numpy()).sum()), len(predicted))


@cache
def digit_classifier() -> DigitClassifier:
    """Return the classifier of 8 x 8 digits, fitted once a session (half a second)."""
    return DigitClassifier()


@cache
def mnist_classifier() -> MnistClassifier:
    """Return the classifier of 28 x 28 digits, loaded once a session."""
    return MnistClassifier()
