"""Distances between sets of samples, each with its name, its floor and its interval.

A number alone says little: every function here either returns the interval beside it or is meant
to be printed beside a floor (the same number for two sets of real data) and a baseline.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg, stats
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..errors import ConfigError, DataError, ShapeError


class Estimate(NamedTuple):
    """A number and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def rows(name: str, samples: Float[Tensor, "n *axes"] | np.ndarray) -> np.ndarray:
    """Flatten samples to one float64 row each.

    Raises:
        DataError: There are fewer than two samples, or one holds NaN or infinity.
    """
    array = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if array.ndim < 2 or len(array) < 2:
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
    """Compare mean and covariance of two sets of features, as if both were Gaussian.

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
    """Measure how far n real samples lie from other real ones: no model can be expected below.

    Args:
        features: Features of real samples, of which n are drawn without replacement each time.
        others: Features of the real samples that models are compared with.
        n: As many as the model's samples, or all there are if fewer.
        seed: Seeds the draws.
        draws: How often to draw.

    Returns:
        The mean over the draws, and the middle 95 % of them.
    """
    a, b = pair(features, others, ("features", "others"))
    random = np.random.default_rng(seed)
    n = min(n, len(a))
    found = [frechet_distance(random.choice(a, n, replace=False), b) for _ in range(draws)]
    return Estimate(float(np.mean(found)), *map(float, np.percentile(found, [2.5, 97.5])))


def wilson_interval(hits: int, n: int) -> Estimate:
    """Return the share hits / n with Wilson's 95 % interval, which stays inside [0, 1].

    Source: Wilson 1927; scipy.stats.binomtest.

    Raises:
        ConfigError: Not 0 <= hits <= n with n >= 1.
    """
    if n < 1 or not 0 <= hits <= n:
        raise ConfigError(f"hits must lie between 0 and n >= 1, but hits = {hits} and n = {n}.")
    interval = stats.binomtest(int(hits), int(n)).proportion_ci(method="wilson")
    return Estimate(hits / n, float(interval.low), float(interval.high))


def bootstrap_interval(
    values: np.ndarray, statistic: Callable = np.mean, *, seed: int = 0, draws: int = 2000
) -> Estimate:
    """Return a statistic of the values with its 95 % percentile bootstrap interval.

    Source: Efron 1979; scipy.stats.bootstrap.
    """
    random = np.random.default_rng(seed)
    found = stats.bootstrap(
        (np.asarray(values),), statistic, n_resamples=draws, method="percentile", rng=random
    ).confidence_interval
    return Estimate(float(statistic(values)), float(found.low), float(found.high))


def nearest_distances(samples: Tensor | np.ndarray, train: Tensor | np.ndarray) -> np.ndarray:
    """Return each sample's Euclidean distance to its nearest neighbour in the training set."""
    a, b = pair(samples, train, ("samples", "train"))
    return NearestNeighbors(n_neighbors=1).fit(b).kneighbors(a)[0][:, 0]


class Memorisation(NamedTuple):
    """What the alarm found: both mean distances, and whether it rings."""

    samples: Estimate
    unseen: Estimate
    alarm: bool


def memorisation_alarm(samples, train, unseen, *, seed: int = 0) -> Memorisation:
    """Ring if samples lie nearer to the training set than real data that were never trained on.

    Args:
        samples: What a model generated.
        train: What it was trained on.
        unseen: Real data that it has not seen.
        seed: Seeds the bootstrap.

    Returns:
        Mean nearest-neighbour distances with intervals; the alarm rings if the samples' interval
        lies wholly below that of the unseen data.
    """
    found = bootstrap_interval(nearest_distances(samples, train), seed=seed)
    real = bootstrap_interval(nearest_distances(unseen, train), seed=seed)
    return Memorisation(found, real, found.high < real.low)


def precision_recall(real, fake, *, k: int = 3) -> tuple[float, float]:
    """Ask how many fakes lie among the real samples, and how many real ones among the fakes.

    A set's region is the union of balls around its samples, each reaching to the k-th neighbour.

    Args:
        real: Real samples or features.
        fake: Generated ones, best as many as real ones.
        k: Which neighbour sets the radius.

    Returns:
        Precision (share of fakes inside the real region) and recall (share of real samples inside
        the fakes' region).

    Source: Kynkäänniemi et al. 2019, equations 1 and 2, arXiv:1904.06991.
    """
    a, b = pair(real, fake, ("real", "fake"))

    def covered(region: np.ndarray, points: np.ndarray) -> float:
        reach = NearestNeighbors(n_neighbors=k + 1).fit(region).kneighbors(region)[0][:, -1]
        inside = cdist(points, region) <= reach + 1e-9
        return float(inside.any(1).mean())

    return covered(a, b), covered(b, a)


def two_sample_test(real, fake, *, seed: int = 0) -> Estimate:
    """Let a classifier try to tell fakes from real samples; 0.5 means that it cannot.

    The classifier is a logistic regression on each number and its square: a modest but fixed
    opponent that sees means and spreads, not the way in which numbers move together.

    Returns:
        Accuracy on held-out samples in five folds, with Wilson's interval. The larger set is cut
        to the size of the smaller, so that guessing scores 0.5.

    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545.
    """
    a, b = pair(real, fake, ("real", "fake"))
    random = np.random.default_rng(seed)
    n = min(len(a), len(b))
    a, b = (random.permutation(x)[:n] for x in (a, b))
    x = np.concatenate([a, b])
    x, y = np.concatenate([x, np.square(x)], axis=1), np.repeat([0, 1], n)
    opponent = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    hits = int((cross_val_predict(opponent, x, y, cv=folds) == y).sum())
    return wilson_interval(hits, 2 * n)
