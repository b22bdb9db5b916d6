"""Lines of the package's own code, found when a diagram is drawn, and the address of their file."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from ..errors import ConfigError

PACKAGE = Path(__file__).parents[1]
FILES = "/blob/main/code/attnoise/"


@dataclass(frozen=True)
class Line:
    """A line of the package: its text, the file below `attnoise`, and the function around it."""

    text: str
    file: str
    where: str


def line_of(around: Callable, fragment: str) -> Line:
    """Find the one line of a function or class that holds a fragment.

    Args:
        around: A function, method or class of the package.
        fragment: Part of the line.

    Raises:
        ConfigError: No line holds it, or several do.
    """
    around = inspect.unwrap(around)
    found = [line for line in inspect.getsource(around).splitlines() if fragment in line]
    if len(found) != 1:
        raise ConfigError(
            f"fragment must stand in one line of {around.__qualname__}, but {fragment!r} stands in "
            f"{len(found)}."
        )
    text = re.sub(r"  # .*", "", found[0]).strip()
    file = Path(inspect.getsourcefile(around) or "").resolve().relative_to(PACKAGE.resolve())
    return Line(text, file.as_posix(), around.__qualname__)


def files() -> str:
    """Return the address below which the package's files can be read; "" where none is known."""
    return f"{repository()}{FILES}" if repository() else ""


@cache
def repository() -> str:
    """Return the project's address: from _config.yml in a checkout, else from where pip took it."""
    config = PACKAGE.parents[1] / "_config.yml"
    if config.is_file():
        found = re.search(r"(?m)^repository:\n\s+url: (\S+)", config.read_text("utf8"))
        return found[1].rstrip("/") if found else ""
    try:
        origin = metadata.distribution("attnoise").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return ""
    url = str(json.loads(origin or "{}").get("url", ""))
    return url.removesuffix(".git").rstrip("/") if url.startswith("https://") else ""
