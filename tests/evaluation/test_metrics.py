"""Metrics: against closed forms, against what must hold, and on cases made to fool them."""

import numpy as np
import pytest
import torch
from tests.evaluation.samples import draw

from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.evaluation.energy import energy_distance
from attnoise.evaluation.metrics import (
    frechet_distance,
    frechet_floor,
    memorisation_alarm,
    nearest_distances,
    precision_recall,
    rows,
    two_sample_test,
    wilson_interval,
)


def with_moments(x, mean, root):
    """Shift and stretch a sample so that its own mean and covariance are exactly as wished."""
    x = x - x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return white @ root.T + mean


def test_frechet_distance_of_gaussians_is_the_closed_form():
    root = np.array([[2.0, 0.0], [1.0, 0.5]])
    one = with_moments(draw(50, 2), np.zeros(2), np.eye(2))
    other = with_moments(draw(70, 2, seed=1), np.array([3.0, -1.0]), root)
    singular = np.linalg.svd(root)[1]  # Tr(C^{1/2}) for C = root root^T
    expected = 10 + 2 + np.square(singular).sum() - 2 * singular.sum()
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)


def test_frechet_distance_is_zero_on_itself_and_ignores_rotation():
    x, y = draw(90, 5), draw(80, 5, seed=1) * 1.3 + 0.2
    turn = np.linalg.qr(draw(5, 5, seed=2))[0]
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y))
    flat = np.concatenate([x, np.zeros((90, 3))], axis=1)  # pixels that never change
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-6)


def test_floor_falls_with_the_sample_count_and_holds_its_mean():
    x, y = draw(2000, 4), draw(2000, 4, seed=1)
    few, many = (frechet_floor(x, y, n, seed=0) for n in (30, 1000))
    assert few.low < few.value < few.high
    assert many.high < few.low


def test_the_alarm_is_on_for_copies_and_off_for_unseen_samples():
    train, unseen, copies = draw(300, 6), draw(200, 6, seed=1), draw(300, 6)[:150]
    assert memorisation_alarm(copies + 1e-3, train, unseen).alarm
    assert not memorisation_alarm(draw(200, 6, seed=2), train, unseen).alarm
    assert nearest_distances(train[:5] + [0, 0, 0, 0, 0, 0.01], train) == pytest.approx([0.01] * 5)


def test_precision_and_recall_see_the_two_ways_to_fail():
    real = draw(400, 3)
    precise, recalled = precision_recall(real, draw(400, 3, seed=1))
    assert precise > 0.8
    assert recalled > 0.8
    narrow = precision_recall(real, 0.05 * draw(400, 3, seed=1))
    assert narrow[0] > 0.95
    assert narrow[1] < 0.1
    wide = precision_recall(real, 8 * draw(400, 3, seed=1))
    assert wide[0] < 0.4
    assert precision_recall(real, real + 100) == (0, 0)


def test_two_sample_test_scores_half_on_alike_and_one_on_unlike():
    alike = two_sample_test(draw(600, 4), draw(500, 4, seed=1))
    assert alike.low < 0.5 < alike.high
    assert two_sample_test(draw(300, 4), 3 * draw(300, 4, seed=1)).low > 0.75  # spread alone
    assert two_sample_test(draw(300, 4), draw(300, 4, seed=1) + 3).value > 0.95


def test_a_forest_sees_how_numbers_move_together_and_a_linear_classifier_does_not():
    apart, tied = draw(300, 2), draw(300, 2, seed=1)
    tied[:, 1] = tied[:, 0]  # each number alone is distributed as before
    assert two_sample_test(apart, tied).low < 0.55
    assert two_sample_test(apart, tied, classifier="forest").low > 0.8
    with pytest.raises(ConfigError, match="linear"):
        two_sample_test(apart, tied, classifier="oracle")


def test_energy_distance_by_hand_and_of_a_set_that_is_too_narrow():
    a, b = np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])
    # E|x - y| = (1 + 3 + 1 + 1) / 4, E|x - x'| = E|y - y'| = 2 over different samples
    assert energy_distance(a, b) == pytest.approx(2 * 1.5 - 2 - 2)
    x, y = draw(2000, 2), draw(2000, 2, seed=1)
    assert abs(energy_distance(x, y)) < 0.005
    assert energy_distance(x, 0.5 * y) > 0.05  # a set that is too narrow is seen


def test_nan_and_misfits_are_named():
    x = draw(9, 3)
    bad = x.copy()
    bad[2, 1] = np.nan
    with pytest.raises(DataError, match="others must be finite"):
        frechet_distance(x, bad)
    with pytest.raises(ShapeError, match="fake .* 3 and 2 numbers"):
        precision_recall(x, x[:, :2])
    with pytest.raises(DataError, match=r"samples must hold at least two.*\(1, 3\)"):
        nearest_distances(x[:1], x)


def test_precision_reaches_to_the_kth_neighbour_itself():
    # On a line at 0, 1, 3, 7: the second neighbours of these lie 3, 2, 3 and 6 away.
    real = np.array([[0.0], [1.0], [3.0], [7.0]])
    # -3 lies on the edge of 0's ball; -3.1 outside every ball; 13 on the edge of 7's; 13.1 outside.
    fake = np.array([[-3.0], [-3.1], [13.0], [13.1]])
    assert precision_recall(real, fake, k=2)[0] == 0.5
    assert precision_recall(real, fake, k=1)[0] == 0  # reaches of 1, 1, 2 and 4
    assert precision_recall(real, np.array([[-1.0], [11.0], [-1.1], [11.1]]), k=1)[0] == 0.5
    # recall: the fakes' balls, k = 1: -3 and -3.1 reach 0.1, 13 and 13.1 likewise; none is real
    assert precision_recall(real, fake, k=1)[1] == 0
    assert precision_recall(fake, real, k=2)[1] == 0.5  # precision and recall exchange


def test_precision_takes_three_neighbours_unless_told():
    real, fake = draw(60, 3), 1.4 * draw(50, 3, seed=1)
    assert precision_recall(real, fake) == precision_recall(real, fake, k=3)
    assert len({precision_recall(real, fake, k=k) for k in (2, 3, 4)}) == 3


def test_frechet_distance_counts_means_spreads_and_correlation():
    x = with_moments(draw(60, 2), np.zeros(2), np.eye(2))
    shifted = x + np.array([0.6, -0.8])
    assert frechet_distance(x, shifted) == pytest.approx(1)
    assert frechet_distance(x, 3 * x) == pytest.approx(8)  # 2 + 18 - 2 (3 + 3)
    turned = with_moments(draw(60, 2), np.zeros(2), np.array([[1, 0], [0.8, 0.6]]))
    values = np.linalg.eigvalsh(np.array([[1, 0.8], [0.8, 1]]))
    assert frechet_distance(x, turned) == pytest.approx(4 - 2 * np.sqrt(values).sum())


def test_floor_is_the_mean_over_its_draws():
    x, y = draw(40, 3), draw(60, 3, seed=1)
    random = np.random.default_rng(5)
    by_hand = [frechet_distance(random.choice(x, 25, replace=False), y) for _ in range(4)]
    found = frechet_floor(x, y, 25, seed=5, draws=4)
    assert found.value == pytest.approx(np.mean(by_hand))
    assert (found.low, found.high) == pytest.approx(np.percentile(by_hand, [2.5, 97.5]))
    everything = frechet_floor(x, y, 1000, draws=2)  # all there are, in another order
    assert everything.low == pytest.approx(everything.high)
    assert everything.value == pytest.approx(frechet_distance(x, y))


def test_the_alarm_needs_intervals_that_do_not_touch():
    train, unseen = draw(80, 2), draw(60, 2, seed=1)
    same = memorisation_alarm(unseen, train, unseen)
    assert same.samples == same.unseen
    assert not same.alarm
    assert same.samples.value == pytest.approx(nearest_distances(unseen, train).mean())
    copies = memorisation_alarm(train[:50], train, unseen)
    assert copies.samples.value == 0
    assert copies.alarm


def test_two_sample_test_uses_equal_sets_and_every_sample_once():
    found = two_sample_test(draw(40, 2), draw(300, 2, seed=1) + 9)
    assert found.value == 1
    assert found.low == pytest.approx(wilson_interval(80, 80).low)


def test_half_precision_and_other_shapes_are_flattened():
    x = torch.tensor(draw(9, 2, 3)).bfloat16()
    assert rows("x", x).shape == (9, 6)
    assert rows("x", x).dtype == np.float64
    assert frechet_distance(x, x.float()) == pytest.approx(0, abs=1e-6)


def test_settings_out_of_range_are_named():
    x = draw(6, 3)
    for k in (0, -1, 6, 1.5):
        with pytest.raises(ConfigError, match="k must be"):
            precision_recall(x, x, k=k)
    assert precision_recall(x, x, k=5) == (1, 1)
    with pytest.raises(ConfigError, match="n must be at least 2"):
        frechet_floor(x, x, 1)
    with pytest.raises(ConfigError, match="draws must be a whole number"):
        frechet_floor(x, x, 3, draws=0)
    with pytest.raises(DataError, match="five samples each, for five folds, not 4"):
        two_sample_test(x, x[:4])
    with pytest.raises(DataError, match="samples must hold at least two"):
        nearest_distances(np.zeros((3, 0)), x)
    with pytest.raises(DataError, match="unseen must be finite"):
        memorisation_alarm(x, x, np.full((6, 3), np.nan))
    with pytest.raises(ShapeError, match="unseen and train must be equally wide"):
        memorisation_alarm(x, x, x[:, :2])
