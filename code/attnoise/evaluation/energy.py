"""The energy distance: two sets of points are compared whole, not by a mean and a covariance."""

import numpy as np
from scipy.spatial.distance import cdist
from torch import Tensor

from .metrics import pair


def energy_distance(samples: Tensor | np.ndarray, others: Tensor | np.ndarray) -> float:
    """Energy distance of two sets of points: 0 if and only if they follow one distribution.

    2 E|x - y| - E|x - x'| - E|y - y'|, each a mean over pairs of different samples

    Args:
        samples: One row per sample.
        others: Likewise. The estimate is unbiased, so that it can fall a little below 0.

    Raises:
        DataError: A set is too small or holds NaN.
        ShapeError: The widths differ.

    Source: Székely & Rizzo 2013, Journal of Statistical Planning and Inference 143.
    """
    a, b = pair(samples, others)
    within = sum(cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (a, b))
    return float(2 * cdist(a, b).mean() - within)
