"""Judges of generated digits, and the baselines beside them. All see training data alone."""

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
from ..errors import DataError
from .checkpoints import load_checkpoint
from .metrics import Estimate, rows, wilson_interval


class DigitJudge:
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


class MnistJudge:
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
def digit_judge() -> DigitJudge:
    """Return the judge, trained once a session (half a second)."""
    return DigitJudge()


@cache
def mnist_judge() -> MnistJudge:
    """Return the judge, loaded once a session."""
    return MnistJudge()


class PerClassGaussian:
    """The baseline that badly trained generators lose to: one Gaussian per class.

    Args:
        images: Training images in [-1, 1].
        labels: Their classes.

    Raises:
        DataError: A class has fewer than two images.
    """

    def __init__(self, images: Float[Tensor, "b *axes"], labels: Int[Tensor, " b"]) -> None:
        self.shape, self.gaussians = images.shape[1:], {}
        for label in labels.unique().tolist():
            x = images[labels == label].flatten(1).double()
            if len(x) < 2:
                raise DataError(f"class {label} has {len(x)} images; a covariance needs two.")
            ridge = 1e-6 * torch.eye(x.shape[1], dtype=torch.float64)  # some pixels never change
            gaussian = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov() + ridge)
            self.gaussians[label] = gaussian

    def sample(
        self, labels: Int[Tensor, " b"], generator: torch.Generator
    ) -> Float[Tensor, "b *axes"]:
        """Draw one image per label, cut off at -1 and 1."""
        noise = torch.randn(
            len(labels), self.shape.numel(), generator=generator, dtype=torch.float64
        )
        out = torch.empty_like(noise)
        for label, gaussian in self.gaussians.items():
            of_class = labels == label
            out[of_class] = gaussian.loc + noise[of_class] @ gaussian.scale_tril.T
        return out.clamp(-1, 1).float().reshape(-1, *self.shape)


def class_means(
    images: Float[Tensor, "b *axes"], labels: Int[Tensor, " b"], wanted: Int[Tensor, " n"]
) -> Float[Tensor, "n *axes"]:
    """Return each wanted class's mean image: perfect agreement, no variety at all."""
    means = torch.stack([images[labels == c].mean(0) for c in range(int(labels.max()) + 1)])
    return means[wanted]
