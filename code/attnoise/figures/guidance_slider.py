"""Turn the scale of guidance up and see points overshoot. `guidance_slider.js` is its twin."""

import math

import matplotlib.pyplot as plt
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import ConfigError, ShapeError
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plots import COLOURS

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
WHEN = {"always": (0.0, 1.0), "middle": (0.1, 0.6), "late": (0.0, 0.3)}  # fractions of T
STEPS = 24


def guidance_slider(
    centres: Float[Tensor, "m 2"],
    labels: Int[Tensor, " m"],
    std: float,
    starts: Float[Tensor, "n 2"],
    *,
    scale: float = 3.0,
    title: str = "Choose a scale, a class and when guidance is on",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which points walk from noise to the blobs of one class, with guidance.

    On the angle's path x = cos(a) x0 + sin(a) eps, with t / T = a / 90 degrees, in 24 even steps
    of DDIM from 89 degrees. Both guesses are exact: of all blobs, and of the class' blobs alone.

    Args:
        centres: Where the blobs are, all equally likely.
        labels: The class of each blob, from 0; every class has one.
        std: Their standard deviation, above 0.
        starts: The noise to start from.
        scale: The scale at first: 0, 0.5, 1, 1.5, 2, 3, 4, 5, 6 or 8.
        title: The visible title.
        alt: What the figure shows; a text made from the data if not given.

    Raises:
        ShapeError: centres or starts do not lie in the plane, or labels do not fit.
        ConfigError: std is not above 0, scale is not on the slider, or there are fewer than two
            classes.
    """
    classes = check_mixture(centres, labels, std, starts)
    data = {
        "centres": rounded(centres),
        "labels": labels.tolist(),
        "std": round(float(std), 4),
        "starts": rounded(starts),
        "first": round(math.radians(89), 6),
        "steps": STEPS,
        "when": {name: list(ends) for name, ends in WHEN.items()},
        "limit": round(2.3 * float(centres.abs().max()), 2),
    }
    return live(
        "guidance_slider",
        data,
        {
            "scale": Control(label="Scale", values=SCALES, start=scale, idea="prediction"),
            "when": Control(label="Guidance is on", values=tuple(WHEN)),
            "wanted": Control(label="Class", values=classes, idea="data"),
        },
        lambda **where: draw(data, found(data, **where), where["wanted"]),
        lambda **where: say(found(data, **where), **where),
        numbers=lambda **where: found(data, **where),
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
    if tuple(centres.shape[1:]) != (2,) or tuple(starts.shape[1:]) != (2,):
        raise ShapeError(
            "centres and starts must be points in the plane, shapes (m, 2) and (n, 2), but their "
            f"shapes are {tuple(centres.shape)} and {tuple(starts.shape)}."
        )
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
    if not std > 0:
        raise ConfigError(f"std must be above 0, but it is {std}.")
    return classes


def guess(data: dict, x: list[float], alpha: float, sigma: float, wanted: int | None) -> list:
    """Return x0_hat of all blobs, or of one class' blobs: softmax over them, drawn towards x."""
    spread = (alpha * data["std"]) ** 2 + sigma**2
    blobs = [c for c, label in zip(data["centres"], data["labels"], strict=True)
             if wanted is None or label == wanted]  # fmt: skip
    scores = [-sum((a - alpha * c) ** 2 for a, c in zip(x, blob, strict=True)) / (2 * spread)
              for blob in blobs]  # fmt: skip
    top = max(scores)
    shares = [math.exp(score - top) for score in scores]
    gain, total, x0 = alpha * data["std"] ** 2 / spread, sum(shares), []
    for axis in (0, 1):
        mean = sum(s * blob[axis] for s, blob in zip(shares, blobs, strict=True)) / total
        x0.append(mean + gain * (x[axis] - alpha * mean))
    return x0


def end_of(data: dict, start: list[float], scale: float, when: str, wanted: int) -> list[float]:
    """Walk one point from noise to data and return where it ends."""
    (low, high), x, steps = data["when"][when], list(start), data["steps"]
    angles = [data["first"] * (1 - i / steps) for i in range(steps + 1)]
    for a, b in zip(angles[:-1], angles[1:], strict=True):
        alpha, sigma, share = math.cos(a), math.sin(a), a / (math.pi / 2)
        x0 = guess(data, x, alpha, sigma, wanted)
        if scale != 1 and low <= share <= high:
            other = guess(data, x, alpha, sigma, None)
            x0 = [other[i] + scale * (x0[i] - other[i]) for i in (0, 1)]
        eps = [(x[i] - alpha * x0[i]) / sigma for i in (0, 1)]
        x = [math.cos(b) * x0[i] + math.sin(b) * eps[i] for i in (0, 1)]
    return x


def found(data: dict, *, scale: float, when: str, wanted: int) -> dict:
    """Return the ends, the share nearest to the class, their spread, the true one, and the gap."""
    ends = [end_of(data, start, scale, when, wanted) for start in data["starts"]]
    near = [min(range(len(data["labels"])), key=lambda i: math.dist(end, data["centres"][i]))
            for end in ends]  # fmt: skip
    own = [c for c, label in zip(data["centres"], data["labels"], strict=True) if label == wanted]
    true_middle, middle = mean_of(own), mean_of(ends)
    between = sum(math.dist(c, true_middle) ** 2 for c in own) / len(own)
    return {
        "ends": [v for end in ends for v in end],
        "share": sum(data["labels"][i] == wanted for i in near) / len(ends),
        "spread": math.sqrt(sum(math.dist(end, middle) ** 2 for end in ends) / len(ends)),
        "true": math.sqrt(between + 2 * data["std"] ** 2),
        "gap": math.dist(middle, true_middle),
    }


def mean_of(points: list) -> list[float]:
    """Return the middle of some points."""
    return [sum(point[axis] for point in points) / len(points) for axis in (0, 1)]


def say(found: dict, *, scale: float, when: str, wanted: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    return (
        f"Class {wanted}, scale {scale:g}, guidance on: {when}. "
        f"{100 * found['share']:.0f} % of the points are nearest to the class. "
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
    plain = [end_of(data, start, 1.0, "always", wanted) for start in data["starts"]]
    ax.scatter([x for x, _ in plain], [y for _, y in plain], s=7, color=COLOURS["noise"])
    ax.scatter(found["ends"][::2], found["ends"][1::2], s=11, color=COLOURS["prediction"])
    limit = data["limit"]
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return figure
