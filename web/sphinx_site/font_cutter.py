"""Cut fonts down to what a site shows: fewer characters, fewer weights, packed as .woff2."""

import hashlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

COPYRIGHT = (0, 13, 14)  # the entries of a font's names that tell its owners and its licence


def cut(
    path: Path,
    characters: Iterable[str],
    *,
    features: tuple[str, ...] = (),
    names: tuple[int, ...] = (),
    weights: tuple[int, int] | int | None = None,
) -> bytes:
    """Return a font that has these characters alone.

    Args:
        path: The whole font.
        characters: Those that are kept; what the font does not hold is left out.
        features: OpenType features that are kept, as "kern".
        names: Entries of its table of names that are kept.
        weights: Of a variable font: the range of weights that is kept, or the only one.
    """
    font = TTFont(path)
    options = subset.Options(
        flavor="woff2",
        hinting=False,
        layout_features=list(features),
        name_IDs=list(names),
        notdef_outline=True,
    )
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=map(ord, characters))
    cutter.subset(font)
    if weights is not None:
        # Read what was cut once more: else fontTools looks for the widths of what is gone.
        font = instantiateVariableFont(TTFont(BytesIO(saved(font, None))), {"wght": weights})
    return saved(font, "woff2")


def saved(font: TTFont, flavor: str | None) -> bytes:
    """Return a font's bytes."""
    buffer = BytesIO()
    font.flavor = flavor
    font.save(buffer)
    return buffer.getvalue()


def digest(content: str | bytes) -> str:
    """Name a file's content in eight characters."""
    content = content.encode("utf8") if isinstance(content, str) else content
    return hashlib.sha256(content).hexdigest()[:8]
