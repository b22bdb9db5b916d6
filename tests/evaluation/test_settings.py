"""What the numbers on the cards were taken with, by default: other settings give other numbers."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tests.evaluation.samples import draw

from attnoise.errors import ConfigError, DataError
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import digit_classifier, mnist_classifier
from attnoise.evaluation.grapheme_to_phoneme import LENGTH_PRIOR, GraphemeToPhonemeRules
from attnoise.evaluation.intervals import bootstrap_interval
from attnoise.evaluation.metrics import (
    CLASSIFIERS,
    frechet_distance,
    frechet_floor,
    memorisation_alarm,
    nearest_distances,
    two_sample_test,
)


def test_the_classifiers_are_those_of_the_cards():
    digits = digit_classifier()
    assert digits.feature_name == "mlp64"
    assert mnist_classifier().feature_name == "vit64"
    assert (digits.svm.gamma, digits.svm.C) == (0.02, 10.0)
    assert (digits.mlp.max_iter, digits.mlp.random_state) == (300, 0)
    assert digits.classify(torch.zeros(0, 1, 8, 8)).dtype == int


def test_the_opponents_of_the_two_sample_test_are_those_of_the_cards():
    scale, logistic = (step for _, step in CLASSIFIERS["linear"](3).steps)
    assert isinstance(scale, StandardScaler)
    assert isinstance(logistic, LogisticRegression)
    assert (logistic.C, logistic.max_iter) == (0.1, 2000)
    forest = CLASSIFIERS["forest"](3)
    assert (forest.n_estimators, forest.random_state) == (100, 3)


def test_seeds_and_draws_by_default_are_the_documented_ones():
    x, y, z = draw(40, 3), draw(50, 3, seed=1), draw(30, 3, seed=2)
    by_default = {
        "bootstrap": (bootstrap_interval(x[:, 0]), bootstrap_interval(x[:, 0], draws=2000, seed=0)),
        "floor": (frechet_floor(x, y, 20), frechet_floor(x, y, 20, draws=20, seed=0)),
        "alarm": (memorisation_alarm(x, y, z), memorisation_alarm(x, y, z, seed=0)),
        "test": (two_sample_test(x, y), two_sample_test(x, y, seed=0)),
    }
    for name, (found, told) in by_default.items():
        assert found == told, name
    others = (
        bootstrap_interval(x[:, 0], seed=1),
        frechet_floor(x, y, 20, seed=1),
        memorisation_alarm(x, y, z, seed=1),
        two_sample_test(x, y, seed=1),
    )
    for (found, _), other in zip(by_default.values(), others, strict=True):
        assert found != other
    assert bootstrap_interval(x[:, 0], draws=10) != bootstrap_interval(x[:, 0])


def test_the_alarms_seed_reaches_both_sets():
    x, y, z = draw(40, 3), draw(50, 3, seed=1), draw(30, 3, seed=2)
    found = memorisation_alarm(x, y, z, seed=3)
    assert found.samples == bootstrap_interval(nearest_distances(x, y), seed=3)
    assert found.unseen == bootstrap_interval(nearest_distances(z, y), seed=3)


def test_intervals_that_only_touch_raise_no_alarm():
    train = np.array([[0.0, 0.0], [100.0, 0.0]])
    one_away = np.array([[1.0, 0.0], [0.0, 1.0], [101.0, 0.0]])
    found = memorisation_alarm(one_away, train, -one_away)
    assert found.samples.high == found.unseen.low == 1
    assert not found.alarm


def test_the_smallest_sets_that_are_allowed():
    x = draw(6, 3)
    assert bootstrap_interval(np.array([1.0, 3.0])).value == 2
    assert frechet_floor(x, x, 2).value > 0
    assert two_sample_test(x[:5], x[:5] + 9).value == 1
    with pytest.raises(ConfigError, match="^n must be a whole number"):
        frechet_floor(x, x, 2.5)
    with pytest.raises(DataError, match="^samples must hold at least two"):
        memorisation_alarm(x[:1], x, x)


def test_fewer_samples_than_numbers_still_have_a_distance():
    for seed in range(5):  # eigenvalues that should be 0 may come out as small negative numbers
        assert np.isfinite(frechet_distance(draw(5, 30, seed=seed), draw(6, 30, seed=seed + 50)))


def test_every_sample_is_scored_by_a_classifier_that_has_not_seen_it():
    """Five shuffled folds: the accuracy by hand, whatever the order in which samples come."""
    a, b = draw(30, 2), draw(30, 2, seed=1) + [1.0, 0.0]
    random, n = np.random.default_rng(4), 30
    real, fake = random.permutation(a)[:n], random.permutation(b)[:n]
    x, y = np.concatenate([real, fake]), np.repeat([0, 1], n)
    x, hits = np.concatenate([x, x**2], axis=1), 0
    shuffled, folds = np.random.RandomState(4), np.empty(2 * n, dtype=int)
    for label in (0, 1):  # as scikit-learn deals each class out to five folds
        dealt = np.repeat(np.arange(5), n // 5)
        shuffled.shuffle(dealt)
        folds[y == label] = dealt
    for fold in range(5):
        model = CLASSIFIERS["linear"](4).fit(x[folds != fold], y[folds != fold])
        hits += int((model.predict(x[folds == fold]) == y[folds == fold]).sum())
    assert two_sample_test(a, b, seed=4).value == hits / (2 * n)
    folds_of_all = two_sample_test(a, b, seed=4, classifier="forest")
    assert folds_of_all == two_sample_test(a, b, seed=4, classifier="forest")


def test_samples_are_the_mean_plus_the_root_of_the_covariance_times_noise():
    images = 0.1 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    gaussian = PerClassGaussian(images, torch.zeros(50).long())
    found = gaussian.sample(torch.zeros(9).long(), torch.Generator().manual_seed(1))
    noise = torch.randn(9, 3, generator=torch.Generator().manual_seed(1)).double()
    root = torch.linalg.cholesky(images.double().T.cov() + 1e-6 * torch.eye(3).double())
    torch.testing.assert_close(found, (images.double().mean(0) + noise @ root.T).float())


def test_rules_look_at_five_contexts_and_a_letter_alone_counts_from_its_first_time():
    rules = GraphemeToPhonemeRules(["abcde", "abcde", "z"], [list("ABCDE"), list("ABCDE"), ["Z"]])
    wanted = {(2, 2), (1, 2), (1, 1), (0, 1), (0, 0)}
    assert {context for context, *_ in rules.rules} == wanted
    once = GraphemeToPhonemeRules(["zab"], [["Z", "A", "B"]])
    assert {context for context, *_ in once.rules} == {(0, 0)}  # others were seen once only
    assert once.predict("baz") == ["B", "A", "Z"]
    assert sum(LENGTH_PRIOR) == pytest.approx(1)
