"""The colours of the book's figures: one per idea, and others for all that is no idea.

The six ideas of the book's notation keep their colours everywhere. Methods, variants, measures and
baselines never borrow one: they wear `method(0)`, `method(1)`, ... or `GUIDE`, which differ in line
and marker as well, so that colour is never the only sign.
"""

from typing import Any

import matplotlib as mpl
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb

from ..errors import choose

IDEAS = {
    "query": "#0B6FB8",
    "key": "#A15C00",
    "value": "#0A7D5A",
    "data": "#4B3FA8",
    "noise": "#5F6B7A",
    "prediction": "#B0307C",
}
NEUTRALS = {
    "ink": "#1F2430",
    "brick": "#C62828",
    "olive": "#6B7400",
    "stone": "#877867",
}
COLOURS = {**IDEAS, "ink": NEUTRALS["ink"]}
CARD = "#FDFDFE"  # what figures are drawn on where no page gives them its own ground
RULE = "#DCDBE4"  # hairlines
EDGE = "#7D7F8C"  # axes and ticks
# Text in a cell that is pale, between, or deep: a dark page exchanges the first and the last.
ON_PALE, BETWEEN, ON_DEEP = "#010101", "#020202", "#FEFEFE"

LOOKS = (
    ("ink", "-", "o"),
    ("brick", "--", "s"),
    ("olive", "-.", "^"),
    ("stone", ":", "D"),
    ("ink", "--", "v"),
    ("brick", ":", "P"),
)
# Where to compare with: a baseline, chance, a floor, a ceiling.
GUIDE: dict[str, Any] = {"color": NEUTRALS["stone"], "linestyle": (0, (1, 1.5)), "linewidth": 1.3}


def colour(idea: str) -> str:
    """Return the colour of an idea: one of the keys of COLOURS.

    Raises:
        ConfigError: No idea has that name; the message lists them.

    >>> colour("query")
    '#0B6FB8'
    """
    return choose("idea", idea, COLOURS)


def method(place: int, *, marker: bool | str = True, **changes: Any) -> dict[str, Any]:
    """Return how the line of a method is drawn: colour, line and marker, by its place in the plot.

    Args:
        place: 0 for the one that the text speaks of, then 1, 2, ...
        marker: Whether points are marked; or a marker of another form.
        changes: What else `plot` takes, or takes instead.

    Raises:
        ConfigError: There are no so many looks.

    >>> method(1, marker=False)["linestyle"]
    '--'
    """
    looks = {str(i): look for i, look in enumerate(LOOKS)}
    name, line, mark = choose("place", str(place), looks)
    look: dict[str, Any] = {"color": NEUTRALS[name], "linestyle": line}
    if marker:
        look |= {"marker": mark if marker is True else marker, "markersize": 4.5}
    return {**look, **changes}


def tint(name: str) -> Colormap:
    """Return a map from clear (least) to a colour (most), for images that show one quantity.

    The page's own ground shines through where there is little.

    Args:
        name: An idea, or a neutral colour.

    Raises:
        ConfigError: No colour has that name; the message lists them.
    """
    shade = to_rgb(choose("name", name, {**IDEAS, **NEUTRALS}))
    return LinearSegmentedColormap.from_list(f"attnoise-{name}", [(*shade, 0.0), (*shade, 1.0)])


mpl.colormaps.register(tint("ink"), name="ink", force=True)
