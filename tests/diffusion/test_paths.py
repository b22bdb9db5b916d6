"""Paths: levels as numbers, and the straight path."""

import math
import pickle

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    LinearPath,
    NetworkDenoiser,
    Path,
    TrigPath,
    cosine_schedule,
    zero_terminal,
)
from attnoise.diffusion.paths import check_range, level_pairs, levels_at
from attnoise.errors import ConfigError

PATH = LinearPath()


def test_both_kinds_are_paths():
    assert isinstance(PATH, Path) and isinstance(cosine_schedule(5), Path)


def test_levels_are_python_numbers_looked_up_in_float64():
    schedule = cosine_schedule(10)
    levels = levels_at(schedule, [10, 2.5, 0])
    assert [level.t for level in levels] == [10, 2.5, 0]
    assert all(type(number) is float for level in levels for number in level[1:])
    alpha, sigma = schedule.levels(torch.tensor([10.0, 2.5, 0.0], dtype=torch.float64))
    assert [level.alpha for level in levels] == alpha.tolist()
    assert [level.sigma for level in levels] == sigma.tolist()
    assert levels[1].ratio == levels[1].sigma / levels[1].alpha
    assert [(a.t, b.t) for a, b in level_pairs(schedule, [10, 4, 0])] == [(10, 4), (4, 0)]


def test_levels_are_looked_up_on_the_cpu_whatever_the_default_device():
    schedule = cosine_schedule(10)
    with torch.device("meta"):
        inside = levels_at(schedule, [10, 2.5, 0])
    assert inside == levels_at(schedule, [10, 2.5, 0])


def test_the_straight_path():
    alpha, sigma = PATH.levels(torch.tensor([0.0, 0.25, 1.0]))
    assert_close(alpha, torch.tensor([1.0, 0.75, 0.0], dtype=torch.float64))
    assert_close(sigma, torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64))
    ratio = torch.tensor([0.0, 1.0, 3.0, math.inf])
    assert_close(PATH.time_of(ratio), torch.tensor([0.0, 0.5, 0.75, 1.0], dtype=torch.float64))
    assert PATH == LinearPath() and hash(PATH) == hash(LinearPath())
    assert pickle.loads(pickle.dumps(PATH)) == PATH


def test_the_trigonometric_path_is_a_quarter_of_a_circle():
    path, t = TrigPath(), torch.tensor([0.0, math.pi / 6, math.pi / 2], dtype=torch.float64)
    alpha, sigma = path.levels(t)
    assert_close(alpha, torch.tensor([1.0, 0.75**0.5, 0.0], dtype=torch.float64))
    assert_close(sigma, torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    assert alpha[2] == 0 and sigma[0] == 0  # exactly: noise alone, and data alone
    for rounded in (*path.levels(torch.tensor([0.5])), path.time_of(torch.tensor([0.5]))):
        assert rounded.dtype == torch.float64
    times = torch.linspace(0, 1.5, 7, dtype=torch.float64)
    alpha, sigma = path.levels(times)
    assert_close(alpha.square() + sigma.square(), torch.ones(7, dtype=torch.float64))
    assert_close(path.time_of(sigma / alpha), times)
    with pytest.raises(ConfigError, match=r"t must lie between 0 and T = 1.57.*to 1.6"):
        path.levels(torch.tensor([0.5, 1.6]))


def test_the_end_of_the_trigonometric_path_may_be_rounded():
    t = torch.tensor([math.pi / 2])  # just above pi / 2 in float32
    assert TrigPath().levels(t)[0].item() == 0
    assert NetworkDenoiser(lambda x, time: x, TrigPath(), "v")(torch.zeros(1, 2), t).shape == (1, 2)
    assert TrigPath() == TrigPath() and hash(TrigPath()) == hash(TrigPath())


@pytest.mark.parametrize("t", [[-0.1, 0.5], [0.5, 1.5], [math.nan, 0.5]])
def test_times_out_of_range_are_named(t):
    with pytest.raises(ConfigError, match="t must lie between 0 and T = 1"):
        check_range(torch.tensor(t), 1.0)
    check_range(torch.tensor([0.0, 1.0]), 1.0)
    check_range(torch.tensor([]), 1.0)
    with pytest.raises(ConfigError, match="t must lie between 0 and T = 1"):
        PATH.levels(torch.tensor(t))


@pytest.mark.parametrize("path", [PATH, TrigPath(), zero_terminal(cosine_schedule(9))])
@pytest.mark.parametrize("ratio", [-1.0, math.nan])
def test_bad_ratios_are_named(path, ratio):
    with pytest.raises(ConfigError, match="ratio must be at least 0, but it holds"):
        path.time_of(torch.tensor([1.0, ratio]))
