"""Metrics: against closed forms, against what must hold, and on cases made to fool them."""

import numpy as np
import pytest
import torch

from attnoise.data import load_digits
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.evaluation.baselines import PerClassGaussian, class_means
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import (
    bootstrap_interval,
    frechet_distance,
    frechet_floor,
    memorisation_alarm,
    nearest_distances,
    precision_recall,
    two_sample_test,
    wilson_interval,
)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


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


def test_wilson_interval_by_the_formula():
    found, z = wilson_interval(45, 50), 1.959964
    centre = (0.9 + z**2 / 100) / (1 + z**2 / 50)
    half = z / (1 + z**2 / 50) * np.sqrt(0.9 * 0.1 / 50 + z**2 / (4 * 50**2))
    assert found == pytest.approx((0.9, centre - half, centre + half), abs=1e-5)
    assert wilson_interval(50, 50).high == pytest.approx(1)
    with pytest.raises(ConfigError, match="hits = 5 and n = 3"):
        wilson_interval(5, 3)


def test_bootstrap_interval_of_a_mean_is_two_standard_errors():
    x = draw(400)
    found = bootstrap_interval(x, seed=0)
    error = x.std() / 20
    assert found.value == x.mean()
    assert found.low == pytest.approx(x.mean() - 1.96 * error, abs=0.02)
    assert found.high == pytest.approx(x.mean() + 1.96 * error, abs=0.02)
    assert found == bootstrap_interval(x, seed=0)


def test_alarm_rings_for_copies_and_stays_silent_for_the_unseen():
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


def test_judge_reads_unseen_digits():
    unseen, judge = load_digits("test"), digit_classifier()
    assert judge.agreement(*unseen).value > 0.98
    assert judge.agreement(unseen.images, (unseen.labels + 1) % 10).value < 0.02
    features = judge.features(unseen.images)
    assert features.shape == (445, 64)
    assert (features >= 0).all()
    outputs = features @ judge.mlp.coefs_[1] + judge.mlp.intercepts_[1]
    assert (outputs.argmax(1) == judge.mlp.predict(unseen.images.flatten(1).numpy())).all()


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
    with pytest.raises(DataError, match="class 3 has 1 images"):
        PerClassGaussian(images[:3], torch.tensor([2, 2, 3]))


def test_class_means_agree_always_and_vary_never():
    train = load_digits("train")
    wanted = torch.arange(40) % 10
    means = class_means(*train, wanted)
    assert digit_classifier().agreement(means, wanted).value == 1
    assert torch.equal(means[0], train.images[train.labels == 0].mean(0))
    assert torch.equal(means[3], means[13])
