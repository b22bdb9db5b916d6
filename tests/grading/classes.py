"""Makes classes of submissions, and grades them through the command."""

import copy
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"


def cells_of(chapter, book=BOOK):
    """Return a chapter's notebook."""
    return nbformat.read(book / f"{chapter}.ipynb", as_version=4)


def short_book(folder, chapter):
    """Write a book with one chapter: its imports and exercises alone, which start in seconds."""
    notebook = cells_of(chapter)
    keep, exercises = [], False
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        exercises = exercises or "import" in cell.source and "attnoise.exercises" in cell.source
        first = cell.cell_type == "code" and not keep and "setup" not in tags
        if exercises or first:
            keep.append(cell)
    notebook.cells = keep
    path = folder / f"{chapter}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return folder


def stubbed(notebook):
    """Return the student edition of a notebook."""
    from students import student_edition

    return student_edition(notebook)[0]


def answered(notebook, **sources):
    """Return a notebook with solutions in which some exercises have another source.

    Args:
        sources: By the name of the check, what stands in the cell before it.
    """
    made = copy.deepcopy(notebook)
    before = None
    for cell in made.cells:
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            before = cell
        if "check" in tags:
            name = cell.source.split("check.")[1].split("(")[0]
            if name in sources:
                before.source = sources[name]
    return made


def with_cell(notebook, source, last=False):
    """Return a notebook with one more cell, before its first exercise or at its end."""
    made = copy.deepcopy(notebook)
    first = next(i for i, c in enumerate(made.cells) if "solution" in c.metadata.get("tags", []))
    made.cells.insert(len(made.cells) if last else first, new_code_cell(source))
    return made


def notebook_of(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def write(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), "utf-8")


def command(submissions, out, *options):
    return [
        *(sys.executable, "-m", "attnoise.grading", "grade", str(submissions)),
        *("--out", str(out), *map(str, options)),
    ]


def grade(submissions, out, *options, seconds=1800):
    """Run the command, and return the finished process."""
    return subprocess.run(
        command(submissions, out, *options),
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def table(out):
    """Return the rows of grades.csv by student."""
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def looked_at(out):
    """Return look.csv: for each student what an instructor should look at."""
    found: dict[str, list[str]] = {}
    with (out / "look.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["student"], []).append(row["why"])
    return found
