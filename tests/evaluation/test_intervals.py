"""Intervals: Wilson's by its formula, the bootstrap's against two standard errors."""

import numpy as np
import pytest
import torch
from tests.evaluation.samples import draw

from attnoise.errors import ConfigError, DataError
from attnoise.evaluation.intervals import Estimate, bootstrap_interval, wilson_interval


def test_wilson_interval_by_the_formula():
    found, z = wilson_interval(45, 50), 1.959964
    centre = (0.9 + z**2 / 100) / (1 + z**2 / 50)
    half = z / (1 + z**2 / 50) * np.sqrt(0.9 * 0.1 / 50 + z**2 / (4 * 50**2))
    assert found == pytest.approx((0.9, centre - half, centre + half), abs=1e-5)
    assert wilson_interval(50, 50).high == pytest.approx(1)
    with pytest.raises(ConfigError, match="hits = 5 and n = 3"):
        wilson_interval(5, 3)


@pytest.mark.parametrize(("hits", "n"), [(3.9, 10), (3, 10.5), ("3", 10), (None, 10)])
def test_counts_are_whole_numbers(hits, n):
    with pytest.raises(ConfigError, match="hits and n must be whole numbers, but they are"):
        wilson_interval(hits, n)


def test_counts_of_every_kind_of_whole_number():
    wanted = wilson_interval(3, 10)
    for kind in (np.int64, torch.tensor):
        assert wilson_interval(kind(3), kind(10)) == wanted
    for hits, n in ((-1, 3), (0, 0), (4, 3)):
        with pytest.raises(ConfigError, match="hits must lie between 0 and n >= 1"):
            wilson_interval(hits, n)
    assert wilson_interval(0, 1).low == pytest.approx(0)


def test_bootstrap_interval_of_a_mean_is_two_standard_errors():
    x = draw(400)
    found = bootstrap_interval(x, seed=0)
    error = x.std() / 20
    assert found.value == x.mean()
    assert found.low == pytest.approx(x.mean() - 1.96 * error, abs=0.02)
    assert found.high == pytest.approx(x.mean() + 1.96 * error, abs=0.02)
    assert found == bootstrap_interval(x, seed=0)
    assert found != bootstrap_interval(x, seed=1)


def test_bootstrap_takes_other_statistics():
    x = draw(301)
    found = bootstrap_interval(x, np.median, draws=500)
    assert found.value == np.median(x)
    assert found.low < found.value < found.high


def test_an_estimate_prints_its_interval():
    assert str(Estimate(0.12345, 0.1, 0.2)) == "0.123 [0.100, 0.200]"


def test_bootstrap_refuses_what_has_no_interval():
    for bad in ([1.0], [], [1.0, np.nan], [1.0, np.inf], [[1.0, 2.0]]):
        with pytest.raises(DataError, match="values must be at least two finite numbers"):
            bootstrap_interval(np.array(bad))
    with pytest.raises(ConfigError, match="draws must be a whole number of at least 1"):
        bootstrap_interval(draw(5), draws=0)


def test_single_precision_is_computed_in_double():
    values = (1e4 + draw(400)).astype(np.float32)
    assert bootstrap_interval(values, draws=50) == bootstrap_interval(
        values.astype(np.float64), draws=50
    )
