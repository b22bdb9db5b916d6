"""Draw points, and noise flows into them along the exact velocity. `draw_flow.js` draws them."""

import math
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..diffusion import IdealDenoiser, LinearPath, euler_sample, heun_sample, make_timesteps
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_plane
from .plots import COLOURS

REACH = 2.6  # the plane shown is REACH in each direction
TIMES = tuple(round(1 - step / 20, 2) for step in range(21))
STEPS = (1, 2, 4, 8, 16, 32)
PATH = LinearPath()
SOLVERS = {"Euler": euler_sample, "Heun": heun_sample}


def heart(points: int = 48) -> Float[Tensor, "points 2"]:
    """Return points along a heart, the drawing that stands there at first."""
    a = 2 * math.pi * torch.arange(points, dtype=torch.float64) / points
    x = 16 * a.sin() ** 3
    y = 13 * a.cos() - 5 * (2 * a).cos() - 2 * (3 * a).cos() - (4 * a).cos()
    return torch.stack([x, y + 2], dim=1) / 10


def draw_flow(
    noise: Float[Tensor, "n 2"],
    points: Float[Tensor, "m 2"] | None = None,
    *,
    title: str = "Draw points: noise flows into them",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader draws data and watches particles flow into them.

    u(x, t) = (x - x0_hat) / t, x0_hat = sum_i softmax_i(-|x - (1 - t) x_i|^2 / (2 t^2)) x_i

    Args:
        noise: Where the particles start, at t = 1; about seventy.
        points: The drawing at first; a heart if not given.
        title: The visible title.
        alt: What the figure shows; a fixed text if not given.

    Raises:
        ShapeError: noise or points do not lie in the plane, or there are none.
        DataError: A coordinate is NaN or infinite.
    """
    points = heart() if points is None else points
    for name, given in (("noise", noise), ("points", points)):
        check_plane(name, given)
    data = {"points": rounded(points, 2), "noise": rounded(noise, 2), "reach": REACH}
    return live(
        "draw_flow",
        data,
        {
            "t": Control(label="Time t", values=TIMES, start=0.0, digits=2, idea="noise"),
            "steps": Control(label="Steps", values=STEPS, start=8),
            "solver": Control(
                label="Solver", values=tuple(SOLVERS), start="Euler", idea="prediction"
            ),
        },
        lambda **where: draw(data, find(data, **where), where["t"]),
        lambda **where: describe(find(data, **where), **where),
        numbers=lambda **where: flat(find(data, **where)),
        play={"control": "t", "seconds": 3.0},
        title=title,
        alt=alt
        or (
            "The plane with the drawn points, small arrows for the velocity at that time, and "
            f"{len(noise)} particles on their way from noise at t = 1 to the points at t = 0."
        ),
    )


def particles_at(
    points: Float[Tensor, "m 2"], noise: Float[Tensor, "n 2"], t: float, steps: int, solver: str
) -> Float[Tensor, "n 2"]:
    """Return where the particles are at time t; between two steps on a straight line."""
    sampler = SOLVERS[solver] if steps > 1 else euler_sample  # Heun's last step is Euler's
    denoiser, times = IdealDenoiser(points, PATH), make_timesteps(PATH, steps)
    stops = [(PATH.T, noise)]
    stops += [
        (s.t, s.x) for s in sampler(denoiser, noise, PATH, timesteps=times, parametrisation="flow")
    ]
    for (before, x), (after, y) in pairwise(stops):
        if after <= t:
            return torch.lerp(x, y, (before - t) / (before - after))
    return noise


def find(data: dict, *, t: float, steps: int, solver: str) -> dict:
    """Return the particles, how far they are from the drawing, and the calls that it took."""
    points, noise = (torch.tensor(data[name], dtype=torch.float64) for name in ("points", "noise"))
    x = particles_at(points, noise, t, steps, solver)
    return {
        "x": x.tolist(),
        "gap": float(torch.cdist(x, points).min(dim=1).values.mean()),
        "calls": 2 * steps - 1 if solver == "Heun" else steps,
    }


def flat(found: dict) -> dict:
    """Return what was found with the particles in one list, as the page's script does."""
    return {**found, "x": [part for point in found["x"] for part in point]}


def describe(found: dict, *, t: float, steps: int, solver: str) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    plural = "step" if steps == 1 else "steps"
    return (
        f"{solver}, {steps} {plural}, {found['calls']} calls of the denoiser. At t = {t:.2f} the "
        f"particles are {found['gap']:.3f} from the nearest drawn point, on average."
    )


def draw(data: dict, found: dict, t: float) -> Figure:
    """Draw the points, the velocity and the particles."""
    figure, ax = plt.subplots(figsize=(4.8, 4.8), layout="constrained")
    points = torch.tensor(data["points"], dtype=torch.float64)
    line = torch.linspace(-2.2, 2.2, 9, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    t = max(t, 0.05)  # at t = 0 nothing moves
    x0_hat = IdealDenoiser(points, PATH)(grid, torch.full((len(grid),), t))
    u = (x0_hat - grid) / t  # the way the particles go
    u = 0.2 * u / (u.norm(dim=1, keepdim=True) + 1)
    ax.quiver(*grid.T, *u.T, color=COLOURS["noise"], alpha=0.5, angles="xy", scale_units="xy",
              scale=0.6, width=0.004)  # fmt: skip
    ax.plot(*points.T, "s", color=COLOURS["data"], ms=4, label="drawn points")
    ax.plot(*zip(*found["x"], strict=True), "o", color=COLOURS["prediction"], ms=3.5,
            label="particles")  # fmt: skip
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[], yticks=[])
    ax.legend(loc="upper right", fontsize=8)
    return figure
