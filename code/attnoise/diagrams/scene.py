"""What a diagram is made of: boxes, arrows, sums, braces, matrices and pictures on a plane.

A `Scene` knows no file format. `svg` and `raster` write it; both draw the same primitives.
Lengths are pixels at the size at which a page shows a diagram.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConfigError, choose
from .geometry import HEAD, Box, Path, Point, rounded_path
from .source import Line

WIDTH = 340
LABEL, SHAPE = 13.5, 12.0  # the two sizes of type
TOUCH = 44  # the least height of what a finger points at
IDEAS = ("query", "key", "value", "data", "noise", "prediction")
TONES = {name: None for name in (*IDEAS, "plain", "quiet", "ink")}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a reader learns by pointing at one part of a diagram.

    Args:
        title: Its name.
        note: What it is for, in one sentence.
        axes: The axes of what it hands on, named as in the code; "" for what has no shape.
        sizes: Their lengths, in the model that the diagram shows.
        line: The line of code that makes it.
    """

    title: str
    note: str
    axes: str
    sizes: tuple[int, ...]
    line: Line

    def __post_init__(self) -> None:
        if len(self.axes.split()) != len(self.sizes):
            raise ConfigError(
                f"axes of {self.title!r} must name {len(self.sizes)} axes, one for each of "
                f"{self.sizes}, but they are {self.axes!r}."
            )

    @property
    def shape(self) -> str:
        """Axes and lengths as one text, as in "b n d = 1 × 5 × 12"."""
        return f"{self.axes} = {' × '.join(map(str, self.sizes))}" if self.sizes else ""


@dataclass
class Scene:
    """Primitives in the order in which they are drawn, and the parts that they belong to.

    Args:
        name: Its name in the book.
        title: The visible title.
        caption: What it shows, one or two sentences.
        alt: What is seen, for someone who cannot see it.
        height: In pixels; the width is WIDTH.
        stages: Axes that have another length at each stage, as pixels in a U-Net.
    """

    name: str
    title: str
    caption: str
    alt: str
    height: float
    stages: str = ""
    items: list[tuple[str, int | None, dict[str, Any]]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    heads: list[Point] = field(default_factory=list)  # where arrows end
    axes: dict[str, int] = field(default_factory=dict)

    def add(self, item: str, number: int | None = None, **what: Any) -> None:
        """Add one primitive."""
        self.items.append((item, number, what))

    def part(self, part: Part | None) -> int | None:
        """Register a part and return its number; an axis must keep its length.

        Raises:
            ConfigError: An axis has another length in an earlier part.
        """
        if part is None:
            return None
        for name, size in zip(part.axes.split(), part.sizes, strict=True):
            if name not in self.stages.split() and self.axes.setdefault(name, size) != size:
                raise ConfigError(
                    f"axes: {name} must be {self.axes[name]} in {part.title!r}, as in an earlier "
                    f"part of diagram {self.name!r}, but it is {size}."
                )
        if part in self.parts:
            return self.parts.index(part)
        self.parts.append(part)
        return len(self.parts) - 1

    def box(
        self,
        cx: float,
        y: float,
        label: str,
        part: Part | None = None,
        *,
        w: float = 150,
        h: float = TOUCH,
        tone: str = "plain",
        dashed: bool = False,
    ) -> Box:
        """Add a rounded box with a label; below it arrows may begin."""
        choose("tone", tone, TONES)
        box, number = Box(cx - w / 2, y, w, h), self.part(part)
        self.boxes.append(box)
        self.add("rect", number, box=box, radius=8, tone=tone, dashed=dashed)
        lines = label.split("\n")
        for i, line in enumerate(lines):
            middle = box.cy + (i - (len(lines) - 1) / 2) * 17
            self.text(cx, middle, line, part=number)
        return box

    def frame(self, x: float, y: float, w: float, h: float) -> Box:
        """Add the outline of a group, behind what comes after it."""
        box = Box(x, y, w, h)
        self.boxes.append(box)
        self.add("rect", None, box=box, radius=14, tone="quiet", dashed=False)
        return box

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        kind: str = "label",
        anchor: str = "middle",
        tone: str = "ink",
        part: int | None = None,
    ) -> None:
        """Add a text whose middle lies at height y: a "label", a "shape" (code) or a "note"."""
        if text:
            self.add("text", part, x=x, y=y, text=text, kind=kind, anchor=anchor, tone=tone)

    def arrow(
        self,
        *points: Point,
        shape: str = "",
        side: int = 1,
        at: float | None = None,
        tone: str = "ink",
        head: bool = True,
        dashed: bool = False,
    ) -> None:
        """Add an arrow along points, its corners rounded, with the shape of what flows beside it.

        Args:
            points: Where it begins, turns and ends.
            shape: Written beside its longest upright piece.
            side: 1 for the right of it, -1 for the left.
            at: Height of the shape; the middle of that piece if not given.
            tone: Whose colour it has.
            head: Whether it ends in a head.
            dashed: Whether it is dashed.
        """
        self.heads += [points[-1]] if head else []
        path, tip = rounded_path(points, HEAD if head else 0.0)
        self.add("path", None, path=path, tone=tone, dashed=dashed, head=tip if head else None)
        if shape:
            upright = [(a, b) for a, b in zip(points, points[1:], strict=False) if a[0] == b[0]]
            a, b = max(upright, key=lambda piece: abs(piece[0][1] - piece[1][1]))
            y = (a[1] + b[1] - (HEAD if b == points[-1] and head else 0)) / 2 if at is None else at
            anchor = "start" if side > 0 else "end"
            self.text(a[0] + 7 * side, y, shape, kind="shape", anchor=anchor)

    def sign(self, cx: float, cy: float, part: Part | None, sign: str = "+") -> Box:
        """Add a small circle in which two streams are added ("+") or multiplied ("×")."""
        choose("sign", sign, {"+": 0, "×": 0})
        r, number = 10.0, self.part(part)
        box = Box(cx - r, cy - r, 2 * r, 2 * r)
        self.boxes.append(box)
        self.add("circle", number, cx=cx, cy=cy, r=r)
        turn = 0.0 if sign == "+" else math.pi / 4
        for angle in (turn, turn + math.pi / 2):
            dx, dy = 5 * math.cos(angle), 5 * math.sin(angle)
            path = [("M", cx - dx, cy - dy), ("L", cx + dx, cy + dy)]
            self.add("path", number, path=path, tone="ink", dashed=False, head=None)
        return box

    def brace(self, x: float, top: float, bottom: float, label: str, *, side: int = 1) -> None:
        """Add a brace that opens to the left (side 1) or right, with what it counts beside it."""
        s, q, middle = side, 7.0, (top + bottom) / 2
        path: Path = [
            ("M", x - s * q, top), ("Q", x, top, x, top + q), ("L", x, middle - q),
            ("Q", x, middle, x + s * q, middle), ("Q", x, middle, x, middle + q),
            ("L", x, bottom - q), ("Q", x, bottom, x - s * q, bottom),
        ]  # fmt: skip
        self.add("path", None, path=path, tone="ink", dashed=False, head=None)
        self.text(x + s * 12, middle, label, anchor="start" if s > 0 else "end", kind="note")

    def cells(
        self,
        cx: float,
        y: float,
        values: ArrayLike,
        part: Part | None = None,
        *,
        side: float = 10,
        tone: str = "ink",
    ) -> Box:
        """Add a matrix: one square per number, the fuller the larger its absolute value is."""
        grid = np.abs(np.asarray(values, dtype=float))
        grid = grid / max(grid.max(), 1e-9)
        rows, columns = grid.shape
        box, number = Box(cx - columns * side / 2, y, columns * side, rows * side), self.part(part)
        self.boxes.append(box)
        self.add("cells", number, box=box, grid=np.round(grid, 2), side=side, tone=tone)
        return box

    def picture(
        self, cx: float, y: float, pixels: ArrayLike, part: Part | None = None, *, w: float = 64
    ) -> Box:
        """Add a picture, pixels in [0, 1], height x width or height x width x 3, in a frame."""
        image = np.asarray(pixels, dtype=float)
        box, number = Box(cx - w / 2, y, w, w * image.shape[0] / image.shape[1]), self.part(part)
        self.boxes.append(box)
        self.add("image", number, box=box, pixels=np.round(image.clip(0, 1) * 255).astype("uint8"))
        return box
