"""Targets: every conversion round-trips."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.diffusion import make_target, to_eps, to_x0
from attnoise.errors import ConfigError

TARGETS = ("eps", "x0", "v", "u")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(target=st.sampled_from(TARGETS), alpha=st.floats(0.05, 0.99), seed=st.integers(0, 99))
def test_x0_and_eps_come_back_from_any_target(target, alpha, seed):
    alpha = torch.full((3, 1), alpha, dtype=torch.float64)
    sigma = (1 - alpha**2).sqrt()
    x0, eps = draw(3, 5, seed=seed), draw(3, 5, seed=seed + 1)
    x_t = alpha * x0 + sigma * eps
    output = make_target(target, x0, eps, alpha, sigma)
    assert_close(to_x0(target, output, x_t, alpha, sigma), x0)
    assert_close(to_eps(target, output, x_t, alpha, sigma), eps)


def test_v_is_alpha_eps_minus_sigma_x0():
    x0, eps = draw(3, 5), draw(3, 5, seed=1)
    alpha, sigma = torch.full((3, 1), 0.6), torch.full((3, 1), 0.8)
    assert_close(make_target("v", x0, eps, alpha, sigma), 0.6 * eps - 0.8 * x0)


def test_u_is_the_velocity_of_the_straight_path_whatever_the_levels():
    x0, eps, some = draw(3, 5), draw(3, 5, seed=1), torch.full((3, 1), 0.3).double()
    assert_close(make_target("u", x0, eps, some, some), eps - x0)


@pytest.mark.bad_input
@pytest.mark.parametrize("convert", [make_target, to_x0, to_eps])
def test_bad_target_is_named(convert):
    x = draw(3, 2)
    with pytest.raises(ConfigError, match="^target must be one of 'eps', 'x0', 'v', 'u'"):
        convert("score", x, x, x, x)
