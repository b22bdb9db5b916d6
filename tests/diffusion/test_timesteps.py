"""Timesteps: the spacings against diffusers' and by hand, and what a sampler accepts."""

import math

import diffusers
import pytest
import torch

from attnoise.diffusion import LinearPath, cosine_schedule, linear_schedule, make_timesteps
from attnoise.diffusion.timesteps import SPACINGS, check_timesteps
from attnoise.errors import ConfigError

PATHS = {"schedule": linear_schedule(1000), "flow": LinearPath()}


def test_trailing_is_whole_in_a_schedule():
    assert make_timesteps(linear_schedule(1000), 1, "trailing") == [1000, 0]
    every = make_timesteps(cosine_schedule(7), 7, "trailing")
    assert every == [7, 6, 5, 4, 3, 2, 1, 0] and all(type(t) is int for t in every)
    assert make_timesteps(cosine_schedule(10), 4, "trailing") == [10, 8, 5, 2, 0]


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 33])
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
def test_named_as_in_diffusers_and_equal(spacing, steps):
    theirs = diffusers.DDIMScheduler(timestep_spacing=spacing)
    theirs.set_timesteps(steps)
    ours = make_timesteps(PATHS["schedule"], steps, spacing)
    if spacing == "linspace" and steps == 1:
        return  # numpy starts at 0 there: one step from clean data
    assert ours == [int(t) + 1 for t in theirs.timesteps] + [0]


def test_even_is_even_and_not_rounded():
    assert make_timesteps(cosine_schedule(10), 4) == [10.0, 7.5, 5.0, 2.5, 0.0]
    assert make_timesteps(LinearPath(), 4) == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_spacings_of_the_straight_path():
    assert make_timesteps(LinearPath(), 4, "trailing") == [1.0, 0.75, 0.5, 0.25, 0.0]
    leading = make_timesteps(LinearPath(), 4, "leading")
    assert leading == pytest.approx([0.751, 0.501, 0.251, 0.001, 0])
    linspace = make_timesteps(LinearPath(), 3, "linspace")
    assert linspace == pytest.approx([1, 0.5005, 0.001, 0])


@pytest.mark.parametrize("spacing", SPACINGS)
def test_times_are_computed_on_the_cpu_whatever_the_default_device(spacing):
    with torch.device("meta"):
        inside = make_timesteps(PATHS["schedule"], 7, spacing)
    assert inside == make_timesteps(PATHS["schedule"], 7, spacing)


def test_times_have_the_digits_of_float64():
    thirds = [1, 2 / 3, 1 / 3, 0]
    assert make_timesteps(LinearPath(), 3, "trailing") == pytest.approx(thirds, rel=1e-12)
    leading, linspace = [2 / 3 + 1e-3, 1 / 3 + 1e-3, 1e-3, 0], [1, 0.667, 0.334, 1e-3, 0]
    assert make_timesteps(LinearPath(), 3, "leading") == pytest.approx(leading, rel=1e-12)
    assert make_timesteps(LinearPath(), 4, "linspace") == pytest.approx(linspace, rel=1e-12)


def test_log_snr_is_even_in_the_logarithm():
    times = make_timesteps(PATHS["schedule"], 8, "log_snr")
    alpha, sigma = PATHS["schedule"].levels(torch.tensor(times[:-1], dtype=torch.float64))
    gaps = (sigma / alpha).log().diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(7), rtol=1e-3, atol=0)


def test_as_many_steps_as_there_are_and_a_single_one():
    for spacing in ("trailing", "leading", "linspace"):
        assert make_timesteps(cosine_schedule(7), 7, spacing) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert make_timesteps(LinearPath(), 1) == [1.0, 0.0]
    for spacing in ("karras", "log_snr"):
        for steps, (first, *_, end) in ((1, [50, 0]), (2, [50, 0.05, 0])):
            times = make_timesteps(cosine_schedule(50), steps, spacing)
            assert (times[0], times[-1]) == (pytest.approx(first, rel=1e-9), end)
        assert times[1] == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [2, 9])
def test_every_spacing_falls_from_at_most_T_to_0(spacing, steps):
    times = make_timesteps(PATHS["schedule"], steps, spacing)
    assert len(times) == steps + 1 and times[-1] == 0
    assert check_timesteps(times, PATHS["schedule"]) == times


def test_whole_numbers_stay_whole_and_tensors_become_numbers():
    checked = check_timesteps([1000, 500.0, 0], PATHS["schedule"])
    assert [type(t) for t in checked] == [int, float, int]
    assert check_timesteps(torch.tensor([9, 3, 0]), PATHS["schedule"]) == [9, 3, 0]
    assert check_timesteps(range(3, -1, -1), PATHS["schedule"]) == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("times", "order", "message"),
    [
        ([9, 5, 6, 0], 1, r"must fall within T = 1000 and 0, but they are \[9, 5, 6\]"),
        ([9], 1, "must fall within"),
        ([], 1, "must fall within"),
        ([1001, 0], 1, "must fall within"),
        ([math.inf, 0], 1, "must fall within"),
        ([9, -1], 1, "must fall within"),
        ([math.nan, 0], 1, "must fall within"),
        ([9, math.nan, 0], 1, "must fall within"),
        ([9, 9, 0], 1, "must fall within"),
        ([9, 0], 2, "at least 2 steps for a sampler of order 2, but they hold 1"),
    ],
)
def test_bad_timesteps_are_named(times, order, message):
    with pytest.raises(ConfigError, match=message):
        check_timesteps(times, PATHS["schedule"], order=order)


@pytest.mark.parametrize(
    ("path", "steps", "spacing", "message"),
    [
        ("schedule", 0, "even", "steps must be a whole number of at least 1, but it is 0"),
        ("schedule", 2.5, "even", "steps must be a whole number"),
        ("schedule", 1001, "trailing", "between 1 and T = 1000, but it is 1001"),
        ("schedule", 1001, "leading", "between 1 and T = 1000, but it is 1001"),
        ("schedule", 1001, "linspace", "between 1 and T = 1000, but it is 1001"),
        ("schedule", 9, "kairos", "^spacing must be one of 'even', "),
        ("schedule", 9, "karas", "did you mean 'karras'"),
        ("flow", 9, "karras", "noise alone.*use 'even'"),
        ("flow", 9, "log_snr", "noise alone.*use 'even'"),
    ],
)
@pytest.mark.bad_input
def test_bad_settings_are_named(path, steps, spacing, message):
    with pytest.raises(ConfigError, match=message):
        make_timesteps(PATHS[path], steps, spacing)
