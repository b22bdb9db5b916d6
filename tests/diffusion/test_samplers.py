"""Ancestral sampling: exact on Gaussian data, silent on the last step, repeatable."""

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    cosine_schedule,
    ddpm_sample,
    last,
    linear_schedule,
    make_timesteps,
    posterior,
)
from attnoise.errors import ConfigError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gaussian_recursion(mean, variance, schedule, timesteps, variance_kind):
    """Follow mean and variance of one Gaussian axis through the sampler, without drawing."""
    m, v = 0.0, 1.0
    for now, before in pairwise(timesteps):
        bar, bar_s = schedule.alpha_bar[now].item(), schedule.alpha_bar[before].item()
        ratio, alpha = bar / bar_s, bar**0.5
        gain = (
            alpha * variance / (bar * variance + 1 - bar)
        )  # x0_hat = mean + gain (x - alpha mean)
        a, b = bar_s**0.5 * (1 - ratio) / (1 - bar), ratio**0.5 * (1 - bar_s) / (1 - bar)
        m, v = a * (mean + gain * (m - alpha * mean)) + b * m, (a * gain + b) ** 2 * v
        small = (1 - ratio) * (1 - bar_s) / (1 - bar)
        v += 0 if before == 0 else (small if variance_kind == "small" else 1 - ratio)
    return m, v


@pytest.mark.parametrize("kind", ["small", "large"])
@pytest.mark.parametrize("steps", [200, 13])
def test_mean_and_variance_on_gaussian_data(kind, steps):
    schedule, timesteps = cosine_schedule(200), make_timesteps(200, steps)
    exact = GaussianDenoiser(
        torch.tensor([0.7, -1.0]), torch.diag(torch.tensor([0.25, 2.0])), schedule
    )
    generator = torch.Generator().manual_seed(1)
    x = last(
        ddpm_sample(exact, draw(60_000, 2), schedule, generator, timesteps=timesteps, variance=kind)
    )
    for axis, (mean, variance) in enumerate([(0.7, 0.25), (-1.0, 2.0)]):
        m, v = gaussian_recursion(mean, variance, schedule, timesteps, kind)
        assert x[:, axis].mean() == pytest.approx(m, abs=0.03)
        assert x[:, axis].var() == pytest.approx(v, rel=0.03)
        if steps == 200:  # and with many steps that is the data's own
            assert m == pytest.approx(mean, abs=0.01)
            assert v == pytest.approx(variance, rel=0.05)


def test_yields_each_step_and_ends_at_data_time():
    schedule, data = cosine_schedule(30), draw(3, 2)
    steps = list(
        ddpm_sample(IdealDenoiser(data, schedule), draw(5, 2), schedule, torch.Generator())
    )
    assert [step.t for step in steps] == list(range(29, -1, -1))
    assert all(step.x.shape == step.x0_hat.shape == (5, 2) for step in steps)


@pytest.mark.parametrize("kind", ["small", "large"])
def test_last_step_adds_no_noise(kind):
    schedule, data = cosine_schedule(30), draw(3, 2)
    *_, end = ddpm_sample(
        IdealDenoiser(data, schedule), draw(5, 2), schedule, torch.Generator(), variance=kind
    )
    assert_close(end.x, end.x0_hat, atol=0, rtol=0)


def test_ideal_denoiser_gives_back_training_data():
    """Why the book sounds an alarm: a perfect denoiser of a finite set can only repeat it."""
    schedule, data = cosine_schedule(100), draw(7, 3)
    x = last(ddpm_sample(IdealDenoiser(data, schedule), draw(50, 3), schedule, torch.Generator()))
    nearest = torch.cdist(x, data).min(dim=1)
    assert nearest.values.max() < 0.02
    assert len(nearest.indices.unique()) > 3


@pytest.mark.parametrize("variance", ["small", "large"])
def test_each_step_adds_the_stated_noise(variance):
    schedule, constant = linear_schedule(40), torch.full((50_000, 1), 0.3)
    step = next(ddpm_sample(lambda x, t, label: constant, 0 * constant, schedule,
                            torch.Generator().manual_seed(0), variance=variance))  # fmt: skip
    mean, std = posterior(constant[:1], 0 * constant[:1], torch.tensor([40]), schedule)
    expected = std.item() if variance == "small" else schedule.beta[40].sqrt().item()
    assert step.x.mean() == pytest.approx(mean.item(), abs=0.01)
    assert step.x.std() == pytest.approx(expected, rel=0.02)


def test_generator_and_label_are_handed_on():
    schedule, label, seen = cosine_schedule(9), torch.arange(5), []

    def denoiser(x_t, t, label):
        seen.append((t.tolist(), label))
        return 0 * x_t

    run = lambda seed: last(  # noqa: E731
        ddpm_sample(
            denoiser,
            draw(5, 2),
            schedule,
            torch.Generator().manual_seed(seed),
            label=label,
            timesteps=[9, 4, 1, 0],
        )
    )
    first, again = run(3), run(3)
    assert torch.equal(first, again)
    assert [t[0] for t, _ in seen[:3]] == [9, 4, 1]
    assert all(given is label for _, given in seen)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timesteps": [9, 5, 6, 0]}, r"must fall from T = 9 to 0, but they are \[9, 5, 6\]"),
        ({"timesteps": [9, 3]}, "must fall from T = 9 to 0"),
        ({"timesteps": [8, 0]}, "must fall from T = 9 to 0"),
        ({"variance": "tiny"}, "'tiny'"),
    ],
)
def test_bad_input_is_named_before_the_first_step(options, message):
    with pytest.raises(ConfigError, match=message):
        ddpm_sample(lambda x, t, label: x, draw(5, 2), cosine_schedule(9), **options)


def test_spaced_timesteps():
    assert make_timesteps(1000, 1) == [1000, 0]
    assert make_timesteps(7, 7) == [7, 6, 5, 4, 3, 2, 1, 0]
    with pytest.raises(ConfigError, match="between 1 and T = 7, but it is 8"):
        make_timesteps(7, 8)
    with pytest.raises(ConfigError, match="yielded none"):
        last([])
