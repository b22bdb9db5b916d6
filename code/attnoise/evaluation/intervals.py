"""Confidence intervals: Wilson's for proportions, the bootstrap's for everything else."""

import inspect
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ..checks import check_sizes
from ..errors import ConfigError, DataError

parameters = inspect.signature(stats.bootstrap).parameters
BOOTSTRAP_GENERATOR = "rng" if "rng" in parameters else "random_state"


class Estimate(NamedTuple):
    """A number and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson_interval(hits: int, n: int) -> Estimate:
    """Wilson score interval: the proportion hits / n with its 95 % interval, inside [0, 1].

    Source: Wilson 1927; scipy.stats.binomtest.

    Raises:
        ConfigError: They are no whole numbers with 0 <= hits <= n and n >= 1.
    """
    try:
        hits, n = operator.index(hits), operator.index(n)
    except TypeError as error:
        raise ConfigError(
            f"hits and n must be whole numbers, but they are {hits!r} and {n!r}; count successes."
        ) from error
    if n < 1 or not 0 <= hits <= n:
        raise ConfigError(f"hits must lie between 0 and n >= 1, but hits = {hits} and n = {n}.")
    interval = stats.binomtest(hits, n).proportion_ci(method="wilson")
    return Estimate(hits / n, float(interval.low), float(interval.high))


def bootstrap_interval(
    values: np.ndarray, statistic: Callable = np.mean, *, seed: int = 0, draws: int = 2000
) -> Estimate:
    """Bootstrap confidence interval: a statistic of the values with its 95 % percentile interval.

    Args:
        values: One number per sample, at least two.
        statistic: Called as statistic(values, axis=...), as numpy's are.
        seed: Seeds the resampling.
        draws: How many resamples.

    Raises:
        DataError: There are fewer than two values, or one is NaN or infinite.
        ConfigError: draws is below 1.

    Source: Efron 1979; scipy.stats.bootstrap.
    """
    check_sizes(draws=draws)
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise DataError(
            f"values must be at least two finite numbers in a row, but their shape is "
            f"{values.shape}, or one is NaN or infinite."
        )
    # scipy calls the generator `rng` from 1.15 on, and `random_state` before.
    random: dict[str, Any] = {BOOTSTRAP_GENERATOR: np.random.default_rng(seed)}
    found = stats.bootstrap(
        (values,), statistic, n_resamples=draws, method="percentile", **random
    ).confidence_interval
    return Estimate(float(statistic(values)), float(found.low), float(found.high))
