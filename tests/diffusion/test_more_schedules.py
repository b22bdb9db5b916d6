"""Schedules made of others: they end where they should, and keep their start."""

import diffusers
import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    cosine_schedule,
    linear_schedule,
    make_schedule,
    shift_schedule,
    shift_times,
    sigmoid_schedule,
    zero_terminal,
)
from attnoise.errors import ConfigError


def test_zero_terminal_ends_at_zero_and_keeps_the_start():
    schedule = zero_terminal(linear_schedule(1000))
    assert schedule.alpha_bar[0] == 1 and schedule.alpha_bar[-1] == 0
    assert schedule.name == "linear, to zero"
    theirs = diffusers.DDIMScheduler(beta_start=1e-4, rescale_betas_zero_snr=True)
    # theirs keeps the first alpha of the steps, ours that of clean data
    assert_close(schedule.alpha_bar[1:].float(), theirs.alphas_cumprod, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shift", [0.4, 2.5])
def test_shifting_multiplies_the_ratio_at_every_time(shift):
    schedule = cosine_schedule(40)
    shifted = shift_schedule(schedule, shift)
    levels = [s.levels(torch.arange(1, 41)) for s in (shifted, schedule)]
    ratios = [sigma / alpha for alpha, sigma in levels]
    assert_close(ratios[0], shift * ratios[1], rtol=1e-9, atol=0)
    assert shifted.alpha_bar[0] == 1 and shifted.name == f"cosine, shifted by {shift}"
    t = torch.linspace(
        0.1, 0.9, 5, dtype=torch.float64
    )  # on the straight path the same is done by moving the time
    assert_close(shift_times(t, shift) / (1 - shift_times(t, shift)), shift * t / (1 - t))


def test_sigmoid_has_a_thousand_steps_by_default():
    assert sigmoid_schedule() == make_schedule("sigmoid", 1000, start=-3.0, end=3.0, tau=1.0)


def test_a_schedule_that_ends_at_zero_still_does():
    assert shift_schedule(zero_terminal(linear_schedule(30)), 2.0).alpha_bar[-1] == 0


def test_bad_shift_is_named():
    for shift in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=f"shift must be above 0, but it is {shift}"):
            shift_schedule(cosine_schedule(9), shift)
