"""The plane of a diagram: points, boxes, and arrows that turn in round corners."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = 7.0  # length of an arrow's head
CORNER = 9.0  # radius at which arrows turn

Point = tuple[float, float]
Path = list[tuple]  # of ("M", x, y), ("L", x, y) and ("Q", cx, cy, x, y)


@dataclass(frozen=True)
class Box:
    """A rectangle: where it lies, and the middles of its sides, at which arrows end."""

    x: float
    y: float
    w: float
    h: float

    @property
    def cx(self) -> float:
        """The middle, from the left."""
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        """The middle, from the top."""
        return self.y + self.h / 2

    @property
    def top(self) -> Point:
        """The middle of the upper side."""
        return self.cx, self.y

    @property
    def bottom(self) -> Point:
        """The middle of the lower side."""
        return self.cx, self.y + self.h

    @property
    def left(self) -> Point:
        """The middle of the left side."""
        return self.x, self.cy

    @property
    def right(self) -> Point:
        """The middle of the right side."""
        return self.x + self.w, self.cy


def rounded_path(points: Sequence[Point], shortened: float) -> tuple[Path, list[Point]]:
    """Return a path with rounded corners that stops short of its end, and the head that ends it."""
    path: Path = [("M", *points[0])]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = towards(corner, before), towards(corner, after)
        path += [("L", *a), ("Q", *corner, *b)]
    end, back = points[-1], towards(points[-1], points[-2], shortened)
    path.append(("L", *back))
    dx, dy = (end[0] - back[0]) * 0.45, (end[1] - back[1]) * 0.45
    return path, [end, (back[0] - dy, back[1] + dx), (back[0] + dy, back[1] - dx)]


def towards(start: Point, goal: Point, length: float = CORNER) -> Point:
    """Return the point at a distance from the start on the way to the goal."""
    dx, dy = goal[0] - start[0], goal[1] - start[1]
    whole = math.hypot(dx, dy)
    part = min(length, whole / 2) / whole if length else 0.0
    return start[0] + dx * part, start[1] + dy * part
