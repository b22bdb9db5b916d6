"""Distances between sets of samples, each with its name, its floor and its interval.

A number alone says little: every function here either returns the interval beside it or is meant
to be printed beside a floor (the same number for two sets of real data) and a baseline.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..checks import check_sizes
from ..errors import ConfigError, DataError, ShapeError, choose
from .intervals import Estimate, bootstrap_interval, wilson_interval


def rows(name: str, samples: Float[Tensor, "n *axes"] | np.ndarray) -> np.ndarray:
    """Flatten samples to one float64 row each, on the CPU, whatever their device and precision.

    Raises:
        DataError: There are fewer than two samples, or one holds NaN or infinity.
    """
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu().double().numpy()  # numpy has no bfloat16
    array = np.asarray(samples)
    if array.ndim < 2 or len(array) < 2 or not array[0].size:
        raise DataError(
            f"{name} must hold at least two samples, one a row, but its shape is {array.shape}."
        )
    array = array.reshape(len(array), -1).astype(np.float64)
    if not np.isfinite(array).all():
        raise DataError(f"{name} must be finite, but it holds NaN or infinity; drop those samples.")
    return array


def pair(samples, others, names=("samples", "others")) -> tuple[np.ndarray, np.ndarray]:
    """Flatten two sets whose samples must be equally wide."""
    a, b = rows(names[0], samples), rows(names[1], others)
    if a.shape[1] != b.shape[1]:
        raise ShapeError(
            f"{names[0]} and {names[1]} must be equally wide, but their samples hold "
            f"{a.shape[1]} and {b.shape[1]} numbers."
        )
    return a, b


def frechet_distance(features: Tensor | np.ndarray, others: Tensor | np.ndarray) -> float:
    """Fréchet distance (FD) of two sets of features, as if both were Gaussian.

    |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^{1/2})

    Args:
        features: One row per sample. Say which features whenever you report the number.
        others: Likewise. The estimate grows as either set shrinks: compare only numbers taken
            with the same counts, beside `frechet_floor`.

    Raises:
        DataError: A set is too small or holds NaN.
        ShapeError: The widths differ.

    Source: Heusel et al. 2017, equation 6, arXiv:1706.08500 (there with Inception features: FID).
    """
    a, b = pair(features, others, ("features", "others"))
    c1, c2 = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    # Tr (C1 C2)^{1/2} is the sum of the square roots of the eigenvalues of C1 C2, all >= 0.
    cross = np.sqrt(np.clip(linalg.eigvals(c1 @ c2).real, 0, None)).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(c1) + np.trace(c2) - 2 * cross)


def frechet_floor(
    features: Tensor | np.ndarray,
    others: Tensor | np.ndarray,
    n: int,
    *,
    seed: int = 0,
    draws: int = 20,
) -> Estimate:
    """Floor of the Fréchet distance: its value for n real samples against other real ones.

    No model can be expected below.

    Args:
        features: Features of real samples, of which n are drawn without replacement each time.
        others: Features of the real samples that models are compared with.
        n: As many as the model's samples, or all there are if fewer.
        seed: Seeds the draws.
        draws: How often to draw.

    Returns:
        The mean over the draws, and the middle 95 % of them.

    Raises:
        ConfigError: n is below 2, or draws below 1.
        DataError, ShapeError: As in `frechet_distance`.
    """
    check_sizes(n=n, draws=draws)
    if n < 2:
        raise ConfigError(f"n must be at least 2, for a covariance, but it is {n}.")
    a, b = pair(features, others, ("features", "others"))
    random = np.random.default_rng(seed)
    n = min(n, len(a))
    found = [frechet_distance(random.choice(a, n, replace=False), b) for _ in range(draws)]
    return Estimate(float(np.mean(found)), *map(float, np.percentile(found, [2.5, 97.5])))


def nearest_distances(samples: Tensor | np.ndarray, train: Tensor | np.ndarray) -> np.ndarray:
    """Return each sample's Euclidean distance to its nearest neighbour in the training set.

    Raises:
        DataError: A set is too small or holds NaN.
        ShapeError: The widths differ.
    """
    return _nearest("samples", samples, train)


def _nearest(name: str, samples: Tensor | np.ndarray, train: Tensor | np.ndarray) -> np.ndarray:
    a, b = pair(samples, train, (name, "train"))
    return NearestNeighbors(n_neighbors=1).fit(b).kneighbors(a)[0][:, 0]


class Memorisation(NamedTuple):
    """Mean nearest-neighbour distances of samples and of unseen data; whether the alarm is on."""

    samples: Estimate
    unseen: Estimate
    alarm: bool


def memorisation_alarm(samples, train, unseen, *, seed: int = 0) -> Memorisation:
    """Test for memorisation: are samples nearer to the training set than unseen real data are?

    Args:
        samples: What a model generated.
        train: What it was trained on.
        unseen: Real data that it has not seen.
        seed: Seeds the bootstrap.

    Returns:
        Mean nearest-neighbour distances with intervals; the alarm is on if the samples'
        interval lies wholly below that of the unseen data.

    Raises:
        DataError, ShapeError: As in `nearest_distances`.
    """
    found = bootstrap_interval(_nearest("samples", samples, train), seed=seed)
    real = bootstrap_interval(_nearest("unseen", unseen, train), seed=seed)
    return Memorisation(found, real, found.high < real.low)


def precision_recall(real, fake, *, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall of generated samples, by k nearest neighbours.

    A set's region is the union of balls around its samples, each reaching to the k-th neighbour.

    Args:
        real: Real samples or features.
        fake: Generated ones, best as many as real ones.
        k: Which neighbour sets the radius.

    Returns:
        Precision (proportion of fakes inside the real region) and recall (proportion of real
        samples inside the fakes' region).

    Raises:
        ConfigError: k is below 1, or not below the number of samples of either set.
        DataError, ShapeError: As in `frechet_distance`.

    Source: Kynkäänniemi et al. 2019, equations 1 and 2, arXiv:1904.06991.
    """
    check_sizes(k=k)
    a, b = pair(real, fake, ("real", "fake"))
    if k >= min(len(a), len(b)):
        raise ConfigError(
            f"k must be below the number of samples, but k = {k}, and there are {len(a)} real and "
            f"{len(b)} fake ones."
        )

    def covered(region: np.ndarray, points: np.ndarray) -> float:
        # A sample is its own first neighbour: the k-th of the others is number k + 1.
        reach = NearestNeighbors(n_neighbors=k + 1).fit(region).kneighbors(region)[0][:, -1]
        inside = cdist(points, region) <= reach + 1e-9
        return float(inside.any(1).mean())

    return covered(a, b), covered(b, a)


def _linear(seed: int) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))


def _forest(seed: int) -> Any:
    return RandomForestClassifier(100, random_state=seed)


CLASSIFIERS: dict[str, Callable[[int], Any]] = {"linear": _linear, "forest": _forest}


def two_sample_test(real, fake, *, seed: int = 0, classifier: str = "linear") -> Estimate:
    """Classifier two-sample test (C2ST): accuracy of telling fakes from real ones; chance is 0.5.

    Args:
        real: Real samples or features.
        fake: Generated ones.
        seed: Seeds the choice of samples, the folds and the forest.
        classifier: "linear", a logistic regression on each number and its square, which sees means
            and spreads but not the way in which numbers move together; or "forest", a random
            forest of 100 trees, which sees that, too, and is the stronger opponent.

    Returns:
        Accuracy on held-out samples in five folds, with Wilson's interval. The larger set is cut
        to the size of the smaller, so that chance is 0.5.

    Raises:
        ConfigError: The classifier is unknown.
        DataError: There are fewer than five samples in a set, or one holds NaN.
        ShapeError: The widths differ.

    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545.
    """
    make = choose("classifier", classifier, CLASSIFIERS)
    a, b = pair(real, fake, ("real", "fake"))
    random = np.random.default_rng(seed)
    n = min(len(a), len(b))
    if n < 5:
        raise DataError(f"real and fake must hold five samples each, for five folds, not {n}.")
    a, b = (random.permutation(x)[:n] for x in (a, b))
    x, y = np.concatenate([a, b]), np.repeat([0, 1], n)
    if classifier == "linear":
        x = np.concatenate([x, np.square(x)], axis=1)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    hits = int((cross_val_predict(make(seed), x, y, cv=folds) == y).sum())
    return wilson_interval(hits, 2 * n)
