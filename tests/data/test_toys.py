"""Toys: their densities integrate to 1 and belong to their samples."""

import math

import pytest
import torch
from torch.testing import assert_close

from attnoise.data import Checkerboard, GaussianMixture, ring_of_gaussians, spiral
from attnoise.errors import ConfigError, DataError, ShapeError

TOYS = {"ring": ring_of_gaussians(), "spiral": spiral(), "board": Checkerboard()}


def grid(half=3.0, side=601):
    axis = torch.linspace(-half, half, side, dtype=torch.float64)
    cell = (axis[1] - axis[0]).item() ** 2
    return torch.cartesian_prod(axis, axis), cell


@pytest.mark.parametrize("name", TOYS)
def test_density_integrates_to_one(name):
    points, cell = grid()
    total = TOYS[name].log_prob(points.float()).double().exp().sum() * cell
    assert abs(total - 1) < 0.02


@pytest.mark.parametrize("name", TOYS)
def test_samples_fall_where_the_density_says(name):
    toy = TOYS[name]
    x = toy.sample(20_000, torch.Generator().manual_seed(0))
    points, cell = grid()
    density = toy.log_prob(points.float()).double().exp()
    for region in (lambda p: p[:, 0] > 0.5, lambda p: (p[:, 0] < 0) & (p[:, 1] > 0.3)):
        expected = (density * region(points)).sum() * cell
        assert abs(region(x).double().mean() - expected) < 0.02


def test_one_blob_is_a_gaussian():
    toy = GaussianMixture(torch.tensor([[1.0, -2.0, 0.5]]), std=0.7)
    x = torch.randn(11, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.distributions.Normal(toy.centres[0], 0.7).log_prob(x).sum(-1)
    assert_close(toy.log_prob(x), expected)


def test_board_is_dark_at_its_corner_and_light_beside_it():
    points = torch.tensor([[-1.5, -1.5], [-0.5, -1.5], [2.5, 1.5]])
    assert Checkerboard().log_prob(points).tolist() == [
        pytest.approx(-math.log(8)),
        -math.inf,
        -math.inf,
    ]


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="fields must be even and at least 2, but it is 3"):
        Checkerboard(3)
    for std in (0, -1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="std must be above 0 and finite, but it is"):
            ring_of_gaussians(std=std)
    with pytest.raises(ConfigError, match="blobs must be a whole number of at least 1"):
        ring_of_gaussians(0)
    with pytest.raises(ConfigError, match="radius must be above 0"):
        spiral(radius=math.nan)
    with pytest.raises(ConfigError, match="half_width must be above 0"):
        Checkerboard(half_width=-1)
    for toy in TOYS.values():
        with pytest.raises(ConfigError, match="n must be a whole number of at least 1"):
            toy.sample(0)
    with pytest.raises(ShapeError, match=r"centres must have shape .*\(5,\)"):
        GaussianMixture(torch.zeros(5), 0.1)
    with pytest.raises(ShapeError, match="floating-point dtype.*int64"):
        GaussianMixture(torch.zeros(5, 2, dtype=torch.long), 0.1)
    with pytest.raises(DataError, match="centres must be finite"):
        GaussianMixture(torch.tensor([[0.0, math.nan]]), 0.1)
    with pytest.raises(ConfigError, match="fields must be a whole number"):
        Checkerboard(4.0)
    for density in (ring_of_gaussians(), Checkerboard()):
        for shape in ((3,), (5, 3), (5, 3, 2)):
            with pytest.raises(ShapeError, match=r"x must have shape \(points, 2\)"):
                density.log_prob(torch.zeros(shape))
