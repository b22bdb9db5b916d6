"""Exact likelihood: that of a Gaussian and of a mixture, and clear words where it cannot be had."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    LinearPath,
    NetworkDenoiser,
    PreconditionedDenoiser,
    cosine_schedule,
    linear_schedule,
    log_likelihood,
    make_timesteps,
)
from attnoise.errors import ConfigError, DataError, ShapeError

MEAN, COVARIANCE = torch.tensor([0.7, -1.0, 0.2]), torch.diag(torch.tensor([0.5, 0.9, 0.1]))


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def grid_of(path, steps=200):
    times = make_timesteps(path, steps)[:-1]
    return [*times, path.T / 1000] if times[-1] > path.T / 1000 else times


@pytest.mark.parametrize("path", [LinearPath(), linear_schedule(1000), cosine_schedule(1000)])
def test_gaussian(path):
    exact, x = GaussianDenoiser(MEAN, COVARIANCE, path), MEAN + draw(5, 3)
    truth = torch.distributions.MultivariateNormal(MEAN.double(), COVARIANCE.double()).log_prob(x)
    found = log_likelihood(exact, x, path, timesteps=grid_of(path))
    assert_close(found, truth, atol=0.03, rtol=5e-3)


def test_mixture_and_its_classes():
    path, std = LinearPath(), 0.3
    centres, labels = draw(4, 2), torch.tensor([0, 0, 1, 1])
    exact = IdealDenoiser(centres, path, labels, std=std)
    x = centres[[0, 1, 2, 3, 0]] + 0.3 * draw(5, 2, seed=1)

    def density(of):
        parts = torch.distributions.Normal(of, std).log_prob(x[:, None]).sum(dim=-1)
        return parts.logsumexp(dim=1) - torch.tensor(float(len(of))).log()

    times = grid_of(path, 400)
    found = log_likelihood(exact, x, path, timesteps=times)
    assert_close(found, density(centres), atol=0.04, rtol=1e-2)
    label = torch.ones(5, dtype=torch.long)
    of_class = log_likelihood(exact, x[2:4], path, timesteps=times, label=label[2:4])
    assert_close(of_class, density(centres[2:])[2:4], atol=0.04, rtol=1e-2)


@pytest.mark.parametrize("b", [1, 4])
def test_three_steps_of_heun_by_hand(b):
    """For Gaussian data of one number u = slope z, so that its divergence is slope."""
    path, std, x = LinearPath(), 0.5, 0.5 * draw(b, 1)
    exact = GaussianDenoiser(torch.zeros(1), torch.tensor([[std**2]]), path)
    grid = [0.2, 0.5, 0.6, 0.9]  # alpha + sigma = 1

    def slope(t):
        gain = (1 - t) * std**2 / ((1 - t) ** 2 * std**2 + t**2)
        return (1 - (1 - t) * gain) / t - gain

    z, gained = x[:, 0], 0.0
    for t, s in itertools.pairwise(grid):
        u = slope(t) * z
        z = z + (s - t) * (u + slope(s) * (z + (s - t) * u)) / 2
        gained += (s - t) * (slope(t) + slope(s)) / 2
    variance = 0.1**2 + 0.9**2
    log_noise = -(z**2) / (2 * variance) - math.log(2 * math.pi * variance) / 2
    found = log_likelihood(exact, x, path, timesteps=grid[::-1])
    assert_close(found, log_noise + gained, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_denoiser_is_asked_in_the_dtype_of_the_samples_and_the_rest_is_float64(dtype):
    seen = []

    def denoiser(x_t, t, label):
        seen.append((x_t.dtype, t.dtype))
        return 0.5 * x_t

    found = log_likelihood(denoiser, draw(3, 2).to(dtype), LinearPath(), timesteps=[0.9, 0.5])
    assert found.dtype == torch.float64
    assert set(seen) == {(dtype, torch.float64)}


def test_images_count_every_pixel():
    path = LinearPath()
    exact = GaussianDenoiser(torch.zeros(6), 0.25 * torch.eye(6), path)
    x = 0.5 * draw(3, 1, 2, 3)
    truth = torch.distributions.Normal(0.0, 0.5).log_prob(x).sum(dim=(1, 2, 3))
    assert_close(
        log_likelihood(exact, x, path, timesteps=grid_of(path)), truth, atol=0.05, rtol=5e-3
    )


def test_a_network_through_its_preconditioning():
    path = LinearPath()
    blank = PreconditionedDenoiser(lambda x, t: torch.zeros_like(x), path, sigma_data=0.5)
    x = 0.5 * draw(4, 2)  # F = 0 is exact for Gaussian data of this size
    truth = torch.distributions.Normal(0.0, 0.5).log_prob(x).sum(dim=1)
    assert_close(
        log_likelihood(blank, x, path, timesteps=grid_of(path)), truth, atol=0.03, rtol=1e-2
    )


@pytest.mark.bad_input
def test_bad_input_is_named():
    path, x = LinearPath(), draw(3, 2)
    exact = GaussianDenoiser(torch.zeros(2), torch.eye(2), path)
    with pytest.raises(ConfigError, match="must end above 0"):
        log_likelihood(exact, x, path, timesteps=[1.0, 0.5, 0.0])
    with pytest.raises(ConfigError, match="timesteps must fall"):
        log_likelihood(exact, x, path, timesteps=[0.1, 0.5, 1.0])
    with pytest.raises(DataError, match="^x must be finite"):
        log_likelihood(exact, x * math.nan, path, timesteps=[1.0, 0.5])
    with pytest.raises(ShapeError, match=r"^label must hold one class per sample, .* shape \(3,\)"):
        log_likelihood(exact, x, path, timesteps=[1.0, 0.5], label=torch.zeros(2).long())
    deaf = NetworkDenoiser(lambda x, t: 0.5 * x, path, "x0")
    with pytest.raises(ConfigError, match="must let gradients reach x_t"):
        log_likelihood(deaf, x, path, timesteps=[1.0, 0.5, 0.1])
