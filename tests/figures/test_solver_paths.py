"""The figure of five solvers: its paths are those of the package, and it refuses what it cannot draw."""

import math

import pytest
import torch
from tests.figures.figure_examples import DATA, solvers
from torch.testing import assert_close

from attnoise.diffusion import (
    IdealDenoiser,
    TrigPath,
    ddim_sample,
    dpm_solver_sample,
    euler_sample,
    heun_sample,
)
from attnoise.errors import ConfigError, ShapeError
from attnoise.figures import solver_paths
from attnoise.figures.solver_paths import STEPS

PACKAGE = {
    "DDIM": (ddim_sample, {}),
    "Euler": (euler_sample, {"parametrisation": "trig"}),
    "Heun": (heun_sample, {}),
    "DPM-Solver++": (dpm_solver_sample, {}),
}


def ends(name, steps, **options):
    path, figure = TrigPath(), solvers()
    sample, more = PACKAGE[name]
    denoiser = IdealDenoiser(DATA[:3].double(), path, std=0.2)
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(4)).double()
    first = round(math.radians(89), 6)
    times = [first * (1 - i / steps) for i in range(steps + 1)]
    sampled = [step.x for step in sample(denoiser, x, path, timesteps=times, **more, **options)]
    drawn = torch.tensor(figure.numbers(solver=name, steps=steps)["paths"]).view(5, steps + 1, 2)
    return torch.stack(sampled, dim=1).float(), drawn[:, 1:].float()


@pytest.mark.parametrize("name", PACKAGE)
@pytest.mark.parametrize("steps", [2, 6, 24])
def test_paths_are_those_of_the_package(name, steps):
    assert_close(*ends(name, steps), atol=4e-3, rtol=0)  # the figure rounds its numbers


def test_ddpm_is_ddim_with_fresh_noise():
    figure = solvers()
    sampled = torch.tensor(figure.numbers(solver="DDPM", steps=32)["paths"]).view(5, 33, 2)
    plain = torch.tensor(figure.numbers(solver="DDIM", steps=32)["paths"]).view(5, 33, 2)
    jumps = [(path.diff(dim=1).diff(dim=1)).norm() for path in (sampled, plain)]
    assert jumps[0] > 5 * jumps[1]  # a jagged path and a smooth one
    gaps = torch.cdist(sampled[:, -1], DATA[:3]).min(dim=1).values
    assert gaps.max() < 1.0


def test_more_steps_come_nearer_and_second_order_comes_faster():
    def gap(solver, steps):
        return solvers().numbers(solver=solver, steps=steps)["gap"]

    for solver in PACKAGE:
        assert gap(solver, 32) < 0.6 * gap(solver, 8), solver
    assert gap("Heun", 32) < 0.3 * gap("DDIM", 32)
    assert gap("DPM-Solver++", 32) < 0.3 * gap("DDIM", 32)
    assert solvers().numbers(solver="Heun", steps=32)["calls"] == 63
    assert "63 calls" in solvers().sentence(solver="Heun", steps=32)
    assert set(STEPS) >= {2, 32}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.zeros(3, 3), 0.2, torch.zeros(5, 2)), ShapeError, "points in the plane"),
        ((torch.zeros(3, 2), 0.0, torch.zeros(5, 2)), ConfigError, "std must be above 0"),
    ],
)
@pytest.mark.bad_input
def test_it_names_what_it_cannot_draw(arguments, error, message):
    with pytest.raises(error, match=message):
        solver_paths(*arguments)
