"""What diagrams say: titles, captions, and for each part a note and the line of code behind it.

The texts lie in `parts/NAME.toml`. Numbers in them are filled in from the models.
"""

import importlib
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import choose
from .scene import Part, Scene
from .source import line_of

FOLDER = Path(__file__).parent / "parts"


class Maker:
    """Makes the parts of one diagram from its texts."""

    def __init__(self, texts: dict[str, Any]) -> None:
        self.texts = texts

    def __call__(self, key: str, sizes: Sequence[int] = (), **values: Any) -> Part:
        """Return a part.

        Args:
            key: Its name in the file of texts.
            sizes: The shape of what it hands on.
            values: What its note shows in the place of {names}.

        Raises:
            ConfigError: The texts hold no such part, or its line is not in the code any more.
        """
        parts = {name: part for name, part in self.texts.items() if isinstance(part, dict)}
        text = choose("key", key, parts)
        line = line_of(code(text["code"]), text["line"])
        title, note = (text[name].format(**values) for name in ("title", "note"))
        return Part(title=title, note=note, axes=text["axes"], sizes=tuple(sizes), line=line)


def begin(name: str, height: float, *, stages: str = "", **values: Any) -> tuple[Scene, Maker]:
    """Return an empty scene with its title, caption and alt text, and the maker of its parts.

    Args:
        name: Of the diagram and of its file of texts.
        height: In pixels.
        stages: Axes that have another length at each stage.
        values: What caption and alt text show in the place of {names}.
    """
    texts = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    caption, alt = (texts[key].format(**values) for key in ("caption", "alt"))
    scene = Scene(name, texts["title"], caption, alt, height, stages)
    return scene, Maker(texts)


@cache
def code(path: str) -> Callable:
    """Return what a dotted path below `attnoise` names: a function, a method or a class."""
    steps = path.split(".")
    value: Any = importlib.import_module(f"attnoise.{steps[0]}.{steps[1]}")
    for step in steps[2:]:
        value = getattr(value, step)
    return value
