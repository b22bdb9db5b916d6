"""Solvers: equal to diffusers' step by step, exact on Gaussian data, of the order they claim."""

import math

import diffusers
import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    IdealDenoiser,
    LinearPath,
    NetworkDenoiser,
    Schedule,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    edm_sample,
    euler_sample,
    heun_sample,
    invert,
    last,
    linear_schedule,
    make_timesteps,
    zero_terminal,
)
from attnoise.errors import ConfigError

ODE_SOLVERS = (ddim_sample, euler_sample, heun_sample, dpm_solver_sample)
ALL = (*ODE_SOLVERS, edm_sample)
MEAN, COVARIANCE = torch.tensor([0.7, -1.0]), torch.tensor([[0.5, 0.3], [0.3, 0.9]])
CENTRES = torch.tensor([[1.0, 0.5], [-1.2, 0.1], [0.2, -1.1]], dtype=torch.float64)
PATHS = {"linear": linear_schedule(1000), "cosine": cosine_schedule(50), "flow": LinearPath()}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


START = draw(3, 2)


class Shared:
    """One exact denoiser, seen by us at times 1 to 1,000 and by diffusers at 0 to 999."""

    def __init__(self):
        self.schedule = linear_schedule(1000)
        self.denoiser = IdealDenoiser(CENTRES, self.schedule, std=0.3)

    def noise(self, x, index):
        """Answer as a network for diffusers does: eps at a time that it counts from 0."""
        t = torch.full((len(x),), float(index) + 1, dtype=torch.float64)
        alpha, sigma = (level[:, None] for level in self.schedule.levels(t))
        return (x - alpha * self.denoiser(x, t)) / sigma

    def scheduler(self, name, **options):
        kind = getattr(diffusers, name)
        return kind(beta_start=1e-4, beta_end=0.02, **options)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_ddim_equals_diffusers(eta):
    shared = Shared()
    theirs = shared.scheduler("DDIMScheduler", timestep_spacing="trailing", clip_sample=False)
    theirs.set_timesteps(10)
    times = [int(t) + 1 for t in theirs.timesteps] + [0]
    assert times == [round(t) for t in make_timesteps(shared.schedule, 10)]
    x = draw(5, 2)
    ours = ddim_sample(
        shared.denoiser, x, shared.schedule, torch.Generator().manual_seed(3),
        timesteps=times, eta=eta,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    for t, step in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(shared.noise(x, t), t, x, eta=eta, generator=generator).prev_sample
        assert_close(step.x, x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["small", "large"])
def test_ddpm_equals_diffusers(kind):
    shared = Shared()
    theirs = shared.scheduler(
        "DDPMScheduler", timestep_spacing="trailing", clip_sample=False,
        variance_type=f"fixed_{kind}",
    )  # fmt: skip
    theirs.set_timesteps(20)
    times, x = [int(t) + 1 for t in theirs.timesteps] + [0], draw(5, 2)
    ours = ddpm_sample(
        shared.denoiser, x, shared.schedule, torch.Generator().manual_seed(3),
        timesteps=times, variance=kind,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    for t, step in zip(theirs.timesteps[:-1], ours, strict=False):  # theirs adds noise at the last
        x = theirs.step(shared.noise(x, t), t, x, generator=generator).prev_sample
        assert_close(step.x, x, atol=1e-5, rtol=1e-5)


def test_heun_equals_diffusers():
    shared, indices = Shared(), [999, 800, 500, 300, 90, 20]
    theirs = shared.scheduler("HeunDiscreteScheduler")
    theirs.set_timesteps(timesteps=indices)
    x = draw(5, 2)
    ours = heun_sample(
        shared.denoiser, x, shared.schedule, timesteps=[i + 1 for i in indices] + [0]
    )
    z = x / shared.schedule.levels(torch.tensor(1000.0))[0]
    calls = list(theirs.timesteps)
    for step in ours:
        for _ in range(min(2, len(calls))):
            t = calls.pop(0)
            z = theirs.step(shared.noise(theirs.scale_model_input(z, t), t), t, z).prev_sample
        alpha = shared.schedule.levels(torch.tensor(float(step.t)))[0]
        assert_close(step.x, alpha * z, atol=2e-5, rtol=2e-5)
    assert calls == []


@pytest.mark.parametrize("steps", [4, 20])
def test_dpm_solver_equals_diffusers(steps):
    shared = Shared()
    theirs = shared.scheduler(
        "DPMSolverMultistepScheduler", timestep_spacing="trailing", lower_order_final=False,
        final_sigmas_type="zero",
    )  # fmt: skip
    theirs.set_timesteps(steps)
    times, x = [int(t) + 1 for t in theirs.timesteps] + [0], draw(5, 2)
    ours = dpm_solver_sample(shared.denoiser, x, shared.schedule, timesteps=times)
    for t, step in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(shared.noise(x, t), t, x).prev_sample
        assert_close(step.x, x, atol=2e-5, rtol=2e-5)


def test_karras_levels_equal_those_of_diffusers():
    shared = Shared()
    theirs = shared.scheduler("EulerDiscreteScheduler", use_karras_sigmas=True)
    theirs.set_timesteps(9)
    times = torch.tensor(make_timesteps(shared.schedule, 9, "karras"), dtype=torch.float64)
    alpha, sigma = shared.schedule.levels(times)
    assert_close((sigma / alpha).float(), theirs.sigmas, atol=1e-5, rtol=1e-4)


def test_edm_is_algorithm_2_of_karras_et_al():
    shared, churn, noise = Shared(), 2.0, 1.01
    schedule, times = shared.schedule, make_timesteps(shared.schedule, 8, "karras")
    alpha, sigma = schedule.levels(torch.tensor(times, dtype=torch.float64))
    levels, x = (sigma / alpha).tolist(), draw(5, 2)

    def denoise(z, level):
        level = torch.tensor(level, dtype=torch.float64)
        alpha = 1 / (1 + level**2).sqrt()
        return shared.denoiser(alpha * z, schedule.time_of(level).expand(len(z)))

    z, generator = x / alpha[0], torch.Generator().manual_seed(7)
    for level, following in zip(levels[:-1], levels[1:], strict=True):
        gamma = min(churn / 8, math.sqrt(2) - 1) if 0.05 <= level <= 50 else 0.0
        raised = level * (1 + gamma)
        if gamma:
            n = torch.randn(z.shape, generator=generator, dtype=z.dtype)
            z = z + math.sqrt(raised**2 - level**2) * noise * n
        slope = (z - denoise(z, raised)) / raised
        end = z + (following - raised) * slope
        if following > 0:
            end_slope = (end - denoise(end, following)) / following
            end = z + (following - raised) * (slope + end_slope) / 2
        z = end
    ours = edm_sample(
        shared.denoiser, x, schedule, torch.Generator().manual_seed(7), timesteps=times,
        churn=churn, noise=noise,
    )  # fmt: skip
    assert_close(last(ours), z, atol=1e-10, rtol=1e-10)


def test_levels_are_raised_on_the_cpu_whatever_the_default_device():
    ends = []
    for device in ("cpu", "meta"):
        generator = torch.Generator().manual_seed(0)
        with torch.device(device):
            steps = edm_sample(lambda x, t, label: x / 2, START, PATHS["cosine"], generator,
                               timesteps=[40, 20, 0])  # fmt: skip
            ends.append(last(steps))
    assert torch.equal(*ends)


def test_edm_without_churn_is_heun():
    shared = Shared()
    times, x = make_timesteps(shared.schedule, 6, "karras"), draw(5, 2)
    assert (
        last(edm_sample(shared.denoiser, x, shared.schedule, timesteps=times, noise=0.0))
        .isfinite()
        .all()
    )
    calm = last(edm_sample(shared.denoiser, x, shared.schedule, timesteps=times, churn=0.0))
    assert_close(calm, last(heun_sample(shared.denoiser, x, shared.schedule, timesteps=times)))


@pytest.mark.parametrize("name", ["linear", "flow"])
def test_euler_in_ve_and_flow_is_ddim(name):
    path, start = PATHS[name], 0.9
    denoiser = IdealDenoiser(CENTRES, path, std=0.3)
    times, x = [start * path.T, 0.5 * path.T, 0.2 * path.T, 0.0], draw(5, 2)
    expected = last(ddim_sample(denoiser, x, path, timesteps=times))
    for name in ("ve", "flow"):
        end = euler_sample(denoiser, x, path, timesteps=times, parametrisation=name)
        assert_close(last(end), expected)
    other = last(euler_sample(denoiser, x, path, timesteps=times, parametrisation="trig"))
    assert (other - expected).abs().max() > 1e-3


def test_ddim_without_noise_draws_none():
    generator = torch.Generator().manual_seed(0)
    steps = ddim_sample(
        lambda x, t, label: x / 2, START, PATHS["cosine"], generator, timesteps=[40, 20, 0]
    )
    last(steps)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(0).get_state())


def test_full_noise_in_ddim_is_ddpm():
    shared, x, times = Shared(), draw(5, 2), [1000, 700, 300, 50, 0]
    pair = [
        last(sample(shared.denoiser, x, shared.schedule, torch.Generator().manual_seed(1),
                    timesteps=times, **more))
        for sample, more in ((ddim_sample, {"eta": 1.0}), (ddpm_sample, {}))
    ]  # fmt: skip
    assert_close(*pair)


@pytest.mark.parametrize("solver", ODE_SOLVERS)
@pytest.mark.parametrize("name", PATHS)
def test_mean_and_covariance_of_gaussian_data(solver, name):
    path, spacing = PATHS[name], "even" if name == "flow" else "karras"
    exact = GaussianDenoiser(MEAN, COVARIANCE, path)
    start = torch.cat([torch.zeros(1, 2), torch.eye(2)]).double()
    options = {"parametrisation": "flow"} if solver in (euler_sample, heun_sample) else {}
    grid = make_timesteps(path, 400, spacing)
    end = last(solver(exact, start, path, timesteps=grid, **options))
    mean, axes = end[0], end[1:] - end[0]  # on Gaussian data the way down is linear
    tolerance = 0.02 if solver in (ddim_sample, euler_sample) else 0.008
    # what is left of the data at T is in the start, too: a little of the mean is missing
    assert_close(mean, MEAN.double(), atol=tolerance, rtol=0)
    assert_close(axes.T @ axes, COVARIANCE.double(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("solver", [ddim_sample, edm_sample])
def test_noisy_solvers_keep_the_covariance(solver):
    path = linear_schedule(1000)
    exact = GaussianDenoiser(MEAN, COVARIANCE, path)
    options = {"eta": 1.0} if solver is ddim_sample else {"churn": 30.0}
    steps, spacing = (1000, "even") if solver is ddim_sample else (120, "karras")
    x = last(
        solver(exact, draw(40_000, 2), path, torch.Generator().manual_seed(2),
               timesteps=make_timesteps(path, steps, spacing), **options)
    )  # fmt: skip
    assert_close(x.mean(dim=0), MEAN.double(), atol=0.02, rtol=0)
    assert_close(torch.cov(x.T), COVARIANCE.double(), atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("solver", "options", "order"),
    [
        (ddim_sample, {}, 1),
        (euler_sample, {"parametrisation": "trig"}, 1),
        (heun_sample, {"parametrisation": "ve"}, 2),
        (heun_sample, {"parametrisation": "flow"}, 2),
        (heun_sample, {"parametrisation": "trig"}, 2),
        (dpm_solver_sample, {}, 2),
    ],
)
def test_order_of_convergence_on_a_mixture(solver, options, order):
    path = LinearPath()
    denoiser = IdealDenoiser(CENTRES, path, std=0.3)
    x = draw(9, 2)

    def solve(steps, solver=solver, options=options):
        ratios = torch.logspace(math.log10(8), math.log10(0.05), steps + 1, dtype=torch.float64)
        times = path.time_of(ratios).tolist()
        return last(solver(denoiser, x, path, timesteps=times, **options))

    truth = solve(3000, heun_sample, {"parametrisation": "ve"})
    errors = [(solve(steps) - truth).norm() for steps in (60, 120, 240)]
    for coarse, fine in zip(errors[:-1], errors[1:], strict=True):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("solver", ALL)
def test_the_last_step_adds_no_noise_and_one_generator_gives_one_result(solver):
    shared = Shared()
    times, x = make_timesteps(shared.schedule, 5, "karras"), draw(5, 2)
    options = {ddim_sample: {"eta": 1.0}, euler_sample: {"parametrisation": "flow"}}.get(solver, {})

    def run(seed):
        generator = torch.Generator().manual_seed(seed)
        return list(
            solver(shared.denoiser, x, shared.schedule, generator, timesteps=times, **options)
        )

    first, again = run(0), run(0)
    assert [step.t for step in first] == times[1:]
    assert_close(first[-1].x, first[-1].x0_hat)
    assert_close(first[-1].x, again[-1].x, atol=0, rtol=0)
    stochastic = solver in (edm_sample, ddim_sample)
    assert torch.equal(first[-1].x, run(1)[-1].x) != stochastic


@pytest.mark.parametrize("path", [LinearPath(), zero_terminal(linear_schedule(100))])
def test_all_samplers_but_ve_start_from_noise_alone(path):
    denoiser, x = IdealDenoiser(CENTRES, path, std=0.3), draw(5, 2)
    grid = make_timesteps(path, 40)
    flow = {"parametrisation": "flow"}
    ends = [
        last(ddim_sample(denoiser, x, path, timesteps=grid)),
        last(heun_sample(denoiser, x, path, timesteps=grid, **flow)),
        last(dpm_solver_sample(denoiser, x, path, timesteps=grid)),
        last(euler_sample(denoiser, x, path, timesteps=grid)),
    ]
    for end in ends:
        assert_close(end, ends[1], atol=0.15, rtol=0)
    with pytest.raises(ConfigError, match="parametrisation must not be 've'.*use 'flow' or 'trig'"):
        heun_sample(denoiser, x, path, timesteps=grid)


def test_inversion_and_back():
    shared = Shared()
    up = [float(t) for t in torch.linspace(1, 1000, 200)]
    x = CENTRES + 0.1 * draw(3, 2)
    noise = last(invert(shared.denoiser, x, shared.schedule, timesteps=up))
    back = last(heun_sample(shared.denoiser, noise, shared.schedule, timesteps=up[::-1]))
    assert_close(back, x, atol=5e-3, rtol=0)
    assert (noise - x).norm() > 0.2
    few = up[::25] + [1000.0]
    noise = last(invert(shared.denoiser, x, shared.schedule, timesteps=few))
    coarse = last(heun_sample(shared.denoiser, noise, shared.schedule, timesteps=few[::-1]))
    assert (coarse - x).norm() > 5 * (back - x).norm()


@pytest.mark.parametrize("sample", [*ALL, ddpm_sample])
def test_the_label_reaches_every_call(sample):
    seen, label, path = [], torch.arange(3), PATHS["cosine"]
    denoiser = lambda x, t, label: seen.append(label) or x / 2  # noqa: E731
    last(sample(denoiser, draw(3, 2), path, timesteps=[50, 25, 9, 0], label=label))
    assert len(seen) >= 3 and all(given is label for given in seen)


@pytest.mark.parametrize(
    ("sample", "defaults"),
    [
        (ddim_sample, {"eta": 0.0}),
        (edm_sample, {"churn": 10.0, "noise": 1.0, "between": (0.05, 50.0)}),
        (ddpm_sample, {"variance": "small"}),
    ],
)
def test_defaults(sample, defaults):
    path, times = PATHS["linear"], make_timesteps(PATHS["linear"], 30, "karras")
    ends = [
        last(sample(lambda x, t, label: x / 2, draw(3, 2), path, torch.Generator().manual_seed(0),
                    timesteps=times, **options))
        for options in ({}, defaults)
    ]  # fmt: skip
    assert torch.equal(*ends)


def test_noise_is_added_at_the_ends_of_the_interval_and_never_above_the_start():
    path, x, times = PATHS["linear"], draw(3, 2), [1000, 400, 100, 0]
    alpha, sigma = path.levels(torch.tensor([1000, 400, 100]))
    levels, seen = (sigma / alpha).tolist(), []
    denoiser = lambda x, t, label: seen.append(t[0].item()) or x / 2  # noqa: E731
    for between, raised in (
        ((0.0, math.inf), {400, 100}),
        ((levels[2], levels[1]), {400, 100}),
        ((levels[1], levels[1]), {400}),
    ):
        seen.clear()
        generator = torch.Generator().manual_seed(0)
        last(edm_sample(denoiser, x, path, generator, timesteps=times, between=between))
        starts = seen[::2]  # the calls of Euler's steps; Heun's see the ends as they are
        assert starts[0] == 1000
        assert {t for t, at in zip(times[1:], starts[1:], strict=False) if at > t} == raised


def test_fractional_times_lie_between_whole_ones():
    schedule = cosine_schedule(10)
    alpha, sigma = schedule.levels(torch.tensor([3.0, 3.25, 4.0]))
    assert_close(alpha[[0, 2]].square(), schedule.alpha_bar[3:5])
    expected = 0.75 * schedule.alpha_bar[3] + 0.25 * schedule.alpha_bar[4]
    assert_close(alpha[1] ** 2, expected)
    assert_close(alpha**2 + sigma**2, torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("name", PATHS)
def test_time_of_is_the_inverse_of_the_levels(name):
    path = PATHS[name]
    t = path.T * torch.tensor([0.001, 0.0137, 0.25, 0.5, 0.92], dtype=torch.float64)
    alpha, sigma = path.levels(t)
    assert_close(path.time_of(sigma / alpha), t)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, x, p: heun_sample(d, x, p, timesteps=[50, 0]), "at least 2 steps .* order 2"),
        (lambda d, x, p: dpm_solver_sample(d, x, p, timesteps=[50, 0]), "they hold 1"),
        (lambda d, x, p: ddim_sample(d, x, p, timesteps=[50, 50, 0]), "must fall within T = 50"),
        (lambda d, x, p: ddim_sample(d, x, p, timesteps=[51, 0]), "must fall within T = 50"),
        (lambda d, x, p: ddim_sample(d, x, p, timesteps=[50]), "must fall"),
        (lambda d, x, p: ddim_sample(d, x, p, timesteps=[50, 0], eta=1.5), "eta must lie"),
        (lambda d, x, p: edm_sample(d, x, p, timesteps=[50, 9, 0], churn=-1.0), "churn and noise"),
        (lambda d, x, p: edm_sample(d, x, p, timesteps=[50, 9, 0], noise=-1.0), "10.0 and -1.0"),
        (
            lambda d, x, p: edm_sample(d, x, p, timesteps=[50, 9, 0], between=(2.0, 1.0)),
            r"but it is \(2.0, 1.0\)",
        ),
        (
            lambda d, x, p: edm_sample(d, x, p, timesteps=[50, 9, 0], between=(1.0, 2.0, 3.0)),
            r"but it is \(1.0, 2.0, 3.0\)",
        ),
        (lambda d, x, p: edm_sample(d, x, LinearPath(), timesteps=[1.0, 0.5, 0.0]), "not be 've'"),
        (lambda d, x, p: ddim_sample(d, x, p, timesteps=[50, 0], eta=-0.1), "eta must lie"),
        (
            lambda d, x, p: euler_sample(d, x, p, timesteps=[50, 0], parametrisation="trigg"),
            "'trig'\\?",
        ),
        (lambda d, x, p: invert(d, x, p, timesteps=[0, 25, 50]), "begin above 0"),
        (
            lambda d, x, p: make_timesteps(p, 0),
            "steps must be a whole number of at least 1, but it is 0",
        ),
        (lambda d, x, p: make_timesteps(p, 9, "karas"), "did you mean 'karras'"),
        (lambda d, x, p: make_timesteps(LinearPath(), 9, "karras"), "noise alone.*use 'even'"),
    ],
)
@pytest.mark.bad_input
def test_bad_input_is_named(call, message):
    path = cosine_schedule(50)
    denoiser = IdealDenoiser(CENTRES, path)
    with pytest.raises(ConfigError, match=message):
        call(denoiser, draw(3, 2), path)


def test_eps_says_nothing_at_pure_noise():
    schedule = zero_terminal(linear_schedule(100))
    with pytest.raises(ConfigError, match="target must not be 'eps'.*predict 'x0', 'v' or 'u'"):
        NetworkDenoiser(lambda x, t: x, schedule, "eps")
    NetworkDenoiser(lambda x, t: x, schedule, "v")
    NetworkDenoiser(lambda x, t: x, Schedule(torch.tensor([1.0, 0.2]).double()), "eps")
