"""Inpainting: the known part stays, the rest follows it, and resampling lets it follow better."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    LinearPath,
    cosine_schedule,
    ddim_sample,
    inpaint,
    last,
    make_timesteps,
)
from attnoise.errors import ConfigError, DataError, ShapeError

SCHEDULE = cosine_schedule(50)
PATHS = {"cosine": SCHEDULE, "flow": LinearPath()}
MASK = torch.tensor([True, False])  # the first coordinate is known


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def correlated(path, rho=0.9):
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]])
    return GaussianDenoiser(torch.zeros(2), covariance, path)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("resample", [1, 3])
def test_the_known_part_is_exact_at_the_end_and_noised_on_the_way(name, resample):
    path = PATHS[name]
    known = torch.randn(4000, 2, generator=generator(1))
    steps = list(
        inpaint(correlated(path), known, MASK, path, generator(), timesteps=make_timesteps(path, 5),
                resample=resample)
    )  # fmt: skip
    assert len(steps) == 4 * resample + 1
    assert [step.t for step in steps[::resample]][-1] == steps[-1].t == 0
    assert_close(steps[-1].x[:, 0], known[:, 0], atol=0, rtol=0)
    assert (steps[-1].x[:, 1] - known[:, 1]).abs().mean() > 0.1  # the rest was not looked at
    t = torch.tensor(steps[0].t, dtype=torch.float64)
    alpha, sigma = (level.item() for level in path.levels(t))
    left = steps[0].x[:, 0] - alpha * known[:, 0]
    assert left.std().item() == pytest.approx(sigma, rel=0.05)
    assert abs(torch.corrcoef(torch.stack([left, known[:, 0]]))[0, 1]) < 0.06


def test_each_sample_may_have_a_mask_of_its_own():
    known = torch.randn(5, 1, 2, 3, generator=generator(1))
    mask = torch.rand(5, 1, 2, 3, generator=generator(2)) < 0.5
    known[~mask] = torch.nan  # never read
    denoiser = IdealDenoiser(torch.zeros(1, 1, 2, 3), SCHEDULE, std=1.0)
    end = last(inpaint(denoiser, known, mask, SCHEDULE, generator(), timesteps=[50, 20, 0]))
    assert_close(end[mask], known[mask], atol=0, rtol=0)
    assert bool(torch.isfinite(end).all())


def test_resampling_brings_the_rest_nearer_to_the_conditional_mean():
    rho, first = 0.9, torch.full((6000,), 1.5)
    known = torch.stack([first, torch.zeros(6000)], dim=1)

    def found(resample):
        steps = inpaint(correlated(SCHEDULE, rho), known, MASK, SCHEDULE, generator(),
                       timesteps=make_timesteps(SCHEDULE, 25), resample=resample)  # fmt: skip
        return last(steps)[:, 1]

    right, plain, many = rho * 1.5, found(1), found(12)
    assert plain.mean() < right - 0.05  # replacement alone falls short of the conditional mean
    assert (many.mean() - right).abs() < 0.5 * (plain.mean() - right).abs()
    spread = (1 - rho**2) ** 0.5
    assert (many.std() - spread).abs() < (plain.std() - spread).abs()


@pytest.mark.parametrize("name", PATHS)
def test_forward_noise_leads_back_to_the_level_of_the_step(name):
    path, known, seen = PATHS[name], torch.randn(9000, 1, generator=generator(1)), []

    def denoiser(x_t, t, label=None):
        alpha, sigma = (level.item() for level in path.levels(t[:1]))
        seen.append(((x_t - alpha * known).std().item(), sigma))
        return torch.zeros_like(x_t)

    everything = torch.ones(1, dtype=torch.bool)
    last(inpaint(denoiser, known, everything, path, generator(), resample=3,
                 timesteps=[path.T, 0.6 * path.T, 0.2 * path.T, 0]))  # fmt: skip
    assert len(seen) == 7
    for found, sigma in seen[1:]:  # at the start there is noise alone
        assert found == pytest.approx(sigma, rel=0.03)


def test_the_step_is_ancestral():
    known, nothing = torch.zeros(5, 2), torch.zeros(2, dtype=torch.bool)
    denoiser, noise = correlated(SCHEDULE), generator()
    start = torch.randn(5, 2, generator=noise)
    expected = ddim_sample(denoiser, start, SCHEDULE, noise, timesteps=[50, 20], eta=1.0)
    steps = inpaint(denoiser, known, nothing, SCHEDULE, generator(), timesteps=[50, 20])
    assert_close(last(steps), last(expected))


def test_resampling_by_hand():
    """Two steps to 20, the second after forward noise from 20 back to 40, and one to data."""
    known, noise, denoiser = (
        torch.randn(5, 2, generator=generator(1)),
        generator(),
        correlated(SCHEDULE),
    )
    draw = lambda: torch.randn(5, 2, generator=noise)  # noqa: E731
    (a, a_s), (b, b_s) = (level.tolist() for level in SCHEDULE.levels(torch.tensor([40, 20])))

    def step(x, t, s):
        (taken,) = ddim_sample(denoiser, x, SCHEDULE, noise, timesteps=[t, s], eta=1.0)
        return taken.x

    def replaced(x, alpha, sigma):
        return torch.where(MASK, alpha * known + sigma * draw(), x)

    first = replaced(step(draw(), 40, 20), a_s, b_s)
    ratio = a / a_s
    again = ratio * first + (b**2 - (ratio * b_s) ** 2) ** 0.5 * draw()
    second = replaced(step(again, 40, 20), a_s, b_s)
    end = replaced(step(second, 20, 0), 1.0, 0.0)
    steps = inpaint(denoiser, known, MASK, SCHEDULE, generator(), timesteps=[40, 20, 0], resample=2)
    for found, expected in zip(steps, (first, second, end), strict=True):
        assert_close(found.x, expected)
    once = list(inpaint(denoiser, known, MASK, SCHEDULE, generator(), timesteps=[40, 20, 0]))
    assert len(once) == 2 and torch.equal(once[0].x, first)


def test_one_generator_gives_one_result_and_labels_are_handed_on():
    centres = torch.tensor([[1.0, 2.0], [1.0, -2.0]])
    denoiser = IdealDenoiser(centres, SCHEDULE, torch.tensor([0, 1]), std=0.1)
    known, label = torch.ones(7, 2), torch.tensor([0, 1, 0, 1, 1, 0, 1])

    def run(seed):
        return last(inpaint(denoiser, known, MASK, SCHEDULE, generator(seed), label=label,
                            timesteps=make_timesteps(SCHEDULE, 20)))  # fmt: skip

    assert torch.equal(run(0), run(0)) and not torch.equal(run(0), run(1))
    assert torch.equal(run(0)[:, 1] > 0, label == 0)


KNOWN = torch.zeros(3, 1, 5, 7)


@pytest.mark.parametrize(
    ("known", "mask", "more", "error", "message"),
    [
        (KNOWN, torch.zeros(3, 1, 7, 5, dtype=torch.bool), {}, ShapeError, "\\(3, 1, 5, 7\\), or"),
        (KNOWN, torch.zeros(3, dtype=torch.bool), {}, ShapeError, "of one sample"),
        (KNOWN, torch.zeros(1, 5, 7), {}, ShapeError, "boolean.*float32"),
        (KNOWN, torch.zeros(1, 5, 7, dtype=torch.uint8), {}, ShapeError, "boolean"),
        (KNOWN * torch.nan, torch.ones(1, 5, 7, dtype=torch.bool), {}, DataError, "must be finite"),
        (KNOWN, KNOWN == 0, {"resample": 0}, ConfigError, "resample must be at least 1"),
        (KNOWN, KNOWN == 0, {"timesteps": [50, 60, 0]}, ConfigError, "must fall"),
    ],
)
@pytest.mark.bad_input
def test_bad_input_is_named(known, mask, more, error, message):
    denoiser = IdealDenoiser(torch.zeros(1, 1, 5, 7), SCHEDULE)
    options = {"timesteps": [50, 20, 0], **more}
    with pytest.raises(error, match=message):  # at the call, not at the first step
        inpaint(denoiser, known, mask, SCHEDULE, generator(), **options)
