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

from ..data import load_digits
from ..training.checkpoints import load_checkpoint
from .metrics import Estimate, rows, wilson_interval


class DigitClassifier:
    """Two classifiers trained on the real training digits: one names digits, one gives features.

    `classify` asks a support vector machine. `features` are the 64 hidden units of a small network,
    so that a Fréchet distance in them is called FD-mlp64 (Fréchet distance, hidden layer of 64).
    """

    feature_name = "mlp64"

    def __init__(self) -> None:
        images, labels = load_digits("train")
        x, y = rows("images", images), labels.numpy()
        self.svm = SVC(gamma=0.02, C=10.0).fit(x, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mlp = MLPClassifier((64,), max_iter=300, random_state=0).fit(x, y)

    def classify(self, images: Float[Tensor, "b 1 8 8"]) -> np.ndarray:
        """Return the digit that the judge reads in each image."""
        return self.svm.predict(rows("images", images))

    def features(self, images: Float[Tensor, "b 1 8 8"]) -> np.ndarray:
        """Return the 64 hidden units for each image, after their ReLU."""
        hidden = rows("images", images) @ self.mlp.coefs_[0] + self.mlp.intercepts_[0]
        return np.maximum(hidden, 0)

    def agreement(self, images: Float[Tensor, "b 1 8 8"], labels: Int[Tensor, " b"]) -> Estimate:
        """Return the share of images that the judge reads as their label, with its interval."""
        hits = int((self.classify(images) == labels.numpy()).sum())
        return wilson_interval(hits, len(labels))


class MnistClassifier:
    """The shipped ViT as a judge of 28 x 28 digits: it names them, and gives features.

    It was trained on the real training images and names 98.7 % of the test images. `features` are
    the 64 numbers that its head reads, the mean over all patches, so that a Fréchet distance in
    them is called FD-vit64.
    """

    feature_name = "vit64"

    def __init__(self) -> None:
        model, _ = load_checkpoint("vit-mnist")
        self.model: Any = model

    @torch.no_grad()
    def features(self, images: Float[Tensor, "b 1 28 28"]) -> np.ndarray:
        """Return the 64 numbers for each image."""
        parts = [self.model.encode(some).mean(dim=1) for some in images.float().split(250)]
        return torch.cat(parts).numpy()

    @torch.no_grad()
    def classify(self, images: Float[Tensor, "b 1 28 28"]) -> np.ndarray:
        """Return the digit that the judge reads in each image."""
        features = torch.from_numpy(self.features(images))
        return self.model.head(features).argmax(dim=1).numpy()

    def agreement(self, images: Float[Tensor, "b 1 28 28"], labels: Int[Tensor, " b"]) -> Estimate:
        """Return the share of images that the judge reads as their label, with its interval."""
        return wilson_interval(int((self.classify(images) == labels.numpy()).sum()), len(labels))


@cache
def digit_classifier() -> DigitClassifier:
    """Return the judge, trained once a session (half a second)."""
    return DigitClassifier()


@cache
def mnist_classifier() -> MnistClassifier:
    """Return the judge, loaded once a session."""
    return MnistClassifier()
