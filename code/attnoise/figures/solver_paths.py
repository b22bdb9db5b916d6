"""Send the same noise through five solvers and see their paths. `solver_paths.js` is its twin."""

import math

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import ConfigError, ShapeError
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plots import COLOURS

SOLVERS = ("DDPM", "DDIM", "Euler", "Heun", "DPM-Solver++")
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
    """Build the figure in which points walk from noise to a mixture of Gaussian blobs.

    On the angle's path x = cos(a) x0 + sin(a) eps, in even steps of a from a right angle less one
    degree to 0; the denoiser is the exact one of the mixture. Fine paths of the ODE lie behind.

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
        ConfigError: std is not above 0, or steps is not on the slider.
    """
    if tuple(centres.shape[1:]) != (2,) or tuple(starts.shape[1:]) != (2,):
        raise ShapeError(
            "centres and starts must be points in the plane, shapes (m, 2) and (n, 2), but their "
            f"shapes are {tuple(centres.shape)} and {tuple(starts.shape)}."
        )
    if not std > 0:
        raise ConfigError(f"std must be above 0, but it is {std}.")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(max(STEPS), len(starts), 2, generator=generator)
    data = {
        "centres": rounded(centres),
        "std": round(float(std), 4),
        "starts": rounded(starts),
        "noise": rounded(noise, 2),
        "first": round(math.radians(89), 6),
        "limit": round(1.1 * float(torch.cat([centres, starts]).abs().max()), 2),
    }
    data["fine"] = [[[round(v, 3) for v in p] for p in path] for path in walk(data, "Heun", 64)]
    return live(
        "solver_paths",
        data,
        {
            "solver": Control(label="Solver", values=SOLVERS, start="DDIM", idea="prediction"),
            "steps": Control(label="Steps", values=STEPS, start=steps),
        },
        lambda **where: draw(data, found(data, **where)),
        lambda **where: say(found(data, **where), **where),
        numbers=lambda **where: flat(found(data, **where)),
        title=title,
        alt=alt
        or (
            f"The plane with {len(centres)} blobs of data. From {len(starts)} points of noise thin "
            "curves, the exact paths of the ODE, lead to the blobs; over them the paths of the "
            "chosen solver, with a dot at each step, and their ends."
        ),
    )


def guess(data: dict, x: list[float], alpha: float, sigma: float) -> tuple[list, list]:
    """Return x0_hat and eps_hat of the mixture: softmax over the blobs, drawn towards x."""
    spread = (alpha * data["std"]) ** 2 + sigma**2
    scores = [-sum((a - alpha * c) ** 2 for a, c in zip(x, centre, strict=True)) / (2 * spread)
              for centre in data["centres"]]  # fmt: skip
    weights = torch.tensor(scores, dtype=torch.float64).softmax(dim=0).tolist()
    gain = alpha * data["std"] ** 2 / spread
    x0 = []
    for axis in (0, 1):
        mean = sum(w * c[axis] for w, c in zip(weights, data["centres"], strict=True))
        x0.append(mean + gain * (x[axis] - alpha * mean))
    return x0, [(x[axis] - alpha * x0[axis]) / sigma for axis in (0, 1)]


def walk(data: dict, solver: str, steps: int) -> list:
    """Return each point's path: where it is at the start and after each step."""
    angles = [data["first"] * (1 - i / steps) for i in range(steps + 1)]
    return [_path(data, solver, angles, n) for n in range(len(data["starts"]))]


def _path(data: dict, solver: str, angles: list[float], n: int) -> list:
    x, before = list(data["starts"][n]), None
    path, axes = [x], (0, 1)
    for step, (a, b) in enumerate(zip(angles[:-1], angles[1:], strict=True)):
        alpha, sigma, alpha_b, sigma_b = math.cos(a), math.sin(a), math.cos(b), math.sin(b)
        last = step == len(angles) - 2
        if last:
            alpha_b, sigma_b = 1.0, 0.0
        x0, eps = guess(data, x, alpha, sigma)
        plain = [alpha_b * x0[i] + sigma_b * eps[i] for i in axes]
        if solver == "DDPM" and not last:
            fresh = sigma_b / sigma * math.sqrt(sigma**2 - (alpha / alpha_b * sigma_b) ** 2)
            kept, z = math.sqrt(max(sigma_b**2 - fresh**2, 0.0)), data["noise"][step][n]
            x = [alpha_b * x0[i] + kept * eps[i] + fresh * z[i] for i in axes]
        elif solver == "Euler":
            x = [x[i] + (b - a) * (alpha * eps[i] - sigma * x0[i]) for i in axes]
        elif solver == "Heun" and not last:
            _, end = guess(data, plain, alpha_b, sigma_b)
            span = sigma_b / alpha_b - sigma / alpha
            x = [alpha_b * (x[i] / alpha + span * (eps[i] + end[i]) / 2) for i in axes]
        elif solver == "DPM-Solver++" and not last and before is not None:
            shrunk = alpha * sigma_b / (alpha_b * sigma)
            half = math.log(shrunk) / before[1] / 2
            best = [(1 + half) * x0[i] - half * before[0][i] for i in axes]
            x = [sigma_b / sigma * x[i] - alpha_b * (shrunk - 1) * best[i] for i in axes]
        else:
            x = plain
        if not last:
            before = x0, math.log(alpha * sigma_b / (alpha_b * sigma))
        path.append(x)
    return path


def found(data: dict, *, solver: str, steps: int) -> dict:
    """Return the paths, the calls of the denoiser, and how far the ends are from exact ones."""
    paths = walk(data, solver, steps)
    gaps = [math.dist(path[-1], fine[-1]) for path, fine in zip(paths, data["fine"], strict=True)]
    return {
        "paths": paths,
        "calls": 2 * steps - 1 if solver == "Heun" else steps,
        "gap": math.sqrt(sum(gap**2 for gap in gaps) / len(gaps)),
    }


def flat(found: dict) -> dict:
    """Return what was found with the paths in one list, as the page's script does."""
    return {**found, "paths": [v for path in found["paths"] for point in path for v in point]}


def say(found: dict, *, solver: str, steps: int) -> str:
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
