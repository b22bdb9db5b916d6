"""Turn the guidance scale up and see points overshoot. `guidance_slider.js` draws them."""

import math

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from ..checks import check_positive
from ..diffusion import GuidedDenoiser, IdealDenoiser, ddim_sample, last, without_label
from ..errors import ConfigError, ShapeError
from .controls import Control, check_value
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_plane
from .plots import COLOURS
from .solver_paths import FIRST, PATH

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
WHEN = {"always": (0.0, 1.0), "middle": (0.1, 0.6), "late": (0.0, 0.3)}  # fractions of T
STEPS = 24


def guidance_slider(
    centres: Float[Tensor, "m 2"],
    labels: Int[Tensor, " m"],
    std: float,
    starts: Float[Tensor, "n 2"],
    *,
    guidance_scale: float = 3.0,
    title: str = "Choose a scale, a class and when guidance is on",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which points are drawn from the blobs of one class, with guidance.

    On the path x = cos(t) x0 + sin(t) eps, in 24 even steps of DDIM from 89 degrees. Both
    denoisers are exact: of all blobs, and of the class' blobs alone.

    Args:
        centres: Where the blobs are, all equally likely.
        labels: The class of each blob, from 0; every class has one.
        std: Their standard deviation, above 0.
        starts: The noise to start from.
        guidance_scale: The scale at first: 0, 0.5, 1, 1.5, 2, 3, 4, 5, 6 or 8.
        title: The visible title.
        alt: What the figure shows; a text made from the data if not given.

    Raises:
        ShapeError: centres or starts do not lie in the plane, or labels do not fit.
        DataError: A coordinate is NaN or infinite.
        ConfigError: std is not above 0, guidance_scale is not on the slider, or there are fewer
            than two classes.
    """
    classes = check_mixture(centres, labels, std, starts)
    check_value("guidance_scale", guidance_scale, SCALES)
    data = {
        "centres": rounded(centres),
        "labels": labels.tolist(),
        "std": round(float(std), 4),
        "starts": rounded(starts),
        "first": FIRST,
        "steps": STEPS,
        "when": {name: list(ends) for name, ends in WHEN.items()},
        "limit": round(2.3 * float(centres.abs().max()), 2),
    }
    return live(
        "guidance_slider",
        data,
        {
            "guidance_scale": Control(
                label="Scale", values=SCALES, start=guidance_scale, idea="prediction"
            ),
            "when": Control(label="Guidance is on", values=tuple(WHEN)),
            "label": Control(label="Class", values=classes, idea="data", choice=True),
        },
        lambda **where: draw(data, find(data, **where), where["label"]),
        lambda **where: describe(find(data, **where), **where),
        numbers=lambda **where: find(data, **where),
        title=title,
        alt=alt
        or (
            f"Round blobs of {len(classes)} classes in the plane, the wanted class darker, and "
            f"{len(starts)} points that came from noise: grey without guidance, coloured with it. "
            "As the scale grows the coloured ones move outwards past the blobs, and crowd together."
        ),
    )


def check_mixture(centres: Tensor, labels: Tensor, std: float, starts: Tensor) -> list[int]:
    """Return the classes, or raise an error that names what cannot be drawn."""
    check_plane("centres", centres)
    check_plane("starts", starts)
    if labels.shape != centres.shape[:1]:
        raise ShapeError(
            f"labels must hold one class for each of the {len(centres)} blobs, but its shape is "
            f"{tuple(labels.shape)}."
        )
    classes = sorted(set(labels.tolist()))
    if len(classes) < 2 or classes != list(range(len(classes))):
        raise ConfigError(
            f"labels must name two classes or more, counted from 0, but they are {classes}."
        )
    check_positive(std=std)
    return classes


def ends_of(data: dict, guidance_scale: float, when: str, label: int) -> Float[Tensor, "n 2"]:
    """Return where the points end that guidance leads to a class."""
    centres, x_T = (torch.tensor(data[name], dtype=torch.float64) for name in ("centres", "starts"))
    exact = IdealDenoiser(centres, PATH, torch.tensor(data["labels"]), std=data["std"])
    guided = GuidedDenoiser(
        exact, guidance_scale, weak=without_label(exact), interval=tuple(data["when"][when])
    )
    times = torch.linspace(FIRST, 0, data["steps"] + 1, dtype=torch.float64).tolist()
    labels = torch.full((len(x_T),), label)
    return last(ddim_sample(guided, x_T, PATH, timesteps=times, label=labels))


def find(data: dict, *, guidance_scale: float, when: str, label: int) -> dict:
    """Return the ends, the fraction nearest to the class, and how they are spread and centred."""
    ends = ends_of(data, guidance_scale, when, label)
    centres, labels = (
        torch.tensor(data["centres"], dtype=torch.float64),
        torch.tensor(data["labels"]),
    )
    own, nearest = centres[labels == label], torch.cdist(ends, centres).argmin(dim=1)
    return {
        "ends": ends.flatten().tolist(),
        "fraction": float((labels[nearest] == label).double().mean()),
        "spread": spread(ends),
        "true": math.hypot(spread(own), data["std"] * math.sqrt(2)),
        "gap": float((ends.mean(dim=0) - own.mean(dim=0)).norm()),
    }


def spread(points: Float[Tensor, "n 2"]) -> float:
    """Return the root mean square distance of points from their mean."""
    return float(points.var(dim=0, correction=0).sum().sqrt())


def describe(found: dict, *, guidance_scale: float, when: str, label: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    return (
        f"Class {label}, scale {guidance_scale:g}, guidance on: {when}. "
        f"{100 * found['fraction']:.0f} % of the points are nearest to the class. "
        f"Their spread is {found['spread']:.2f}, that of the class {found['true']:.2f}; "
        f"their middle is {found['gap']:.2f} from its middle."
    )


def draw(data: dict, found: dict, wanted: int) -> Figure:
    """Draw the blobs, the points without guidance, and those with it."""
    figure, ax = plt.subplots(figsize=(4.8, 4.8), layout="constrained")
    for centre, label in zip(data["centres"], data["labels"], strict=True):
        for size in (1, 2):
            shade = 0.3 if label == wanted else 0.1
            ax.add_patch(
                plt.Circle(centre, size * data["std"], color=COLOURS["data"], alpha=shade, lw=0)
            )
    plain = ends_of(data, 1.0, "always", wanted)
    ax.scatter(plain[:, 0], plain[:, 1], s=7, color=COLOURS["noise"])
    ax.scatter(found["ends"][::2], found["ends"][1::2], s=11, color=COLOURS["prediction"])
    limit = data["limit"]
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return figure
