"""Charts that move: a chapter gives numbers for each value of its controls, and they are drawn.

`chart.js` draws them on the page from the numbers, in its colours and to its width;
`chart_stills.py` draws the picture that stands where no script runs, and the kernel's.
"""

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from .chart_panels import Bars, Curves, Heat, Panel, Pictures, address
from .chart_stills import draw_panels
from .controls import Control
from .explore import MovingFigure, live

__all__ = ["Bars", "Control", "Curves", "Heat", "Pictures", "chart"]

ENDS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)  # of an axis, times a power of ten


def chart(
    show: Callable[..., Panel | Sequence[Panel]],
    describe: Callable[..., str],
    controls: Mapping[str, Control],
    *,
    title: str,
    alt: str,
    play: Mapping[str, Any] | None = None,
) -> MovingFigure:
    """Give charts controls; the page draws the numbers that belong to their values.

    Args:
        show: Called as show(**values) once for every combination of values; returns a panel, or
            several: as many each time, and of the same kinds.
        describe: Called as describe(**values); returns one sentence that says what is to be seen.
            It is compared when the notebook is tested, so round what it prints.
        controls: A Control for each argument of show and describe.
        title: The figure's visible title.
        alt: What the figure shows, for someone who cannot see it.
        play: {"control": name, "seconds": of one run} adds a play button.

    Raises:
        ConfigError: A control is empty or unknown, panels differ in number or kind, a colour is
            unknown, or the html passes 300,000 bytes.
        ShapeError: Values do not fit their names, or images or cells are no squares.
    """
    grid = itertools.product(*(control.values for control in controls.values()))
    points = [dict(zip(controls, values, strict=True)) for values in grid]
    frames = [[panel.data() for panel in listed(show(**point))] for point in points]
    check_alike(frames)
    set_ends(frames)
    shared, own = split(frames)
    content = json.dumps({"shared": shared, "frames": own}, separators=(",", ":"))

    def at(values: Mapping[str, Any]) -> list[dict]:
        return frames[points.index(dict(values))]

    return live(
        "chart",
        {
            "panels": address(content.encode(), "application/json"),
            "sentences": [describe(**point) for point in points],
        },
        controls,
        lambda **values: draw_panels(at(values)),
        describe,
        numbers=lambda **values: {"values": numbers_of(at(values))},
        title=title,
        alt=alt,
        play=play,
    )


def listed(shown: Panel | Sequence[Panel]) -> list[Panel]:
    """Return one panel or several as a list."""
    return list(shown) if isinstance(shown, (list, tuple)) else [shown]  # type: ignore[list-item]


def check_alike(frames: list[list[dict]]) -> None:
    """Check that every frame has the same kinds of panels in the same places.

    Raises:
        ConfigError: One has not.
    """
    kinds = [[panel["kind"] for panel in panels] for panels in frames]
    for other in kinds:
        if other != kinds[0]:
            raise ConfigError(f"show must always return panels {kinds[0]}, but once it is {other}.")


def set_ends(frames: list[list[dict]]) -> None:
    """Give axes without an end one that holds in every frame: round, above the largest number."""
    for column in zip(*frames, strict=True):
        open_ended = [panel for panel in column if panel.get("most", 0) is None]
        largest = max(
            (value for panel in open_ended for row in panel["rows"] for value in row["values"]),
            default=0,
        )
        for panel in open_ended:
            panel["most"] = round_end(largest)


def round_end(largest: float) -> float:
    """Return a round number that is not below another.

    >>> round_end(0.083), round_end(17)
    (0.1, 20.0)
    """
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return float(f"{next(end for end in ENDS if end * power >= largest) * power:.6g}")


def split(frames: list[list[dict]]) -> tuple[list[dict], list[list[dict]]]:
    """Return what all frames share, panel by panel, and what each has of its own."""
    shared = [
        {key: value for key, value in first.items() if all(value == p[key] for p in column)}
        for first, column in zip(frames[0], zip(*frames, strict=True), strict=True)
    ]
    own = [
        [
            {key: value for key, value in panel.items() if key not in same}
            for panel, same in zip(panels, shared, strict=True)
        ]
        for panels in frames
    ]
    return shared, own


def numbers_of(panels: list[dict]) -> list[float]:
    """Return the numbers that panels draw, in one row; the page's script must find the same."""
    rows = []
    for panel in panels:
        rows += [row["values"] for row in panel.get("rows", ())] + list(panel.get("cells", ()))
    return [value for row in rows for value in row]
