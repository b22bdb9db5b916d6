"""Draw a digit, and a model on the page reads it: its input, its roll-out, its prediction.

`draw_digit.js` draws it on the page. Recorded test digits stand there until the reader draws, and
wherever the model cannot run.
"""

import base64
import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from ..checks import check_images
from ..errors import DataError, ShapeError
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_finite
from .plots import COLOURS, RULE

SIDE, BOX, PEN = 28, 20, 1.15  # of the image, of the digit in it, half a line's width; in pixels
Strokes = Sequence[Sequence[Sequence[float]]]


def draw_digit(
    images: Float[Tensor, "b 1 28 28"],
    labels: Int[Tensor, " b"],
    logits: Float[Tensor, "b classes"],
    sources: Float[Tensor, "b n"],
    *,
    model: str = "vit-mnist",
    title: str = "Draw a digit: the model on this page reads it",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader draws a digit and a model in the page reads it.

    Args:
        images: Recorded digits in [-1, 1], one for each label.
        labels: What they show, all different.
        logits: What the model predicts for each.
        sources: The weight of each patch in what the model pooled.
        model: The file in the site's folder `_static/models`, without ".onnx"; its outputs are
            `logits` and `sources`.
        title: The visible title.
        alt: What the figure shows; a fixed text if not given.

    Raises:
        ShapeError: The recorded digits are not 28 x 28, digits, labels and results are not as many,
            or the patches of `sources` do not tile the image.
        DataError: A number is NaN or infinite, or a pixel far outside [-1, 1].
    """
    check_images("images", images, (1, SIDE, SIDE))
    check_finite("logits", logits)
    check_finite("sources", sources)
    count = math.isqrt(sources.shape[1])
    if not len(images) == len(labels) == len(logits) == len(sources):
        raise ShapeError(
            f"images, labels, logits and sources must be as many, but are {len(images)}, "
            f"{len(labels)}, {len(logits)} and {len(sources)}."
        )
    if count**2 != sources.shape[1] or SIDE % count:
        raise ShapeError(
            f"sources must hold one weight per patch of a square grid that divides {SIDE} pixels, "
            f"but there are {sources.shape[1]}."
        )
    pixels = ((images + 1) * 127.5).round().to(torch.uint8)
    data = {
        "images": [base64.b64encode(bytes(image.flatten().tolist())).decode() for image in pixels],
        "labels": labels.tolist(),
        "logits": rounded(logits),
        "sources": rounded(sources, 5),
        "grid": count,
        "model": model,
    }
    shown = {label: i for i, label in enumerate(data["labels"])}

    digits = Control(label="Recorded test digit", values=data["labels"], idea="data", choice=True)

    def found(digit):
        return {name: data[name][shown[digit]] for name in ("logits", "sources")}

    return live(
        "draw_digit",
        data,
        {"digit": digits},
        lambda digit: draw(images[shown[digit], 0], found(digit), count),
        lambda digit: f"Test digit {digit}: the model reads {read_out(found(digit)['logits'])}.",
        numbers=lambda digit: found(digit),
        title=title,
        alt=alt
        or (
            f"Panels: where scripts run, a place to draw; the digit as {SIDE} by {SIDE} pixels "
            "with the grid of patches, a map of how much of each patch reaches the prediction, and "
            "a bar for each of the ten digits."
        ),
    )


def read_out(logits: Sequence[float]) -> str:
    """Name the two likeliest digits; the page's script writes the same.

    >>> read_out([0.0, 3.0, 1.0])
    '1 (84 %), next 2 (11 %)'
    """
    p = torch.tensor(logits, dtype=torch.float64).softmax(dim=0)
    first, second = p.argsort(descending=True)[:2].tolist()
    return f"{first} ({100 * p[first]:.0f} %), next {second} ({100 * p[second]:.0f} %)"


def mnist_like(strokes: Strokes) -> Float[Tensor, "28 28"]:
    """Set drawn lines as MNIST sets its digits: in a box of 20 pixels, centred by their mass.

    Args:
        strokes: Lines of points (x, y), in pixels of the place where they were drawn.

    Returns:
        The image in [-1, 1]; lines are 2 * PEN pixels wide, whatever their size was.

    Raises:
        DataError: There is no line, one has no point, or a coordinate is NaN or infinite.

    Source: LeCun et al. 1998, section III.A, for the box and the centre.
    """
    if not len(strokes) or not all(len(stroke) for stroke in strokes):
        raise DataError("strokes must hold one line or more, each of one point or more.")
    lines = [torch.tensor(stroke, dtype=torch.float64) for stroke in strokes]
    points = torch.cat(lines)
    check_finite("strokes", points)
    low, high = points.amin(dim=0), points.amax(dim=0)
    scale = (BOX - 2 * PEN) / max((high - low).max().item(), BOX / 3)  # a dot stays small
    lines = [(line - (low + high) / 2) * scale + SIDE / 2 for line in lines]
    ink = spread_ink(lines)
    middles = torch.arange(SIDE, dtype=torch.float64) + 0.5
    mass = torch.stack([(ink.sum(0) * middles).sum(), (ink.sum(1) * middles).sum()]) / ink.sum()
    return (2 * spread_ink([line + SIDE / 2 - mass for line in lines]) - 1).float()


def spread_ink(lines: Sequence[Float[Tensor, "points 2"]]) -> Float[Tensor, "28 28"]:
    """Return how dark each pixel is: 1 within the pen's reach, falling to 0 over one pixel."""
    middles = torch.arange(SIDE, dtype=torch.float64) + 0.5
    pixels = torch.stack(torch.meshgrid(middles, middles, indexing="xy"), dim=-1)  # y x 2
    nearest = torch.full((SIDE, SIDE), torch.inf, dtype=torch.float64)
    for line in lines:
        ends = line[1:] if len(line) > 1 else line
        for a, b in zip(line, ends, strict=False):
            along, off = b - a, pixels - a
            where = ((off @ along) / max((along @ along).item(), 1e-12)).clamp(0, 1)
            nearest = nearest.minimum((off - where[..., None] * along).norm(dim=-1))
    return (PEN + 0.5 - nearest).clamp(0, 1)


def draw(image: Float[Tensor, "28 28"], found: dict, count: int) -> Figure:
    """Draw a recorded digit, where the model looked, and its prediction."""
    figure, axes = plt.subplots(1, 3, figsize=(6.4, 2.5), layout="constrained")
    axes[0].imshow(image, cmap="gray_r", vmin=-1, vmax=1)
    for line in range(1, count):
        for side in (axes[0].axhline, axes[0].axvline):
            side(line * SIDE / count - 0.5, color=RULE, lw=0.6)
    weights = torch.tensor(found["sources"]).view(count, count) * count**2
    axes[1].imshow(weights, cmap="Greens", vmin=0.5, vmax=2)
    p = torch.tensor(found["logits"]).softmax(dim=0)
    axes[2].bar(range(len(p)), p, color=COLOURS["prediction"])
    axes[2].set(xticks=range(len(p)), ylim=(0, 1))
    for ax, name in zip(axes, ("what it sees", "roll-out", "what it reads"), strict=True):
        ax.set_title(name)
        if ax is not axes[2]:
            ax.set(xticks=[], yticks=[])
    return figure
