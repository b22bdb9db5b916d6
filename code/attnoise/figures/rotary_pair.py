"""Move a query and a key along the sequence: both turn, and their score follows the difference.

`rotary_pair.js` draws it on the page.
"""

import math

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..attention import Rotary
from ..attention.positions import position_angles
from ..checks import check_positive, check_sizes
from ..errors import ConfigError, ShapeError
from .attention_query import arrow
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_finite
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
        DataError: A number is NaN or infinite.
        ConfigError: base is not above 0, farthest below 2, or start is no pair of positions.
    """
    if query.shape != key.shape or tuple(query.shape) not in ((2,), (4,)):
        raise ShapeError(
            f"query and key must hold 2 or 4 numbers each, but their shapes are "
            f"{tuple(query.shape)} and {tuple(key.shape)}."
        )
    check_finite("query", query)
    check_finite("key", key)
    check_positive(base=base)
    check_sizes(farthest=farthest)
    if farthest < 2:
        raise ConfigError(f"farthest must be at least 2, but it is {farthest}; 24 fits well.")
    k = len(query)
    data = {
        "query": rounded(query),
        "key": rounded(key),
        "base": base,
        "farthest": farthest,
    }
    sizes = torch.stack([query, key]).view(2, -1, 2).norm(dim=-1)  # of each pair
    data["limit"] = round(1.1 * float(sizes.max()), 3)
    data["most"] = round(1.1 * float(sizes.prod(dim=0).sum()) / math.sqrt(k), 3)
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
        lambda **where: describe(turn_both(data, **where), **where),
        numbers=lambda **where: turn_both(data, **where),
        title=title,
        alt=alt
        or (
            f"{k // 2} planes, each with an arrow for a pair of the query's numbers and one for "
            "the key's, turned by their positions; each plane turns more slowly than the one "
            "before. Below, a curve of the score against the difference of the positions, with a "
            "dot at the present one."
        ),
    )


def turn_both(data: dict, *, query_at: int, key_at: int) -> dict:
    """Return both vectors turned, what each pair adds to the score, and the score."""
    k = len(data["query"])
    rotary = Rotary(k, base=data["base"], layout="pairs")
    query, key = (
        rotary(torch.tensor(data[name]).view(1, 1, 1, k), place).flatten()
        for name, place in (("query", query_at), ("key", key_at))
    )
    parts = (query * key).view(-1, 2).sum(dim=1) / math.sqrt(k)
    return {
        "query": query.tolist(),
        "key": key.tolist(),
        "parts": parts.tolist(),
        "difference": query_at - key_at,
        "score": float(parts.sum()),
    }


def score_curve(data: dict) -> tuple[list[float], list[float]]:
    """Return differences of positions in quarter steps, and the score at each.

    score(n - m) = Re sum_j q_j conj(k_j) e^{i (n - m) angle_j} / sqrt(k), pairs as complex numbers

    Source: Su et al. 2021, equation 12, arXiv:2104.09864; it holds between positions, too.
    """
    k, last = len(data["query"]), 4 * data["farthest"]
    angles = position_angles(2 * last + 1, k, start=-last, base=data["base"]) / 4
    query, key = (
        torch.view_as_complex(torch.tensor(data[name], dtype=torch.float64).view(-1, 2))
        for name in ("query", "key")
    )
    turns = torch.polar(torch.ones_like(angles), angles)
    scores = (turns * query * key.conj()).sum(dim=1).real / math.sqrt(k)
    return [place / 4 for place in range(-last, last + 1)], scores.tolist()


def signed(value: float) -> str:
    """Write a number with two digits, and never "-0.00"."""
    return f"{value:.2f}".replace("-0.00", "0.00")


def describe(found: dict, *, query_at: int, key_at: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    return (
        f"Query at {query_at}, key at {key_at}: the difference is {found['difference']}, "
        f"the score is {signed(found['score'])}."
    )


def draw(data: dict, found: dict) -> Figure:
    """Draw the planes, and the score against the difference."""
    angles = position_angles(1, len(data["query"]), start=1, base=data["base"])[0].rad2deg()
    count, limit = len(angles), data["limit"]
    figure = plt.figure(figsize=(6.4, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, count, height_ratios=(1.6, 1))
    for j in range(count):
        ax = figure.add_subplot(grid[0, j])
        for name in ("key", "query"):
            arrow(ax, data[name][2 * j : 2 * j + 2], COLOURS[name], 0.2)
            arrow(ax, found[name][2 * j : 2 * j + 2], COLOURS[name], 1.0)
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        ax.set_xlabel(f"adds {signed(found['parts'][j])}")
        ax.set_title(f"pair {j}: {angles[j]:.1f}° a step", fontsize=9.5)
        ax.axhline(0, color=RULE, lw=0.8, zorder=0)
        ax.axvline(0, color=RULE, lw=0.8, zorder=0)
        ax.spines[:].set_visible(True)
    ax = figure.add_subplot(grid[1, :])
    ax.plot(*score_curve(data), color=COLOURS["noise"], lw=1.2)
    ax.plot(found["difference"], found["score"], "o", ms=9, color=COLOURS["ink"])
    ax.axhline(0, color=RULE, lw=0.8, zorder=0)
    ax.set(ylim=(-data["most"], data["most"]), ylabel="score")
    ax.set_xlabel("position of the query, less that of the key")
    return figure
