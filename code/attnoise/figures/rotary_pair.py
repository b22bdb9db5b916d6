"""Move a query and a key along the sequence: both turn, and their score follows the difference.

`rotary_pair.js` is its twin.
"""

import math

import matplotlib.pyplot as plt
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import ConfigError, ShapeError
from .attention_query import arrow
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plots import COLOURS, RULE


def rotary_pair(
    query: Float[Tensor, " k"],
    key: Float[Tensor, " k"],
    *,
    base: float = 100.0,
    farthest: int = 24,
    start: tuple[int, int] = (9, 5),
    title: str = "Move two positions: only their difference counts",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader moves a query and a key along the sequence.

    score = (R_n query) . (R_m key) / sqrt(k), where R_n turns pair j by n base^(-2j / k)

    Args:
        query: The query before it is turned: one or two pairs of numbers, side by side.
        key: The key before it is turned.
        base: Sets how much slower each pair turns than the one before.
        farthest: The last position; the first is 0.
        start: Positions of query and key at first.
        title: The visible title.
        alt: What the figure shows; a text made from the number of pairs if not given.

    Raises:
        ShapeError: query and key are not one or two pairs of numbers each.
        ConfigError: farthest is below 2, or start is no pair of positions.
    """
    if query.shape != key.shape or tuple(query.shape) not in ((2,), (4,)):
        raise ShapeError(
            f"query and key must hold 2 or 4 numbers each, but their shapes are "
            f"{tuple(query.shape)} and {tuple(key.shape)}."
        )
    if farthest < 2:
        raise ConfigError(f"farthest must be at least 2, but it is {farthest}; 24 fits well.")
    k = len(query)
    data = {
        "query": rounded(query.reshape(-1, 2)),
        "key": rounded(key.reshape(-1, 2)),
        "speeds": [round(base ** (-2 * j / k), 6) for j in range(k // 2)],
        "farthest": farthest,
    }
    reach = max(math.hypot(*pair) for pair in data["query"] + data["key"])
    both = zip(data["query"], data["key"], strict=True)
    most = sum(math.hypot(*q) * math.hypot(*p) for q, p in both)
    data["limit"], data["most"] = round(1.1 * reach, 3), round(1.1 * most / math.sqrt(k), 3)
    places = range(farthest + 1)
    return live(
        "rotary_pair",
        data,
        {
            "query_at": Control(
                label="Position of the query", values=places, start=start[0], idea="query"
            ),
            "key_at": Control(
                label="Position of the key", values=places, start=start[1], idea="key"
            ),
        },
        lambda **where: draw(data, turn_both(data, **where)),
        lambda **where: say(turn_both(data, **where), **where),
        numbers=lambda **where: flat(turn_both(data, **where)),
        title=title,
        alt=alt
        or (
            f"{k // 2} planes, each with an arrow for a pair of the query's numbers and one for "
            "the key's, turned by their positions; each plane turns more slowly than the one "
            "before. Below, a curve of the score against the difference of the positions, with a "
            "dot at the present one."
        ),
    )


def turned(pair: list[float], angle: float) -> list[float]:
    """Turn a point of the plane by an angle in radians."""
    (x, y), cos, sin = pair, math.cos(angle), math.sin(angle)
    return [x * cos - y * sin, x * sin + y * cos]


def turn_both(data: dict, *, query_at: float, key_at: float) -> dict:
    """Return both vectors turned, what each pair adds to the score, and the score."""
    root = math.sqrt(2 * len(data["speeds"]))
    query = [turned(q, query_at * s) for q, s in zip(data["query"], data["speeds"], strict=True)]
    key = [turned(p, key_at * s) for p, s in zip(data["key"], data["speeds"], strict=True)]
    parts = [(q[0] * p[0] + q[1] * p[1]) / root for q, p in zip(query, key, strict=True)]
    return {
        "query": query,
        "key": key,
        "parts": parts,
        "difference": query_at - key_at,
        "score": sum(parts),
    }


def flat(found: dict) -> dict:
    """Return what was found with the pairs written side by side, as the page's script does."""
    return {**found, **{name: sum(found[name], []) for name in ("query", "key")}}


def signed(value: float) -> str:
    """Write a number with two digits, and never "-0.00"."""
    return f"{value:.2f}".replace("-0.00", "0.00")


def say(found: dict, *, query_at: int, key_at: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    return (
        f"Query at {query_at}, key at {key_at}: the difference is {found['difference']}, "
        f"the score is {signed(found['score'])}."
    )


def draw(data: dict, found: dict) -> Figure:
    """Draw the planes, and the score against the difference."""
    count, limit, farthest = len(data["speeds"]), data["limit"], data["farthest"]
    figure = plt.figure(figsize=(6.4, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, count, height_ratios=(1.6, 1))
    for j in range(count):
        ax = figure.add_subplot(grid[0, j])
        for name in ("key", "query"):
            arrow(ax, data[name][j], COLOURS[name], 0.2)
            arrow(ax, found[name][j], COLOURS[name], 1.0)
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        ax.set_xlabel(f"adds {signed(found['parts'][j])}")
        ax.set_title(f"pair {j}: {math.degrees(data['speeds'][j]):.1f}° a step", fontsize=9.5)
        ax.axhline(0, color=RULE, lw=0.8, zorder=0)
        ax.axvline(0, color=RULE, lw=0.8, zorder=0)
        ax.spines[:].set_visible(True)
    ax = figure.add_subplot(grid[1, :])
    places = [step / 4 for step in range(-4 * farthest, 4 * farthest + 1)]
    curve = [turn_both(data, query_at=place, key_at=0)["score"] for place in places]
    ax.plot(places, curve, color=COLOURS["noise"], lw=1.2)
    ax.plot(found["difference"], found["score"], "o", ms=9, color=COLOURS["ink"])
    ax.axhline(0, color=RULE, lw=0.8, zorder=0)
    ax.set(ylim=(-data["most"], data["most"]), ylabel="score")
    ax.set_xlabel("position of the query, less that of the key")
    return figure
