"""A scene as SVG: one group per part, colours by CSS variables, text as text."""

import base64
import io
from collections.abc import Callable
from html import escape
from typing import Any

from PIL import Image

from .geometry import Box, Path
from .scene import WIDTH, Scene


def to_svg(scene: Scene, *, style: str = "") -> str:
    """Return the drawing.

    Args:
        scene: What is drawn.
        style: CSS for a file that stands alone; a page brings its own.
    """
    body, open_part = [], None
    for kind, part, what in scene.items:
        if part != open_part:
            body.append("</g>" if open_part is not None else "")
            body.append(f'<g class="pd-part" data-part="{part}">' if part is not None else "")
            open_part = part
        body.append(WRITERS[kind](**what))
    body.append("</g>" if open_part is not None else "")
    sheet = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pan-diagram-svg" role="img" '
        f'aria-label="{escape(scene.alt)}" viewBox="0 0 {WIDTH} {number(scene.height)}" '
        f'width="{WIDTH}" height="{number(scene.height)}">{sheet}'
        + "\n".join(piece for piece in body if piece)
        + "</svg>"
    )


def number(value: float) -> str:
    """Return a length as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0")


def rect(box: Box, radius: float, tone: str, dashed: bool) -> str:
    """Write a box."""
    return (
        f'<rect class="pd-box pd-{tone}{" pd-dashed" if dashed else ""}" x="{number(box.x)}" '
        f'y="{number(box.y)}" width="{number(box.w)}" height="{number(box.h)}" rx="{radius}"/>'
    )


def text(x: float, y: float, text: str, kind: str, anchor: str, tone: str) -> str:
    """Write a text whose middle lies at height y."""
    return (
        f'<text class="pd-{kind} pd-{tone} pd-{anchor}" x="{number(x)}" y="{number(y)}" '
        f'dy="0.35em">'
        f"{escape(text, quote=False)}</text>"
    )


def path(path: Path, tone: str, dashed: bool, head: list | None) -> str:
    """Write a line and its head."""
    steps = " ".join(f"{step[0]}{' '.join(number(v) for v in step[1:])}" for step in path)
    drawn = f'<path class="pd-line pd-{tone}{" pd-dashed" if dashed else ""}" d="{steps}"/>'
    if head is None:
        return drawn
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in head)
    return f'{drawn}<polygon class="pd-head pd-{tone}" points="{corners}"/>'


def circle(cx: float, cy: float, r: float) -> str:
    """Write the circle of a sum, and around it what a finger can hit."""
    return (
        f'<rect class="pd-hit" x="{number(cx - 22)}" y="{number(cy - 22)}" width="44" height="44"/>'
        f'<circle class="pd-box pd-plain" cx="{number(cx)}" cy="{number(cy)}" r="{number(r)}"/>'
    )


def cells(box: Box, grid: Any, side: float, tone: str) -> str:
    """Write a matrix: cells of one fullness share a path."""
    by_value: dict[float, list[str]] = {}
    for i, row in enumerate(grid.tolist()):
        for j, value in enumerate(row):
            corner = f"M{number(box.x + j * side + 0.5)} {number(box.y + i * side + 0.5)}"
            by_value.setdefault(round(0.06 + 0.94 * value, 2), []).append(corner)
    inner = number(side - 1)
    drawn = [
        f'<path class="pd-cell pd-{tone}" opacity="{value}" d="'
        + "".join(f"{corner}h{inner}v{inner}h-{inner}z" for corner in corners)
        + '"/>'
        for value, corners in sorted(by_value.items())
    ]
    return f"{hit(box)}{''.join(drawn)}"


def hit(box: Box) -> str:
    """Write what a finger can hit: at least 44 pixels each way."""
    w, h = max(box.w, 44.0), max(box.h, 44.0)
    return (
        f'<rect class="pd-hit" x="{number(box.cx - w / 2)}" y="{number(box.cy - h / 2)}" '
        f'width="{number(w)}" height="{number(h)}"/>'
    )


def image(box: Box, pixels: Any) -> str:
    """Write a picture as pixels with sharp edges, in a frame."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    place = (
        f'x="{number(box.x)}" y="{number(box.y)}" width="{number(box.w)}" height="{number(box.h)}"'
    )
    return (
        f'{hit(box)}<image {place} href="data:image/png;base64,{data}" preserveAspectRatio="none"/>'
        f'<rect class="pd-outline" {place} rx="2"/>'
    )


def bar(box: Box, tone: str) -> str:
    """Write a bar of a chart."""
    return (
        f'<rect class="pd-cell pd-{tone}" x="{number(box.x)}" y="{number(box.y)}" '
        f'width="{number(box.w)}" height="{number(box.h)}" rx="2"/>'
    )


WRITERS: dict[str, Callable[..., str]] = {
    "bar": bar, "hit": hit, "rect": rect, "text": text, "path": path, "circle": circle,
    "cells": cells, "image": image,
}  # fmt: skip
