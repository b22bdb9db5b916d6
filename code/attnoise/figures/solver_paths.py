"""Send the same noise through five solvers and see their paths. `solver_paths.js` draws them."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..checks import check_positive
from ..diffusion import (
    IdealDenoiser,
    Step,
    TrigPath,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    euler_sample,
    heun_sample,
    noise_like,
)
from .controls import Control, check_value
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_plane
from .plots import COLOURS

PATH = TrigPath()
FIRST = round(math.radians(89), 6)  # where sampling starts: almost noise alone
SOLVERS: dict[str, Callable[..., Iterator[Step]]] = {
    "DDPM": ddpm_sample,
    "DDIM": ddim_sample,
    "Euler": partial(euler_sample, parametrisation="trig"),
    "Heun": heun_sample,
    "DPM-Solver++": dpm_solver_sample,
}
STEPS = (2, 3, 4, 6, 8, 12, 16, 24, 32)


def solver_paths(
    centres: Float[Tensor, "m 2"],
    std: float,
    starts: Float[Tensor, "n 2"],
    *,
    seed: int = 0,
    steps: int = 6,
    title: str = "Choose a solver and its number of steps",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which solvers lead points from noise to a mixture of Gaussians.

    On the path x = cos(t) x0 + sin(t) eps, in even steps of t from a right angle less one degree
    to 0; the denoiser is the exact one of the mixture. Fine paths of the ODE lie behind.

    Args:
        centres: Where the blobs are, all equally likely.
        std: Their standard deviation, above 0.
        starts: The noise to start from.
        seed: Of the noise that DDPM adds.
        steps: Number of steps at first: 2, 3, 4, 6, 8, 12, 16, 24 or 32.
        title: The visible title.
        alt: What the figure shows; a text made from the data if not given.

    Raises:
        ShapeError: centres or starts do not lie in the plane.
        DataError: A coordinate is NaN or infinite.
        ConfigError: std is not above 0, or steps is not on the slider.
    """
    check_plane("centres", centres)
    check_plane("starts", starts)
    check_positive(std=std)
    check_value("steps", steps, STEPS)
    data: dict = {
        "centres": rounded(centres),
        "std": round(float(std), 4),
        "starts": rounded(starts),
        "noise": step_noise(seed, starts.double()),
        "first": FIRST,
        "limit": round(1.1 * float(torch.cat([centres, starts]).abs().max()), 2),
    }
    data["fine"] = rounded(trajectories(data, "Heun", 64, seed), 3)
    return live(
        "solver_paths",
        data,
        {
            "solver": Control(
                label="Solver", values=tuple(SOLVERS), start="DDIM", idea="prediction"
            ),
            "steps": Control(label="Steps", values=STEPS, start=steps),
        },
        lambda **where: draw(data, find(data, seed, **where)),
        lambda **where: describe(find(data, seed, **where), **where),
        numbers=lambda **where: flat(find(data, seed, **where)),
        title=title,
        alt=alt
        or (
            f"The plane with {len(centres)} blobs of data. From {len(starts)} points of noise thin "
            "curves, the exact paths of the ODE, lead to the blobs; over them the paths of the "
            "chosen solver, with a dot at each step, and their ends."
        ),
    )


def step_noise(seed: int, x: Float[Tensor, "n 2"]) -> list:
    """Return the noise that a sampler draws from this seed in each of its steps, for the page."""
    generator = torch.Generator().manual_seed(seed)
    return [rounded(noise_like(x, generator), 8) for _ in range(max(STEPS))]


def trajectories(data: dict, solver: str, steps: int, seed: int) -> Float[Tensor, "n times 2"]:
    """Return where each point is at the start and after each step."""
    x_T = torch.tensor(data["starts"], dtype=torch.float64)
    centres = torch.tensor(data["centres"], dtype=torch.float64)
    sampler = SOLVERS[solver](
        IdealDenoiser(centres, PATH, std=data["std"]),
        x_T,
        PATH,
        torch.Generator().manual_seed(seed),
        timesteps=torch.linspace(FIRST, 0, steps + 1, dtype=torch.float64).tolist(),
    )
    return torch.stack([x_T, *(step.x for step in sampler)], dim=1)


def find(data: dict, seed: int, *, solver: str, steps: int) -> dict:
    """Return the paths, the calls of the denoiser, and how far the ends are from exact ones."""
    paths = trajectories(data, solver, steps, seed)
    exact = torch.tensor([path[-1] for path in data["fine"]], dtype=torch.float64)
    return {
        "paths": paths.tolist(),
        "calls": 2 * steps - 1 if solver == "Heun" else steps,
        "gap": float((paths[:, -1] - exact).square().sum(dim=1).mean().sqrt()),
    }


def flat(found: dict) -> dict:
    """Return what was found with the paths in one list, as the page's script does."""
    return {**found, "paths": [v for path in found["paths"] for point in path for v in point]}


def describe(found: dict, *, solver: str, steps: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    end = (
        "It adds noise, so its ends are other samples of the same data"
        if solver == "DDPM"
        else "Its ends lie"
    )
    tail = "" if solver == "DDPM" else f" {found['gap']:.2f} from those of the exact paths"
    return f"{solver}, {steps} steps, {found['calls']} calls of the denoiser. {end}{tail}."


def draw(data: dict, found: dict) -> Figure:
    """Draw the blobs, the exact paths and the solver's."""
    figure, ax = plt.subplots(figsize=(4.8, 4.8), layout="constrained")
    for centre in data["centres"]:
        for size in (1, 2):
            ax.add_patch(plt.Circle(centre, size * data["std"], color=COLOURS["data"], alpha=0.18))
    for fine, path in zip(data["fine"], found["paths"], strict=True):
        ax.plot(*zip(*fine, strict=True), color=COLOURS["noise"], lw=0.9)
        ax.plot(*zip(*path, strict=True), "o-", color=COLOURS["prediction"], ms=2.5, lw=1.2)
        ax.plot(*path[0], "o", color=COLOURS["noise"], ms=5)
        ax.plot(*path[-1], "D", color=COLOURS["prediction"], ms=6, mec="white")
    limit = data["limit"]
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return figure
