"""The figure in which one draws data: its particles are those of the package's solvers."""

import pytest
import torch
from tests.figures.figure_examples import flowing
from torch.testing import assert_close

from attnoise.diffusion import IdealDenoiser, euler_sample, heun_sample, last
from attnoise.errors import ShapeError
from attnoise.figures import draw_flow
from attnoise.figures.draw_flow import PATH, heart, particles_at

NOISE = torch.randn(11, 2, generator=torch.Generator().manual_seed(6)).double()


@pytest.mark.parametrize("solver", [euler_sample, heun_sample])
@pytest.mark.parametrize("steps", [2, 8])
def test_particles_end_where_the_solver_ends(solver, steps):
    ideal, times = IdealDenoiser(heart(), PATH), [1 - i / steps for i in range(steps + 1)]
    expected = last(solver(ideal, NOISE, PATH, timesteps=times, parametrisation="flow"))
    name = "Euler" if solver is euler_sample else "Heun"
    assert_close(particles_at(heart(), NOISE, 0.0, steps, name), expected, atol=1e-9, rtol=1e-9)
    shown = torch.tensor(flowing().numbers(t=0.0, steps=steps, solver=name)["x"]).view(-1, 2)
    assert (shown - expected).norm(dim=1).median() < 0.05  # the figure rounds its numbers


def test_one_step_of_heun_is_eulers():
    heun, euler = (particles_at(heart(), NOISE, 0.0, 1, name) for name in ("Heun", "Euler"))
    assert_close(heun, euler)


def test_between_two_stops_the_way_is_straight():
    whole = particles_at(heart(), NOISE, 0.5, 2, "Euler")
    assert_close(particles_at(heart(), NOISE, 0.75, 2, "Euler"), (NOISE + whole) / 2)
    assert_close(particles_at(heart(), NOISE, 1.0, 8, "Heun"), NOISE)


def test_particles_end_in_a_single_point():
    point = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    ends = particles_at(point, NOISE, 0.0, 4, "Euler")
    assert_close(ends, point.expand_as(ends))


def test_more_steps_end_nearer_and_the_sentence_says_so():
    gaps = [flowing().numbers(t=0.0, steps=n, solver="Euler")["gap"] for n in (1, 4, 32)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert f"{gaps[0]:.3f} from the nearest" in flowing().sentence(t=0.0, steps=1, solver="Euler")
    assert "1 step, 1 calls" in flowing().sentence(t=0.0, steps=1, solver="Euler")


@pytest.mark.bad_input
def test_it_names_what_it_cannot_draw():
    with pytest.raises(ShapeError, match="noise must be 1 or more points in the plane"):
        draw_flow(torch.zeros(5, 3))
    with pytest.raises(ShapeError, match="points must be 1 or more points in the plane"):
        draw_flow(torch.zeros(5, 2), torch.zeros(0, 2))
