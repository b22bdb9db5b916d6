"""The panels of a chart that moves: bars, curves, heat maps and pictures, as data for the page."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ShapeError, choose
from .figure_html import rounded
from .palette import IDEAS, NEUTRALS
from .plots import as_array

TONES = {**IDEAS, **NEUTRALS}  # the page's styles have the same names


def address(content: bytes, kind: str) -> str:
    """Return bytes as a data address: apart from what tests compare as text."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def check_tone(tone: str) -> str:
    """Return a tone, or raise a ConfigError that lists them."""
    choose("tone", tone, TONES)
    return tone


def rows_of(values: Any, tones: str | Sequence[str], size: int) -> list[dict[str, Any]]:
    """Return rows of numbers with their names and tones.

    Raises:
        ShapeError: A row has not as many values as it must have.
    """
    named = values if isinstance(values, Mapping) else {"": values}
    listed = [tones] * len(named) if isinstance(tones, str) else list(tones)[: len(named)]
    rows = []
    for (name, row), tone in zip(named.items(), listed, strict=True):
        if len(row) != size:
            raise ShapeError(f"values must hold {size} numbers, but {name!r} holds {len(row)}.")
        rows.append({"name": name, "tone": check_tone(tone), "values": rounded(row)})
    return rows


@dataclass(frozen=True)
class Bars:
    """Bars, each with its name.

    Args:
        names: Of the bars.
        values: A number for each, at least 0; or a mapping from the names of several rows of bars.
        label: What the numbers are.
        title: Stands above.
        level: Whether the bars lie; then there is one row of them.
        most: Where the axis ends; if not given, above the largest number of all.
        tone: The bars' colour; one for each row if there are several.
        tones: A colour for each bar instead.
        key: What such colours mean: colour to text.
        name_tone: The colour of the names.
        digits: Of the number at each bar.
    """

    names: Sequence[Any]
    values: Any
    _: KW_ONLY
    label: str
    title: str = ""
    level: bool = False
    most: float | None = None
    tone: str | Sequence[str] = ("ink", "brick", "olive")
    tones: Sequence[str] = ()
    key: Mapping[str, str] | None = None
    name_tone: str = "ink"
    digits: int = 2

    def data(self) -> dict[str, Any]:
        """Return what the page draws.

        Raises:
            ConfigError: A colour is unknown.
            ShapeError: There is not one value for each name.
        """
        names = [str(name) for name in self.names]
        return {
            "kind": "bars",
            "names": names,
            "rows": rows_of(self.values, self.tone, len(names)),
            "label": self.label,
            "title": self.title,
            "level": self.level,
            "most": self.most,
            "tones": [check_tone(tone) for tone in self.tones],
            "key": [[check_tone(tone), text] for tone, text in (self.key or {}).items()],
            "name_tone": check_tone(self.name_tone),
            "digits": self.digits,
        }


@dataclass(frozen=True)
class Curves:
    """Lines over one axis, told apart by their dashes and colours.

    Args:
        x: Where the values were taken, rising.
        values: A mapping from each line's name to its values, at least 0; at most three lines.
        label: What the values are.
        across: What x is.
        title: Stands above.
        most: Where the upright axis ends; if not given, above the largest value of all.
        tone: The lines' colours.
    """

    x: Sequence[float]
    values: Mapping[str, Any]
    _: KW_ONLY
    label: str
    across: str
    title: str = ""
    most: float | None = None
    tone: Sequence[str] = ("ink", "brick", "olive")

    def data(self) -> dict[str, Any]:
        """Return what the page draws.

        Raises:
            ConfigError: A colour is unknown.
            ShapeError: A line has not one value for each x.
        """
        x = rounded(list(self.x))
        return {
            "kind": "curves",
            "x": x,
            "rows": rows_of(self.values, self.tone, len(x)),
            "label": self.label,
            "across": self.across,
            "title": self.title,
            "most": self.most,
        }


@dataclass(frozen=True)
class Heat:
    """A number for each cell of a square: the larger, the fuller its colour.

    Args:
        title: Stands above.
        cells: As many rows as columns.
        low: The number without colour; if it is below 0, then 0 is without, and low has a colour.
        high: The number at full colour.
        tone: The colour of large numbers.
        under: The colour of numbers below 0.
        unit: Stands after the least and the largest number, below.
    """

    title: str
    cells: Any
    _: KW_ONLY
    low: float
    high: float
    tone: str = "ink"
    under: str = "brick"
    unit: str = ""

    def data(self) -> dict[str, Any]:
        """Return what the page draws.

        Raises:
            ConfigError: A colour is unknown.
            ShapeError: There are not as many rows as columns.
        """
        cells = as_array(self.cells)
        if cells.ndim != 2 or cells.shape[0] != cells.shape[1]:
            raise ShapeError(f"cells must be a square, but their shape is {cells.shape}.")
        return {
            "kind": "heat",
            "title": self.title,
            "cells": rounded(cells, 2),
            "low": self.low,
            "high": self.high,
            "tone": check_tone(self.tone),
            "under": check_tone(self.under),
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Pictures:
    """Pictures in a row: grey ones take the page's colour of ink, coloured ones keep their own.

    Args:
        title: Stands above.
        images: In [-1, 1], shape (images, 1 or 3, side, side); what is beyond is cut off.
    """

    title: str
    images: Any

    def data(self) -> dict[str, Any]:
        """Return what the page draws: the bytes of all grey pictures, or each coloured picture.

        Raises:
            ShapeError: They are no stack of square pictures.
        """
        stack = as_array(self.images)
        if stack.ndim != 4 or stack.shape[1] not in (1, 3) or stack.shape[2] != stack.shape[3]:
            raise ShapeError(
                "images must have shape (images, 1 or 3, side, side), but their shape is "
                f"{tuple(stack.shape)}."
            )
        pixels = np.round((np.clip(stack, -1, 1) + 1) * 127.5).astype(np.uint8)
        grey = stack.shape[1] == 1
        return {
            "kind": "pictures",
            "title": self.title,
            "count": len(stack),
            "colour": not grey,
            "shape": list(stack.shape[2:]),
            "images": [address(pixels.tobytes(), "application/octet-stream")]
            if grey
            else [webp(image.transpose(1, 2, 0)) for image in pixels],
        }


Panel = Bars | Curves | Heat | Pictures


def webp(pixels: np.ndarray) -> str:
    """Return bytes of shape (height, width, 3) as the data address of a lossless picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="WEBP", lossless=True, method=6)
    return address(buffer.getvalue(), "image/webp")
