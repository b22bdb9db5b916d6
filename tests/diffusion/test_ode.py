"""The ODE's three time parametrisations: each moves as its velocity says. See test_solvers.py, too.

There Euler's and Heun's methods are compared with other libraries' and with exact solutions.
"""

import math

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import LinearPath, euler_sample, heun_sample, invert, linear_schedule
from attnoise.diffusion.ode import PARAMETRISATIONS
from attnoise.diffusion.paths import Level, levels_at
from attnoise.errors import ConfigError, DataError, ShapeError

PATHS = {"linear": linear_schedule(100), "flow": LinearPath()}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", PARAMETRISATIONS)
@pytest.mark.parametrize("path", PATHS)
def test_the_state_moves_with_the_velocity_while_both_predictions_hold(name, path):
    """dz / dr along x = alpha x0 + sigma eps, by a difference quotient, is the velocity."""
    ode, path = PARAMETRISATIONS[name], PATHS[path]
    x0, eps, t, step = draw(3, 2), draw(3, 2, seed=1), 0.4 * path.T, 1e-6 * path.T
    before, here, after = levels_at(path, [t - step, t, t + step])

    def state(level):
        return (level.alpha * x0 + level.sigma * eps) / ode.scale(level)

    quotient = (state(after) - state(before)) / (ode.time(after) - ode.time(before))
    x = here.alpha * x0 + here.sigma * eps
    assert_close(quotient, ode.velocity(x, x0, here), atol=1e-5, rtol=1e-5)


def test_the_coordinates_are_those_of_the_papers():
    level = Level(5, 0.6, 0.8)
    times = {name: ode.time(level) for name, ode in PARAMETRISATIONS.items()}
    assert times == pytest.approx({"ve": 4 / 3, "flow": 0.8 / 1.4, "trig": math.atan2(0.8, 0.6)})
    scales = {name: ode.scale(level) for name, ode in PARAMETRISATIONS.items()}
    assert scales == pytest.approx({"ve": 0.6, "flow": 1.4, "trig": 1.0})
    x0, eps = draw(3, 2), draw(3, 2, seed=1)
    v = PARAMETRISATIONS["trig"].velocity(0.6 * x0 + 0.8 * eps, x0, level)
    assert_close(v, 0.6 * eps - 0.8 * x0)


@pytest.mark.parametrize("name", PARAMETRISATIONS)
def test_one_euler_step_by_hand(name):
    path, x, x0_hat = PATHS["linear"], draw(3, 2), draw(3, 2, seed=1)
    ode, (now, then) = PARAMETRISATIONS[name], levels_at(path, [60, 25])
    (step,) = euler_sample(
        lambda x, t, label: x0_hat, x, path, timesteps=[60, 25], parametrisation=name
    )
    eps_hat = (x - now.alpha * x0_hat) / now.sigma
    slope = {
        "ve": eps_hat,
        "flow": eps_hat - x0_hat,
        "trig": now.alpha * eps_hat - now.sigma * x0_hat,
    }[name]
    z = x / ode.scale(now) + (ode.time(then) - ode.time(now)) * slope
    assert_close(step.x, ode.scale(then) * z)
    assert step.t == 25 and torch.equal(step.x0_hat, x0_hat)


def test_heun_asks_twice_but_for_the_step_to_data():
    calls = []
    denoiser = lambda x, t, label: calls.append(t[0].item()) or 0 * x  # noqa: E731
    list(heun_sample(denoiser, draw(3, 2), PATHS["linear"], timesteps=[60, 25, 0]))
    assert calls == [60, 25, 25]


@pytest.mark.parametrize(("sample", "name"), [(euler_sample, "trig"), (heun_sample, "ve")])
def test_each_has_its_own_default(sample, name):
    run = lambda **more: [  # noqa: E731
        step.x
        for step in sample(lambda x, t, label: x / 2, draw(3, 2), PATHS["linear"],
                           timesteps=[60, 25, 9], **more)
    ]  # fmt: skip
    for found, expected in zip(run(), run(parametrisation=name), strict=True):
        assert torch.equal(found, expected)
    assert not any(
        torch.equal(run()[0], run(parametrisation=other)[0])
        for other in {"ve", "flow", "trig"} - {name}
    )


def test_inversion_is_heuns_method_upwards():
    path, x, seen, label = PATHS["linear"], draw(3, 2), [], torch.arange(3)
    denoiser = lambda x, t, label: seen.append(label) or x / 2  # noqa: E731
    (step,) = invert(denoiser, x, path, timesteps=[25, 60], label=label)
    now, then = levels_at(path, [25, 60])
    slope = (1 - now.alpha / 2) / now.sigma, (1 - then.alpha / 2) / then.sigma  # of eps_hat over x
    z, length = x / now.alpha, then.ratio - now.ratio
    ahead = then.alpha * (z + length * slope[0] * x)
    expected = then.alpha * (z + length * (slope[0] * x + slope[1] * ahead) / 2)
    assert_close(step.x, expected)
    assert (step.t, [given is label for given in seen]) == (60, [True, True])
    (other,) = invert(denoiser, x, path, timesteps=[25, 60], label=label, parametrisation="flow")
    assert (other.x - step.x).abs().max() > 1e-3


@pytest.mark.parametrize("sample", [euler_sample, heun_sample])
def test_the_label_reaches_every_call(sample):
    seen, label = [], torch.arange(3)
    denoiser = lambda x, t, label: seen.append(label) or x / 2  # noqa: E731
    list(sample(denoiser, draw(3, 2), PATHS["linear"], timesteps=[60, 25, 0], label=label))
    assert len(seen) in (2, 3) and all(given is label for given in seen)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda d, x, p: euler_sample(d, x, p, timesteps=[9, 0], parametrisation="vee"), "mean 've'", ConfigError),
        (lambda d, x, p: heun_sample(d, x, LinearPath(), timesteps=[1.0, 0.5, 0.0]), "must not be 've' from or to noise alone", ConfigError),
        (lambda d, x, p: euler_sample(d, x, p, timesteps=[9, 0], parametrisation="w"), "^parametrisation must be one of", ConfigError),
        (lambda d, x, p: invert(d, x, p, timesteps=[1, 50], label=torch.zeros(2).long()), "^label must hold one class per sample", ShapeError),
        (lambda d, x, p: invert(d, x, LinearPath(), timesteps=[0.5, 1.0]), "must not be 've'", ConfigError),
        (lambda d, x, p: invert(d, x, p, timesteps=[0, 25, 50]), "begin above 0", ConfigError),
        (lambda d, x, p: invert(d, x, p, timesteps=[50, 25]), "timesteps must fall", ConfigError),
        (lambda d, x, p: invert(d, x, p, timesteps=[1, 50], parametrisation="w"), "one of 've'", ConfigError),
        (lambda d, x, p: invert(d, x * math.nan, p, timesteps=[1, 50]), "^x0 must be finite", DataError),
    ],
)  # fmt: skip
def test_bad_input_is_named_at_the_call(call, message, error):
    with pytest.raises(error, match=message):
        call(lambda x, t, label: x, draw(3, 2), PATHS["linear"])
