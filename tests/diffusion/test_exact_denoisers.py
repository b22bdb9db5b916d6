"""The exact denoisers: against Bayes by brute force, against each other, and as attention."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.attention import attention
from attnoise.data import GaussianMixture
from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    cosine_schedule,
)
from attnoise.errors import ConfigError, DataError, ShapeError

SCHEDULE = cosine_schedule(20)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bayes(x_t, t, data):
    """E[x0 | x_t] by the definition: likelihood of each sample, normalised."""
    alpha, sigma = SCHEDULE.alpha(t)[:, None].double(), SCHEDULE.sigma(t)[:, None].double()
    square = (x_t.double()[:, None] - alpha[:, None] * data.double()[None]).square().sum(-1)
    likelihood = torch.exp(-square / (2 * sigma**2))
    weights = likelihood / likelihood.sum(1, keepdim=True)
    return weights @ data.double(), weights


def test_ideal_denoiser_is_bayes():
    data, x_t, t = draw(13, 3), draw(5, 3, seed=1), torch.tensor([3, 7, 11, 17, 20])
    ideal = IdealDenoiser(data, SCHEDULE)
    expected, weights = bayes(x_t, t, data)
    assert_close(ideal(x_t, t), expected.float(), atol=1e-5, rtol=1e-4)
    assert_close(ideal.weights(x_t, t), weights, atol=1e-6, rtol=1e-4)


def test_ideal_denoiser_is_attention_over_the_data():
    """For data of one length the key's extra coordinate cancels, and plain attention is enough."""
    data = nn.functional.normalize(draw(13, 3), dim=-1)
    x_t, t = draw(5, 3, seed=1), torch.full((5,), 9)
    alpha, sigma = SCHEDULE.alpha(t)[0], SCHEDULE.sigma(t)[0]
    plain = attention(x_t, data, data, scale=(alpha / sigma**2).item())
    assert_close(IdealDenoiser(data, SCHEDULE)(x_t, t), plain, atol=1e-5, rtol=1e-4)


def test_ideal_denoiser_near_data_and_near_noise():
    data = draw(13, 1, 2, 3)
    ideal = IdealDenoiser(data, cosine_schedule(1000))
    assert_close(ideal(data, torch.ones(13).long()), data, atol=1e-4, rtol=0)
    middle = data.mean(0, keepdim=True)
    assert_close(ideal(draw(1, 1, 2, 3), torch.tensor([1000])), middle, atol=0.02, rtol=0)


def test_label_lets_each_query_see_its_own_class_alone():
    data, labels = draw(12, 3), torch.arange(12) % 2
    x_t, t = draw(2, 3, seed=1), torch.tensor([9, 9])
    both = IdealDenoiser(data, SCHEDULE, labels)(x_t, t, torch.tensor([0, 1]))
    for label in (0, 1):
        alone = IdealDenoiser(data[labels == label], SCHEDULE)(x_t, t)
        assert_close(both[label], alone[label])
    weights = IdealDenoiser(data, SCHEDULE, labels).weights(x_t, t, torch.tensor([0, 1]))
    assert torch.equal(weights > 0, labels == torch.tensor([[0], [1]]))


def test_gaussian_denoiser_equals_the_ideal_one_of_many_samples():
    root = torch.tensor([[1.0, 0.0], [0.8, 0.3]])
    mean, covariance = torch.tensor([0.5, -1.0]), root @ root.T
    data = mean + draw(60_000, 2) @ root.T
    exact = GaussianDenoiser(mean, covariance, SCHEDULE)
    x_t, t = draw(7, 2, seed=1), torch.full((7,), 14)
    assert_close(IdealDenoiser(data, SCHEDULE)(x_t, t), exact(x_t, t), atol=0.03, rtol=0)


def test_gaussian_denoiser_is_the_textbook_formula():
    mean, root, t = draw(5), draw(5, 5, seed=1), torch.full((3,), 8)
    covariance, x_t = root @ root.T, draw(3, 5, seed=2)
    alpha, sigma = SCHEDULE.alpha(t)[0], SCHEDULE.sigma(t)[0]
    noisy = alpha**2 * covariance + sigma**2 * torch.eye(5)
    expected = mean + (alpha * covariance @ torch.linalg.solve(noisy, (x_t - alpha * mean).T)).T
    assert_close(
        GaussianDenoiser(mean, covariance, SCHEDULE)(x_t, t), expected, atol=1e-4, rtol=1e-3
    )


def test_gaussian_without_spread_answers_its_mean():
    exact = GaussianDenoiser(torch.tensor([1.0, 2.0]), torch.zeros(2, 2), SCHEDULE)
    assert_close(
        exact(draw(3, 2), torch.tensor([1, 9, 20])), torch.tensor([[1.0, 2.0]]).expand(3, 2)
    )


def test_score_of_a_mixture_is_minus_eps_hat_over_sigma():
    """Tweedie: the noised mixture is a mixture too, whose score autograd knows."""
    centres, t = draw(7, 2), torch.full((5,), 12)
    alpha, sigma = SCHEDULE.alpha(t)[0], SCHEDULE.sigma(t)[0]
    x_t = draw(5, 2, seed=1).requires_grad_()
    GaussianMixture(alpha * centres, sigma.item()).log_prob(x_t).sum().backward()
    x0_hat = IdealDenoiser(centres, SCHEDULE)(x_t.detach(), t)
    eps_hat = (x_t.detach() - alpha * x0_hat) / sigma
    assert_close(x_t.grad, -eps_hat / sigma, atol=1e-4, rtol=1e-3)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda: IdealDenoiser(torch.tensor([[float("nan")]]), SCHEDULE), "no NaN", DataError),
        (lambda: IdealDenoiser(torch.zeros(0, 2), SCHEDULE), "holds 0 samples", DataError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE, torch.zeros(2)), "each of the 3", ShapeError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE)(draw(1, 5), torch.tensor([1])), "2 numbers per sample", ShapeError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE)(draw(1, 2), torch.tensor([0])), "above 0 and at most at T = 20", ConfigError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE)(draw(1, 2), torch.tensor([1]), torch.tensor([1])), "knows no labels", ConfigError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE, std=float("nan")), "std must be at least 0", ConfigError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE, std=float("inf")), "finite, but it is inf", ConfigError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE, torch.arange(3))(draw(2, 2), torch.tensor([1, 2]), torch.tensor([1, 5])), r"no sample has \[5\]", ConfigError),
        (lambda: IdealDenoiser(draw(3, 2), SCHEDULE)(draw(2, 2), torch.tensor([1])), "one time per sample", ShapeError),
        (lambda: GaussianDenoiser(draw(2), torch.eye(2), SCHEDULE)(draw(2, 3), torch.tensor([1, 2])), "2 numbers per sample", ShapeError),
        (lambda: GaussianDenoiser(draw(2) * float("nan"), torch.eye(2), SCHEDULE), "must be finite", DataError),
        (lambda: GaussianDenoiser(draw(2), draw(3, 3), SCHEDULE), r"shape \(2, 2\) to fit", ShapeError),
        (lambda: GaussianDenoiser(draw(2), -torch.eye(2), SCHEDULE), "smallest one is -1", DataError),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message, error):
    with pytest.raises(error, match=message):
        call()
