"""Move a query among keys: scores, weights and output follow. `attention_query.js` draws it."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..attention import attention
from ..errors import ConfigError, ShapeError
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_finite, check_plane
from .plots import COLOURS, RULE

ANGLES = tuple(range(-180, 181, 5))
LENGTHS = tuple(step / 4 for step in range(13))


def attention_query(
    keys: Float[Tensor, "m 2"],
    values: Float[Tensor, " m"],
    *,
    start: tuple[float, float] = (50, 2.0),
    lengths: Sequence[float] = LENGTHS,
    title: str = "Move the query among the keys",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader moves one query.

    weights = softmax(keys query / sqrt(2)),  output = weights . values

    Args:
        keys: Two to seven keys in the plane.
        values: One number for each key.
        start: Angle (degrees, a multiple of 5 from -180 to 180) and length of the query at first.
        lengths: The lengths that the query can take.
        title: The visible title.
        alt: What the figure shows; a text made from the keys and values if not given.

    Raises:
        ShapeError: keys are no points in the plane, or values are not one number for each.
        DataError: A key or value is NaN or infinite.
        ConfigError: start is none of the angles and lengths, or there are fewer than two lengths.
    """
    check_plane("keys", keys, 2, 7)
    if values.shape != keys.shape[:1]:
        raise ShapeError(
            f"values must hold one number for each of the {len(keys)} keys, but its shape is "
            f"{tuple(values.shape)}."
        )
    check_finite("values", values)
    if len(lengths) < 2:
        raise ConfigError(f"lengths must hold two lengths or more, but they are {list(lengths)}.")
    data = {"keys": rounded(keys), "values": rounded(values)}
    reach = max(max(lengths), *(math.hypot(*key) for key in data["keys"]))
    data["limit"] = round(1.15 * reach, 3)
    listed = ", ".join(f"{value:g}" for value in data["values"])
    return live(
        "attention_query",
        data,
        {
            "angle": Control(
                label="Angle of the query",
                values=ANGLES,
                start=start[0],
                unit="°",
                idea="query",
            ),
            "length": Control(
                label="Length of the query",
                values=lengths,
                start=start[1],
                digits=2,
                idea="query",
            ),
        },
        lambda **where: draw(data, look_up(data, **where)),
        lambda **where: describe(look_up(data, **where), **where),
        numbers=lambda **where: look_up(data, **where),
        title=title,
        alt=alt
        or (
            f"A query arrow among {len(keys)} key arrows in the plane. Beside it, for each key, "
            f"its score, its weight as a bar, and its value ({listed}). Below, the values on a "
            "line, larger where the weight is larger, and the output between them."
        ),
    )


def look_up(data: dict, *, angle: float, length: float) -> dict:
    """Return query, scores, weights and output, as lists and numbers."""
    keys = torch.tensor(data["keys"], dtype=torch.float64)
    values = torch.tensor(data["values"], dtype=torch.float64)
    turn = math.radians(angle)
    query = length * torch.tensor([[math.cos(turn), math.sin(turn)]], dtype=torch.float64)
    output, weights = attention(query, keys, values[:, None], return_weights=True)
    return {
        "query": query[0].tolist(),
        "scores": (query @ keys.T / math.sqrt(2))[0].tolist(),  # shown beside their softmax
        "weights": weights[0].tolist(),
        "output": output.item(),
    }


def describe(found: dict, *, angle: float, length: float) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    weights = ", ".join(f"{weight:.2f}" for weight in found["weights"])
    output = f"{found['output']:.2f}".replace("-0.00", "0.00")
    return (
        f"Query at {angle:g}°, length {length:.2f}: the weights are {weights}; "
        f"the output is {output}."
    )


def draw(data: dict, found: dict) -> Figure:
    """Draw the plane, the weights and the line of values."""
    figure, axes = plt.subplot_mosaic(
        [["plane", "bars"], ["line", "line"]],
        figsize=(6.4, 4.2),
        height_ratios=(3.2, 1),
        layout="constrained",
    )
    plane, bars, line = axes["plane"], axes["bars"], axes["line"]
    limit, names = data["limit"], [f"k{i + 1}" for i in range(len(data["keys"]))]
    for name, key, weight in zip(names, data["keys"], found["weights"], strict=True):
        arrow(plane, key, COLOURS["key"], 0.5 + 0.5 * weight)
        plane.annotate(name, key, color=COLOURS["key"], xytext=(3, 3), textcoords="offset points")
    arrow(plane, found["query"], COLOURS["query"], 1.0)
    plane.annotate(
        "query", found["query"], color=COLOURS["query"], xytext=(5, -10), textcoords="offset points"
    )
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    plane.set(xlabel="first coordinate", ylabel="second coordinate")
    plane.axhline(0, color=RULE, lw=0.8, zorder=0)
    plane.axvline(0, color=RULE, lw=0.8, zorder=0)

    labels = [f"{n}: {s:.2f}" for n, s in zip(names, found["scores"], strict=True)]
    bars.barh(labels, found["weights"], color=COLOURS["query"], height=0.6)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1), xlabel="weight", title="key: score")
    bars.tick_params(axis="y", length=0)

    line.scatter(
        data["values"],
        [0] * len(names),
        s=[20 + 400 * weight for weight in found["weights"]],
        color=COLOURS["value"],
        alpha=0.6,
    )
    line.plot(found["output"], 0, marker="D", ms=8, color=COLOURS["ink"])
    line.annotate(
        f"output {found['output']:.2f}",
        (found["output"], 0),
        xytext=(0, 11),
        textcoords="offset points",
        ha="center",
    )
    line.set(yticks=[], ylim=(-0.5, 0.9), xlabel="value")
    line.spines["left"].set_visible(False)
    return figure


def arrow(ax: plt.Axes, tip: Sequence[float], shade: str, alpha: float) -> None:
    """Draw an arrow from the origin."""
    x, y = tip
    look = {"arrowstyle": "-|>", "color": shade, "alpha": alpha, "lw": 2}
    ax.annotate("", (x, y), (0, 0), arrowprops=look)
