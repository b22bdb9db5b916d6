"""Consistency models: the loss is zero for the exact one, training finds it, sampling jumps."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    LinearPath,
    PreconditionedDenoiser,
    add_noise,
    consistency_loss,
    consistency_sample,
    heun_sample,
    last,
    make_timesteps,
)
from attnoise.errors import ConfigError, DataError

PATH, STD = LinearPath(), 0.5
TEACHER = GaussianDenoiser(torch.zeros(1), torch.tensor([[STD**2]]), PATH)


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


class Exact:
    """The consistency model of Gaussian data: the ODE keeps x_t / std of x_t."""

    def __call__(self, x_t, t, label=None):
        alpha, sigma = (level[:, None] for level in PATH.levels(t))
        return x_t * STD / ((alpha * STD) ** 2 + sigma**2).sqrt()


def test_loss_is_nearly_zero_for_the_exact_model_and_vanishes_with_finer_times():
    x0, losses = STD * draw(500, 1), []
    for steps in (20, 40, 80):
        generator = torch.Generator().manual_seed(0)
        times = make_timesteps(PATH, steps)
        losses.append(
            consistency_loss(Exact(), Exact(), TEACHER, x0, PATH, generator, timesteps=times).item()
        )
    assert losses[0] < 1e-3 and losses[0] / losses[1] > 6 and losses[1] / losses[2] > 6
    lazy = PreconditionedDenoiser(lambda x, t: torch.zeros_like(x), PATH)  # answers E[x0], not x0
    assert consistency_loss(lazy, lazy, TEACHER, x0, PATH, timesteps=times[::4]) > 3 * losses[0]


def test_training_turns_a_network_into_a_jump():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1)).double()

    def call(model):
        def forward(x, t):
            return model(torch.cat([x, t[:, None]], dim=1))

        return PreconditionedDenoiser(forward, PATH, sigma_data=STD)

    slow, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    times, x_T = make_timesteps(PATH, 12), draw(400, 1, seed=3)
    truth = last(
        heun_sample(TEACHER, x_T, PATH, timesteps=make_timesteps(PATH, 100), parametrisation="flow")
    )

    def error():
        jumped = last(consistency_sample(call(network), x_T, PATH, timesteps=(1.0, 0.0)))
        return (jumped - truth).square().mean().sqrt().item()

    before = error()
    for _ in range(600):
        x0 = STD * torch.randn(64, 1, generator=generator, dtype=torch.float64)
        optimizer.zero_grad()
        loss = consistency_loss(
            call(network), call(slow), TEACHER, x0, PATH, generator, timesteps=times
        )
        loss.backward()
        assert all(p.grad is None for p in slow.parameters())
        optimizer.step()
        for kept, new in zip(slow.parameters(), network.parameters(), strict=True):
            kept.data.lerp_(new.data, 0.1)
    assert error() < 0.1 < 0.3 < before


def test_two_jumps_add_fresh_noise_in_between_and_none_at_the_end():
    data = draw(3, 2)
    ideal, x_T = IdealDenoiser(data, PATH), draw(5, 2, seed=1)
    ours, theirs = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    steps = list(consistency_sample(ideal, x_T, PATH, ours, timesteps=(1.0, 0.4, 0.0)))
    assert [step.t for step in steps] == [0.4, 0.0]
    z = torch.randn(5, 2, generator=theirs, dtype=torch.float64)
    assert torch.equal(ours.get_state(), theirs.get_state())
    expected = add_noise(steps[0].x0_hat, torch.full((5,), 0.4), z, PATH)
    assert_close(steps[0].x, expected, atol=1e-6, rtol=1e-6)
    assert_close(steps[1].x, ideal(expected, torch.full((5,), 0.4)), atol=1e-5, rtol=1e-5)


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="timesteps must end at 0, .* end at 0.1"):
        consistency_loss(Exact(), Exact(), TEACHER, draw(3, 1), PATH, timesteps=[1.0, 0.5, 0.1])
    with pytest.raises(DataError, match="x0 must be finite"):
        consistency_loss(
            Exact(), Exact(), TEACHER, draw(3, 1) * float("nan"), PATH, timesteps=[1.0, 0.5, 0.0]
        )
    with pytest.raises(ConfigError, match="must fall within"):
        consistency_sample(Exact(), draw(3, 1), PATH, timesteps=(0.0, 1.0))


def test_times_are_as_precise_as_the_samples():
    seen = []

    def student(x_t, t, label):
        seen.append(t)
        return x_t

    consistency_loss(student, Exact(), TEACHER, draw(8, 1), PATH, timesteps=[0.7, 0.0])
    assert seen[0].tolist() == [0.7] * 8  # 0.7 in float32 is another number


def test_times_and_noise_come_from_the_generator_and_the_label_reaches_all_three():
    seen, label = [], torch.arange(8)

    def remember(x_t, t, label=None):
        seen.append((x_t, t, label))
        return x_t / 2

    for _ in range(2):
        consistency_loss(remember, remember, remember, draw(8, 1).bfloat16(), PATH,
                         torch.Generator().manual_seed(0), timesteps=[1.0, 0.6, 0.3, 0.0],
                         label=label)  # fmt: skip
    assert all(given is label for *_, given in seen)
    assert all(x.dtype == torch.bfloat16 for x, *_ in seen)
    for first, second in zip(seen[:3], seen[3:], strict=True):
        assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_sampling_hands_the_label_on():
    seen, label = [], torch.arange(3)
    remember = lambda x_t, t, label: seen.append(label) or x_t  # noqa: E731
    last(consistency_sample(remember, draw(3, 1), PATH, timesteps=(1.0, 0.5, 0.0), label=label))
    assert [given is label for given in seen] == [True, True]
