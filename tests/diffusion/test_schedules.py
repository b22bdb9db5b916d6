"""Schedules: constants from the papers, the rescaling, properties that all share, errors."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.diffusion import Schedule, cosine_schedule, linear_schedule, make_schedule
from attnoise.errors import ConfigError


def test_linear_ends_where_ho_et_al_end():
    schedule = linear_schedule()
    assert_close(schedule.beta[[1, 1000]], torch.tensor([1e-4, 0.02], dtype=torch.float64))
    assert schedule.alpha_bar[-1].item() == pytest.approx(4.04e-5, rel=1e-2)


@pytest.mark.parametrize(("T", "left"), [(100, 0.364), (200, 0.132)])
def test_without_rescaling_few_steps_leave_the_picture(T, left):
    assert linear_schedule(T, rescale=False).alpha_bar[-1].item() == pytest.approx(left, abs=1e-3)
    assert linear_schedule(T).alpha_bar[-1] < 1e-4


def test_cosine_follows_its_formula_before_the_clip():
    schedule, t = cosine_schedule(50), torch.arange(0, 50)
    f = lambda u: math.cos((u / 50 + 0.008) / 1.008 * math.pi / 2) ** 2  # noqa: E731
    expected = torch.tensor([f(u) / f(0) for u in t.tolist()], dtype=torch.float64)
    assert_close(schedule.alpha_bar[:50], expected, atol=0, rtol=1e-12)
    assert schedule.beta[50].item() == pytest.approx(0.999)


def test_sigmoid_is_symmetric_about_the_middle():
    alpha_bar = make_schedule("sigmoid", 40).alpha_bar
    assert_close(alpha_bar[5:36] + alpha_bar[5:36].flip(0), torch.ones(31, dtype=torch.float64))
    steeper = make_schedule("sigmoid", 40, tau=0.5).alpha_bar
    assert steeper[10] > alpha_bar[10]
    assert steeper[30] < alpha_bar[30]


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(["linear", "cosine", "sigmoid"]), T=st.integers(21, 1500))
def test_every_schedule_starts_at_data_and_falls_to_noise(name, T):
    schedule = make_schedule(name, T)
    assert schedule.T == T
    assert schedule.name == name
    assert schedule.alpha_bar[0] == 1
    assert (schedule.alpha_bar.diff() < 0).all()
    assert 0 < schedule.alpha_bar[-1] < 2e-3
    assert schedule.beta[0] == 0
    assert_close((1 - schedule.beta).cumprod(0), schedule.alpha_bar)
    t = torch.arange(T + 1)
    assert_close(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, torch.ones(T + 1))
    assert_close(
        schedule.snr(t[1:]), (schedule.alpha(t) / schedule.sigma(t))[1:] ** 2, rtol=1e-3, atol=0
    )


def test_schedules_are_equal_by_value():
    assert cosine_schedule(9) == cosine_schedule(9) != cosine_schedule(8)
    assert cosine_schedule(9) != linear_schedule(9, rescale=False)
    assert cosine_schedule(9) != Schedule(cosine_schedule(9).alpha_bar, "another name")
    assert hash(cosine_schedule(9)) == hash(cosine_schedule(9)) != hash(cosine_schedule(8))
    assert len({cosine_schedule(9), cosine_schedule(9), cosine_schedule(8)}) == 2
    assert cosine_schedule(9) != "cosine"
    assert repr(cosine_schedule(9)) == "Schedule('cosine', T=9, alpha_bar_T=2.97e-05)"


def test_schedules_survive_copies_and_files():
    schedule = cosine_schedule(9)
    schedule.levels(torch.tensor([3]))
    for twin in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert twin == schedule
        assert_close(twin.levels(torch.tensor([4.5])), schedule.levels(torch.tensor([4.5])))


def test_one_look_up_gives_alpha_sigma_and_snr():
    schedule, t = cosine_schedule(1000), torch.tensor([1, 500, 999, 1000])
    alpha, sigma = schedule.levels(t)
    assert alpha.dtype == sigma.dtype == torch.float64
    assert_close(alpha, schedule.alpha_bar[t].sqrt())
    assert_close(sigma, (1 - schedule.alpha_bar[t]).sqrt())
    assert_close(schedule.snr(t), (alpha / sigma).square().float())
    assert_close(schedule.levels(t.double()), (alpha, sigma))
    assert schedule.levels(t.to(torch.int32))[0].tolist() == alpha.tolist()


def test_tables_are_copied_to_a_device_once_and_are_float32_where_there_is_no_float64():
    schedule, meta = cosine_schedule(9), torch.device("meta")
    first = schedule.levels(torch.empty(3, dtype=torch.long, device=meta))[0]
    assert first.dtype == torch.float32 and first.device == meta
    assert schedule._table(meta) is schedule._table(meta)
    table = schedule._table(torch.device("cpu")).float()  # and there sigma keeps its digits
    assert_close(table[1, 1].item(), 1 - schedule.alpha_bar[1].item(), rtol=1e-6, atol=0)


def test_a_schedule_is_called_custom_unless_it_is_named():
    half = torch.tensor([0.5])
    assert Schedule.from_beta(half) == Schedule(torch.tensor([1.0, 0.5]).double(), "custom")
    assert Schedule(torch.tensor([1.0, 0.5]).double()).name == "custom"
    assert Schedule.from_beta(half, "coin").name == "coin"


def test_defaults():
    assert make_schedule("linear") == linear_schedule(1000, beta_start=1e-4, beta_end=0.02)
    assert make_schedule("cosine") == cosine_schedule(1000, offset=0.008, beta_max=0.999)
    given = make_schedule("sigmoid", 1000, start=-3.0, end=3.0, tau=1.0)
    assert make_schedule("sigmoid") == given


def test_sigmoid_follows_its_formula_and_linear_its_line():
    s = lambda u: 1 / (1 + math.exp(-(-2 + 6 * u) / 0.7))  # noqa: E731
    schedule = make_schedule("sigmoid", 8, start=-2.0, end=4.0, tau=0.7)
    expected = [(s(1) - s(t / 8)) / (s(1) - s(0)) for t in range(8)]
    assert schedule.alpha_bar[:8].tolist() == pytest.approx(expected, rel=1e-12)
    assert schedule.beta[8].item() == pytest.approx(0.999)
    betas = linear_schedule(50, beta_start=1e-3, beta_end=0.03).beta[[1, 50]].tolist()
    assert betas == pytest.approx([0.02, 0.6], rel=1e-12)


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid"])
def test_schedules_are_made_on_the_cpu_whatever_the_default_device(name):
    with torch.device("meta"):
        inside = make_schedule(name, 30)
        assert inside.alpha_bar.device.type == inside.beta.device.type == "cpu"
    assert inside == make_schedule(name, 30)


def test_the_least_that_is_allowed():
    assert cosine_schedule(1).T == 1 and cosine_schedule(9, offset=0.0).beta[1] > 0
    assert linear_schedule(1, rescale=False).alpha_bar.tolist() == pytest.approx([1, 1 - 1e-4])


def test_times_of_ratios_beyond_the_ends():
    schedule, last = cosine_schedule(9), torch.tensor([9.0, 8.5, 0.0]).double()
    alpha, sigma = schedule.levels(last)
    assert_close(schedule.time_of(sigma / alpha), last)
    assert schedule.time_of(torch.tensor([1e9, math.inf])).tolist() == [9, 9]
    rounded = schedule.time_of(torch.tensor([0.5, 3.0]))  # in float32, and no digit is lost
    assert_close(rounded, schedule.time_of(torch.tensor([0.5, 3.0]).double()), atol=0, rtol=0)
    assert schedule.snr(torch.tensor([0])).item() == schedule.snr(torch.tensor(0)) == math.inf
    schedule.check_time(torch.tensor([], dtype=torch.long))
    schedule.check_time(torch.tensor([1, 9]), first=1)


def test_zero_terminal_schedules_say_so():
    assert Schedule(torch.tensor([1.0, 0.5, 0.0]).double()).ends_in_noise
    assert not cosine_schedule(9).ends_in_noise


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_schedule("cosin"), "'linear', 'cosine', 'sigmoid', but it is 'cosin'; did you mean 'cosine'"),
        (lambda: linear_schedule(0), "T must be a whole number of at least 1, but it is 0"),
        (lambda: linear_schedule(10), r"beta_start and beta_end must lie in \(0, 1\).* with few steps \(T = 10\)"),
        (lambda: linear_schedule(beta_end=math.nan), "beta_end must lie"),
        (lambda: cosine_schedule(9, offset=-1.0), "offset must be at least 0"),
        (lambda: cosine_schedule(9, beta_max=1.0), "beta_max lie"),
        (lambda: Schedule.from_beta(torch.tensor([])), "beta must hold"),
        (lambda: Schedule.from_beta(torch.tensor([0.1, math.nan])), "every beta must lie"),
        (lambda: make_schedule("sigmoid", 9, tau=math.nan), "tau > 0"),
        (lambda: cosine_schedule(9).levels(torch.tensor([math.nan])), "between 0 and T = 9"),
        (lambda: make_schedule("sigmoid", 9, tau=0), "tau > 0"),
        (lambda: cosine_schedule(9).alpha(torch.tensor([10])), "between 0 and T = 9, .* 10 to 10"),
        (lambda: cosine_schedule(9).alpha(torch.tensor([-1])), "from -1 to -1"),
        (lambda: cosine_schedule(9).sigma(torch.tensor([9.5])), "between 0 and T = 9, .* 9.5 to 9.5"),
        (lambda: cosine_schedule(9).check_time(torch.tensor([0.5])), "dtype is torch.float32"),
        (lambda: Schedule(torch.tensor([1.0, 0.5])), "float64 .* dtype torch.float32"),
        (lambda: Schedule(torch.tensor([1.0, 0.5, 0.6]).double()), "fall at every step"),
        (lambda: Schedule(torch.tensor([0.9, 0.5]).double()), "start at 1"),
        (lambda: Schedule(torch.tensor([1.0, 0.5, -0.1]).double()), "not below 0, but it runs from 1 to -0.1"),
        (lambda: Schedule(torch.tensor([1.0, 0.5, 0.5]).double()), "fall at every step"),
        (lambda: linear_schedule(100, beta_start=0.5, beta_end=1e-3), "multiplied by 10, but they are 0.5"),
        (lambda: Schedule(torch.tensor([1.0]).double()), r"it has shape \(1,\)"),
        (lambda: Schedule(torch.tensor([[1.0, 0.5]]).double()), r"it has shape \(1, 2\)"),
        (lambda: Schedule.from_beta(torch.tensor([0.0, 0.5])), "every beta must lie .* from 0 to 0.5"),
        (lambda: Schedule.from_beta(torch.tensor([0.5, 1.0])), "every beta must lie .* from 0.5 to 1"),
        (lambda: cosine_schedule(9).check_time(torch.tensor([True])), "dtype is torch.bool"),
        (lambda: cosine_schedule(9).check_time(torch.tensor([0, 3]), first=1), "between 1 and T = 9, but it ranges from 0 to 3"),
        (lambda: linear_schedule(beta_start=0.0), "they are 0.0 and 0.02"),
        (lambda: linear_schedule(beta_end=0.0), "they are 0.0001 and 0.0"),
        (lambda: linear_schedule(beta_start=1.0, beta_end=0.5), "they are 1.0 and 0.5"),
        (lambda: linear_schedule(rescale=False, beta_end=1.0), "multiplied by 1, but they are 0.0001 and 1.0"),
        (lambda: linear_schedule(2.5), "T must be a whole number of at least 1, but it is 2.5"),
        (lambda: cosine_schedule(9, offset=math.inf), "they are inf and 0.999"),
        (lambda: cosine_schedule(9, beta_max=0.0), "they are 0.008 and 0.0"),
        (lambda: cosine_schedule(0), "T must be a whole number"),
        (lambda: make_schedule("sigmoid", 0), "T must be a whole number"),
        (lambda: make_schedule("sigmoid", 9, start=1.0, end=1.0), "start = 1.0 and end = 1.0"),
        (lambda: make_schedule("sine"), "^name must be one of"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
