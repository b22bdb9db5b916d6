"""Ancestral sampling: exact on Gaussian data, silent on the last step, repeatable."""

import sys
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    LinearPath,
    PointDenoiser,
    PreconditionedDenoiser,
    consistency_loss,
    consistency_sample,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    edm_loss,
    edm_sample,
    euler_sample,
    flow_loss,
    heun_sample,
    inpaint,
    invert,
    last,
    linear_schedule,
    make_timesteps,
    posterior,
    simple_loss,
    zero_terminal,
)
from attnoise.errors import ConfigError, DataError, ShapeError


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
    schedule, timesteps = (
        cosine_schedule(200),
        make_timesteps(cosine_schedule(200), steps, "trailing"),
    )
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
        ddpm_sample(
            IdealDenoiser(data, schedule), draw(5, 2), schedule, torch.Generator(),
            timesteps=range(30, -1, -1),
        )
    )  # fmt: skip
    assert [step.t for step in steps] == list(range(29, -1, -1))
    assert all(step.x.shape == step.x0_hat.shape == (5, 2) for step in steps)


@pytest.mark.parametrize("kind", ["small", "large"])
def test_last_step_adds_no_noise(kind):
    schedule, data = cosine_schedule(30), draw(3, 2)
    *_, end = ddpm_sample(
        IdealDenoiser(data, schedule), draw(5, 2), schedule, torch.Generator(),
        timesteps=range(30, -1, -1), variance=kind,
    )  # fmt: skip
    assert_close(end.x, end.x0_hat, atol=0, rtol=0)


def test_ideal_denoiser_gives_back_training_data():
    """Why the book sounds an alarm: a perfect denoiser of a finite set can only repeat it."""
    schedule, data = cosine_schedule(100), draw(7, 3)
    x = last(
        ddpm_sample(
            IdealDenoiser(data, schedule), draw(50, 3), schedule, torch.Generator(),
            timesteps=range(100, -1, -1),
        )
    )  # fmt: skip
    nearest = torch.cdist(x, data).min(dim=1)
    assert nearest.values.max() < 0.02
    assert len(nearest.indices.unique()) > 3


@pytest.mark.parametrize("variance", ["small", "large"])
def test_each_step_adds_the_stated_noise(variance):
    schedule, constant = linear_schedule(40), torch.full((50_000, 1), 0.3)
    step = next(ddpm_sample(lambda x, t, label: constant, 0 * constant, schedule,
                            torch.Generator().manual_seed(0), timesteps=range(40, -1, -1),
                            variance=variance))  # fmt: skip
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
        ({"timesteps": [9, 5, 6, 0]}, r"must fall within T = 9 and 0, but they are \[9, 5, 6\]"),
        ({"timesteps": [9]}, "must fall within T = 9"),
        ({"timesteps": [10, 0]}, "must fall within T = 9"),
        ({"timesteps": [9, float("nan"), 0]}, "must fall within T = 9"),
        ({"timesteps": [9, 0], "variance": "tiny"}, "'tiny'"),
    ],
)
def test_bad_input_is_named_before_the_first_step(options, message):
    with pytest.raises(ConfigError, match=message):
        ddpm_sample(lambda x, t, label: x, draw(5, 2), cosine_schedule(9), **options)


def test_last_needs_a_step():
    with pytest.raises(ConfigError, match="yielded none"):
        last([])


SAMPLERS = {
    "ddpm": (ddpm_sample, {}),
    "ddpm, large": (ddpm_sample, {"variance": "large"}),
    "ddim": (ddim_sample, {"eta": 0.7}),
    "euler": (euler_sample, {}),
    "heun": (heun_sample, {}),
    "edm": (edm_sample, {}),
    "dpm_solver": (dpm_solver_sample, {}),
    "consistency": (consistency_sample, {}),
}
COSINE = cosine_schedule(20)
TIMES = [20, 14, 9, 3, 0]


def learning(path=COSINE, seed=0):
    """A denoiser whose predictions need gradients."""
    torch.manual_seed(seed)
    return PreconditionedDenoiser(PointDenoiser(d=8, depth=1), path)


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_sampler_keeps_a_graph_and_the_callers_setting_holds_between_steps(name):
    function, options = SAMPLERS[name]
    for step in function(learning(), draw(4, 2), COSINE, timesteps=TIMES, **options):
        assert not step.x.requires_grad and not step.x0_hat.requires_grad
        assert torch.is_grad_enabled()


def test_inversion_and_inpainting_keep_no_graph():
    known, mask = draw(4, 2), torch.tensor([True, False])
    runs = (
        invert(learning(), known, COSINE, timesteps=[1, 9, 20]),
        inpaint(learning(), known, mask, COSINE, torch.Generator(), timesteps=TIMES),
    )
    for steps in runs:
        assert not any(step.x.requires_grad or step.x0_hat.requires_grad for step in steps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SAMPLERS)
def test_half_precision_lands_near_float32(name, dtype):
    """The network alone is rounded: noise and the arithmetic of a step are float32's."""
    function, options = SAMPLERS[name]
    network, noise, ends = learning().model, draw(50, 2).to(dtype), {}
    for kind in (torch.float32, dtype):
        denoiser = PreconditionedDenoiser(network.to(kind), COSINE)
        run = function(
            denoiser, noise.to(kind), COSINE, torch.Generator().manual_seed(1), timesteps=TIMES,
            **options,
        )  # fmt: skip
        ends[kind] = last(run)
        assert ends[kind].dtype == kind
    away = (ends[dtype].float() - ends[torch.float32]).norm() / ends[torch.float32].norm()
    assert away < (0.03 if dtype == torch.bfloat16 else 0.004)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_denoiser_sees_the_dtype_of_the_samples_and_their_label(name, dtype):
    function, options = SAMPLERS[name]
    seen, label = [], torch.arange(5)

    def denoiser(x_t, t, label):
        seen.append((x_t.dtype, label))
        return x_t / 2

    for step in function(
        denoiser, draw(5, 2).to(dtype), COSINE, torch.Generator(), timesteps=TIMES, label=label,
        **options,
    ):  # fmt: skip
        assert step.x.dtype == step.x0_hat.dtype == dtype
    assert seen and all(kind == dtype and given is label for kind, given in seen)


class CountReads(TorchDispatchMode):
    """Count how often a tensor's value becomes a Python number."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.reads += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


@pytest.fixture
def elsewhere(monkeypatch):
    """Let the package take the CPU for a device whose values must not be read."""
    for name, module in list(sys.modules.items()):
        if name.startswith("attnoise.") and hasattr(module, "values_may_be_read"):
            monkeypatch.setattr(module, "values_may_be_read", lambda tensor: False)


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_sampler_reads_a_value_back(elsewhere, name):
    function, options = SAMPLERS[name]
    denoiser, noise = learning(), draw(4, 2)
    with CountReads() as counted:
        last(function(denoiser, noise, COSINE, timesteps=TIMES, **options))
    assert counted.reads == 0


def test_no_loss_reads_a_value_back(elsewhere):
    denoiser, x0 = learning(), draw(4, 2)
    with CountReads() as counted:
        simple_loss(denoiser.model, x0, COSINE)
        flow_loss(denoiser.model, x0)
        edm_loss(denoiser, x0)
        consistency_loss(denoiser, denoiser, denoiser, x0, COSINE, timesteps=TIMES)
    assert counted.reads == 0
    with CountReads() as counted:  # the count counts
        x0.sum().item()
    assert counted.reads == 1


@pytest.mark.parametrize("path", [LinearPath(), zero_terminal(cosine_schedule(50))])
def test_ancestral_sampling_takes_any_path(path):
    """On Gaussian data, mean and spread come out right from pure noise."""
    exact = GaussianDenoiser(torch.tensor([0.7]), torch.tensor([[0.25]]), path)
    times = make_timesteps(path, 400)
    generator = torch.Generator().manual_seed(1)
    x = last(ddpm_sample(exact, draw(20_000, 1), path, generator, timesteps=times))
    assert x.mean().item() == pytest.approx(0.7, abs=0.02)
    assert x.var().item() == pytest.approx(0.25, rel=0.08)


@pytest.mark.bad_input
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    ("change", "message", "error"),
    [
        ({"x_T": draw(5, 2) * float("nan")}, "^x_T must be finite", DataError),
        ({"x_T": torch.zeros(5, 2, dtype=torch.long)}, "^x_T must be floating-point", ShapeError),
        (
            {"label": torch.tensor([1])},
            r"label must hold one class per sample.* \(5,\)",
            ShapeError,
        ),
        ({"label": torch.rand(5)}, "label must .* dtype torch.float32", ShapeError),
        ({"timesteps": [3, 9, 0]}, "timesteps must fall", ConfigError),
    ],
)
def test_errors_come_at_the_call(name, change, message, error):
    function, options = SAMPLERS[name]
    given = {"x_T": draw(5, 2), "timesteps": TIMES, **change, **options}
    with pytest.raises(error, match=message):
        function(lambda x, t, label: x, path=COSINE, **given)
