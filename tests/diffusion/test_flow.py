"""Flows: the loss finds the velocity whatever is predicted, times and pairs are as they should be."""

import math
from itertools import permutations

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    LinearPath,
    Step,
    euler_sample,
    flow_loss,
    logit_normal_times,
    make_timesteps,
    pair_by_transport,
    shift_times,
    straightness,
)
from attnoise.diffusion.flow import uniform_times
from attnoise.errors import ConfigError, DataError, ShapeError

PATH = LinearPath()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_logit_normal_times_have_a_normal_logit():
    t = logit_normal_times(50_000, torch.Generator().manual_seed(0), mean=0.5, std=0.8)
    assert t.logit().mean() == pytest.approx(0.5, abs=0.02)
    assert t.logit().std() == pytest.approx(0.8, abs=0.02)
    assert 0 < uniform_times(50_000, torch.Generator().manual_seed(0)).min()


def test_times_are_drawn_in_float64_and_by_default_around_the_middle():
    z = draw(7)
    assert_close(logit_normal_times(7, torch.Generator().manual_seed(0)), z.sigmoid())
    moved = logit_normal_times(7, torch.Generator().manual_seed(0), mean=0.5, std=0.8)
    assert_close(moved, (0.5 + 0.8 * z).sigmoid())
    for times in (uniform_times(5), logit_normal_times(5)):
        assert times.dtype == torch.float64 and 0 < times.min() <= times.max() <= 1
    assert logit_normal_times(0).shape == (0,)
    with torch.device("meta"):  # whatever the default device
        assert uniform_times(5).device.type == logit_normal_times(5).device.type == "cpu"


@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0])
def test_shifting_multiplies_the_ratio_of_noise_and_signal(shift):
    t = torch.linspace(0, 0.99, 23, dtype=torch.float64)
    moved = shift_times(t, shift)
    assert_close(moved / (1 - moved), shift * t / (1 - t))
    assert shift_times(torch.ones(1), shift) == 1


@pytest.mark.parametrize("target", ["u", "v", "eps", "x0"])
def test_every_target_has_the_same_loss_for_the_same_prediction(target):
    data, x0 = draw(7, 3), draw(7, 3)
    ideal = IdealDenoiser(data, PATH)

    def network(x_t, t):
        x0_hat = ideal(x_t, t.double())
        alpha, sigma = 1 - t[:, None], t[:, None]
        eps_hat = (x_t - alpha * x0_hat) / sigma
        return {"u": eps_hat - x0_hat, "v": alpha * eps_hat - sigma * x0_hat,
                "eps": eps_hat, "x0": x0_hat}[target]  # fmt: skip

    def loss(**options):
        return flow_loss(network, x0, torch.Generator().manual_seed(1), target=target, **options)

    def velocity(x_t, t):
        return (x_t - ideal(x_t, t.double())) / t[:, None]

    assert_close(
        loss(), flow_loss(velocity, x0, torch.Generator().manual_seed(1)), rtol=1e-4, atol=0
    )
    assert loss(time_sampling="uniform") != loss()


def test_shift_moves_the_times_of_the_loss():
    seen = []
    network = lambda x_t, time: seen.append(time) or x_t  # noqa: E731
    for shift in (1.0, 3.0):
        flow_loss(network, draw(50, 2), torch.Generator().manual_seed(0), shift=shift)
    assert_close(seen[1], shift_times(seen[0], 3.0))
    assert (seen[1] > seen[0]).all()


def test_times_are_drawn_as_named():
    seen = {}
    for name in ("uniform", "logit_normal"):
        network = lambda x_t, time, name=name: seen.update({name: time}) or x_t  # noqa: E731
        generator = torch.Generator().manual_seed(0)
        flow_loss(network, draw(20_000, 1), generator, time_sampling=name)
    assert seen["uniform"].var().item() == pytest.approx(1 / 12, rel=0.03)
    assert seen["logit_normal"].logit().std().item() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("target", ["u", "x0"])
def test_times_stay_off_the_ends_where_a_target_is_turned_into_u(target):
    seen = []
    network = lambda x_t, time: seen.append(time) or x_t  # noqa: E731
    options = {"time_sampling": "uniform", "target": target}
    flow_loss(network, draw(20_000, 1), torch.Generator().manual_seed(0), **options)
    if target == "u":
        assert seen[0].min() < 1e-3 and seen[0].max() > 0.999
    else:
        assert_close((seen[0].min().item(), seen[0].max().item()), (1e-3, 0.999))


def test_a_label_is_handed_on_and_none_is_not():
    seen, label = [], torch.arange(5)
    remember = lambda x_t, *rest: seen.append(rest[1:]) or x_t  # noqa: E731
    flow_loss(remember, draw(5, 2), label=label)
    flow_loss(remember, draw(5, 2))
    assert len(seen[0]) == 1 and seen[0][0] is label and seen[1] == ()


def test_least_loss_is_the_conditional_mean_of_the_velocity():
    x0 = 0.5 * draw(40_000, 1)
    exact = GaussianDenoiser(torch.zeros(1), torch.tensor([[0.25]]), PATH)

    def bent(factor):
        def network(x_t, t):
            return factor * (x_t - exact(x_t, t.double())) / t[:, None]

        return flow_loss(
            network, x0, torch.Generator().manual_seed(2), time_sampling="uniform"
        ).item()

    assert bent(1.0) < min(bent(0.9), bent(1.1))


def test_pairing_finds_the_cheapest_of_all_orders():
    x0, eps = draw(5, 2), draw(5, 2, seed=1)
    paired = pair_by_transport(x0, eps)
    orders = torch.tensor([list(p) for p in permutations(range(5))])
    costs = (x0[None] - eps[orders]).square().sum(dim=(1, 2))
    assert_close((x0 - paired).square().sum(), costs.min())
    assert_close(paired.sort(dim=0).values, eps.sort(dim=0).values)


def test_given_noise_is_used():
    x0, eps = draw(5, 2), draw(5, 2, seed=1)
    truth = lambda x_t, t: eps - x0  # noqa: E731
    assert flow_loss(truth, x0, torch.Generator().manual_seed(0), eps=eps) == 0


def test_straightness_of_known_paths():
    line = [Step(1 - i / 4, torch.tensor([[float(i), 0.0]]), torch.zeros(1, 2)) for i in range(5)]
    assert straightness(line) == pytest.approx(1)
    assert straightness(line[:2]) == pytest.approx(1)
    angles = torch.linspace(0, math.pi, 400)
    arc = [Step(0.0, torch.stack([a.cos(), a.sin()])[None], torch.zeros(1, 2)) for a in angles]
    assert straightness(arc) == pytest.approx(2 / math.pi, abs=1e-3)
    single = IdealDenoiser(draw(1, 2), PATH)  # all paths lead straight to one point
    steps = euler_sample(
        single, draw(9, 2), PATH, timesteps=make_timesteps(PATH, 30), parametrisation="flow"
    )
    assert straightness(steps) == pytest.approx(1, abs=1e-4)


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="std must be above 0 and mean finite, but they are 0.0"):
        logit_normal_times(3, std=0.0)
    with pytest.raises(ConfigError, match="shift must be above 0, but it is -1"):
        shift_times(torch.tensor([0.5]), -1.0)
    with pytest.raises(ConfigError, match="target must be one of .* but it is 'w'"):
        flow_loss(lambda x, t: x, draw(3, 2), target="w")
    with pytest.raises(ConfigError, match="time_sampling must be one of 'logit_normal', 'uniform'"):
        flow_loss(lambda x, t: x, draw(3, 2), time_sampling="even")
    with pytest.raises(DataError, match="x0 must be finite"):
        flow_loss(lambda x, t: x, draw(3, 2) * float("inf"))
    with pytest.raises(ShapeError, match="x0 must be floating-point numbers, .* torch.uint8"):
        flow_loss(lambda x, t: x, torch.zeros(3, 8, 8, 1, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="shift must be above 0, but it is nan"):
        flow_loss(lambda x, t: x, draw(3, 2), shift=math.nan)
    with pytest.raises(ShapeError, match="eps must have the shape of x0"):
        pair_by_transport(draw(3, 2), draw(4, 2))
    for std, mean in ((math.inf, 0.0), (1.0, math.inf)):
        with pytest.raises(ConfigError, match=f"they are {std} and {mean}"):
            logit_normal_times(3, std=std, mean=mean)
    for shift in (0.0, math.inf):
        with pytest.raises(ConfigError, match=f"shift must be above 0, but it is {shift}"):
            shift_times(torch.tensor([0.5]), shift)
    with pytest.raises(ConfigError, match="t must lie between 0 and T = 1, but .* to 1.5"):
        shift_times(torch.tensor([0.5, 1.5]), 2.0)
    with pytest.raises(DataError, match="^x0 must be finite"):
        pair_by_transport(draw(3, 2) * math.nan, draw(3, 2))
    with pytest.raises(DataError, match="^eps must be finite"):
        pair_by_transport(draw(3, 2), draw(3, 2) * math.nan)
    with pytest.raises(ConfigError, match="at least 2 steps, but they hold 1"):
        straightness([Step(0.0, torch.zeros(1, 2), torch.zeros(1, 2))])
    with pytest.raises(ConfigError, match="at least 2 steps, but they hold 0"):
        straightness([])
