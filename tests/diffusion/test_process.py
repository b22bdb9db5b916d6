"""The forward process: the jump equals the chain, and the posterior equals what Monte Carlo finds."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import add_noise, cosine_schedule, forward_step, linear_schedule, posterior
from attnoise.errors import ConfigError, ShapeError

MANY = 200_000


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_chain_has_the_moments_of_the_jump():
    schedule, generator = cosine_schedule(7), torch.Generator().manual_seed(0)
    x = torch.full((MANY, 1), 1.7)
    for t in range(1, 6):
        x = forward_step(x, torch.full((MANY,), t), schedule, generator)
    assert x.mean() == pytest.approx(1.7 * schedule.alpha(torch.tensor(5)).item(), abs=0.01)
    assert x.std() == pytest.approx(schedule.sigma(torch.tensor(5)).item(), abs=0.01)


def test_jump_is_the_stated_sum_with_one_time_per_sample():
    schedule, x0, eps = linear_schedule(30), draw(3, 2, 5), draw(3, 2, 5, seed=1)
    t = torch.tensor([0, 11, 30])
    x_t = add_noise(x0, t, eps, schedule)
    assert_close(x_t[0], x0[0])
    alpha_bar = schedule.alpha_bar[11].float()
    assert_close(x_t[1], alpha_bar.sqrt() * x0[1] + (1 - alpha_bar).sqrt() * eps[1])
    assert_close(x_t[2], eps[2], atol=0.05, rtol=0)


@pytest.mark.parametrize("s", [None, 4])
def test_posterior_matches_monte_carlo(s):
    """Run the chain from x0, keep the paths that end near one x_t, and look where they were at s."""
    schedule, generator = cosine_schedule(12), torch.Generator().manual_seed(0)
    t, before, x0, near = 9, 8 if s is None else s, 0.6, -0.4
    x = torch.full((8 * MANY, 1), x0)
    for time in range(1, t + 1):
        x = forward_step(x, torch.full((len(x),), time), schedule, generator)
        if time == before:
            x_s = x
    chosen = x_s[(x - near).abs() < 0.02]
    one = torch.tensor([[x0]]), torch.tensor([[near]]), torch.tensor([t]), schedule
    mean, std = posterior(*one, None if s is None else torch.tensor([s]))
    assert len(chosen) > 5_000
    assert chosen.mean() == pytest.approx(mean.item(), abs=0.03)
    assert chosen.std() == pytest.approx(std.item(), abs=0.03)


def test_one_step_posterior_is_ho_et_al_equation_7():
    schedule, x0, x_t = linear_schedule(40), draw(1, 3), draw(1, 3, seed=1)
    beta, bar, bar_before = schedule.beta[13], schedule.alpha_bar[13], schedule.alpha_bar[12]
    expected = bar_before.sqrt() * beta / (1 - bar) * x0
    expected = expected + (1 - beta).sqrt() * (1 - bar_before) / (1 - bar) * x_t
    mean, std = posterior(x0, x_t, torch.tensor([13]), schedule)
    assert_close(mean, expected.float())
    assert_close(std.squeeze(), (beta * (1 - bar_before) / (1 - bar)).sqrt().float())


def test_posterior_at_time_zero_is_x0_without_noise():
    schedule, x0 = linear_schedule(40), draw(2, 3)
    for t in (1, 40):
        mean, std = posterior(
            x0, draw(2, 3, seed=1), torch.full((2,), t), schedule, torch.zeros(2).long()
        )
        assert_close(mean, x0)
        assert (std == 0).all()


def test_same_generator_same_noise():
    schedule, x, t = linear_schedule(40), draw(3, 2), torch.tensor([1, 7, 40])
    first, again, other = (
        forward_step(x, t, schedule, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_one_step_by_hand():
    schedule, x, t = linear_schedule(40), draw(3, 2), torch.tensor([1, 7, 40])
    eps = torch.randn(3, 2, generator=torch.Generator().manual_seed(5))
    beta = schedule.beta[t].float()[:, None]
    found = forward_step(x, t, schedule, torch.Generator().manual_seed(5))
    assert_close(found, (1 - beta).sqrt() * x + beta.sqrt() * eps)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda s: add_noise(draw(3, 2), torch.tensor([1, 2, 41]), draw(3, 2), s), "T = 40", ConfigError),
        (lambda s: add_noise(draw(3, 2), torch.tensor([1, 2]), draw(3, 2), s), "t must hold one time: x has 3", ShapeError),
        (lambda s: add_noise(draw(3, 2), torch.tensor([1, 2, 3]), draw(2, 3), s), r"eps must have the shape of x0, \(3, 2\)", ShapeError),
        (lambda s: forward_step(draw(3, 2), torch.tensor([0, 1, 2]), s), "between 1 and T = 40, .* from 0", ConfigError),
        (lambda s: add_noise(torch.ones(2, 2).long(), torch.tensor([1, 2]), draw(2, 2), s), "^x0 must be floating-point", ShapeError),
        (lambda s: posterior(draw(2, 2), draw(2, 3), torch.tensor([3, 4]), s), r"^x_t must have the shape of x0, \(2, 2\)", ShapeError),
        (lambda s: posterior(draw(1, 2), draw(1, 2), torch.tensor([3]), s, torch.tensor([-1])), r"s = \[-1\] and t = \[3\]", ConfigError),
        (lambda s: posterior(draw(1, 2), draw(1, 2), torch.tensor([3]), s, torch.tensor([3])), "s must be at least 0 and earlier than t", ConfigError),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message, error):
    with pytest.raises(error, match=message):
        call(linear_schedule(40))
