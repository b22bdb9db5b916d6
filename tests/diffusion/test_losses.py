"""Targets: every conversion round-trips, and every weighting is the same loss in each target."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attnoise.diffusion import cosine_schedule, make_target, simple_loss, to_eps, to_x0
from attnoise.errors import ConfigError, DataError

TARGETS = ("eps", "x0", "v")


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


class Constant(nn.Module):
    """Answers in its own target what amounts to x0_hat = 0.3 everywhere."""

    def __init__(self, target, schedule):
        super().__init__()
        self.target, self.schedule = target, schedule

    def forward(self, x_t, t, label=None):
        t = (t * self.schedule.T).round().long()
        alpha, sigma = self.schedule.alpha(t)[:, None], self.schedule.sigma(t)[:, None]
        x0_hat = torch.full_like(x_t, 0.3)
        return make_target(self.target, x0_hat, (x_t - alpha * x0_hat) / sigma, alpha, sigma)


@pytest.mark.parametrize("weighting", ["simple", "x0", "v", "min_snr"])
def test_a_weighting_means_the_same_whatever_the_target(weighting):
    schedule, x0 = cosine_schedule(50), draw(2000, 2).float()
    losses = [
        simple_loss(Constant(target, schedule), x0, schedule, torch.Generator().manual_seed(0),
                    target=target, weighting=weighting)
        for target in TARGETS
    ]  # fmt: skip
    assert_close(losses[1], losses[0], rtol=1e-3, atol=0)
    assert_close(losses[2], losses[0], rtol=1e-3, atol=0)


def test_simple_loss_is_the_plain_error_of_eps():
    """A network that answers zero errs by eps itself: its mean square is 1."""
    answer_zero = lambda x_t, t: torch.zeros_like(x_t)  # noqa: E731
    loss = simple_loss(answer_zero, draw(4000, 7).float(), cosine_schedule(9), torch.Generator())
    assert loss.item() == pytest.approx(1, abs=0.03)


def test_network_sees_times_from_one_step_to_one_and_the_label():
    seen = {}

    def network(x_t, t, label):
        seen.update(t=t, label=label)
        return x_t

    label = torch.arange(500)
    simple_loss(network, draw(500, 2).float(), cosine_schedule(4), torch.Generator(), label=label)
    assert sorted(set(seen["t"].tolist())) == [0.25, 0.5, 0.75, 1.0]
    assert torch.equal(seen["label"], label)


@pytest.mark.bad_input
def test_bad_input_is_named():
    x0, schedule = draw(3, 2).float(), cosine_schedule(9)
    with pytest.raises(ConfigError, match="weighting must be one of 'simple'.* but it is 'snr'"):
        simple_loss(nn.Identity(), x0, schedule, weighting="snr")
    with pytest.raises(ConfigError, match="target must be one of 'eps', 'x0', 'v'"):
        to_x0("score", x0, x0, x0, x0)
    x0[1, 1] = float("nan")
    with pytest.raises(DataError, match="x0 must be finite"):
        simple_loss(nn.Identity(), x0, schedule)
