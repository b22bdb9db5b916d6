"""A chapter as the grader needs it, read from the book's own notebook."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import nbformat

from ..exercises import Exercise, exercises_of

BOOK = Path(__file__).parents[3] / "book"
CALL = re.compile(r"^check\.(\w+)\((\w+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A code cell: its place in the notebook, from 0, and its source."""

    number: int
    source: str


@dataclass(frozen=True)
class Chapter:
    """What is read from a chapter's notebook.

    Args:
        name: As in "attention/attention".
        module: The checks of its exercises.
        page: The cells that every reader runs: all but solutions and checks.
        key: All cells, with solutions.
        answers: For each check the name that the notebook gives it.
    """

    name: str
    module: ModuleType
    page: tuple[Cell, ...]
    key: tuple[Cell, ...]
    answers: dict[str, str]

    @property
    def exercises(self) -> list[Exercise]:
        return exercises_of(self.module)

    @property
    def maximum(self) -> int:
        return sum(exercise.points for exercise in self.exercises)


def read_chapter(name: str, book: Path = BOOK) -> Chapter:
    """Read a chapter.

    Args:
        name: As in "attention/attention".
        book: The folder of the chapters, with solutions.

    Raises:
        FileNotFoundError: It is not there, or has no checks.
    """
    path = book / f"{name}.ipynb"
    checks = "attnoise.exercises." + name.split("/")[-1].replace("-", "_")
    if not path.is_file():
        known = sorted(str(p.relative_to(book).with_suffix("")) for p in book.glob("*/*.ipynb"))
        raise FileNotFoundError(
            f"There is no {path}. "
            + (f"Chapters: {', '.join(known)}." if known else "Name the book's folder: --book.")
        )
    try:
        module = importlib.import_module(checks)
    except ModuleNotFoundError as error:
        raise FileNotFoundError(f"The chapter {name} has no checks {checks}.") from error
    page, key = [], []
    answers: dict[str, str] = {}
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.get("tags", [])
        key.append(Cell(number, cell.source))
        if "check" in tags:
            answers.update(CALL.findall(cell.source))
        elif "solution" not in tags:
            page.append(Cell(number, cell.source))
    return Chapter(name, module, tuple(page), tuple(key), answers)
