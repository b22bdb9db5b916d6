"""Carry points from grades.csv into a learning platform's own table, for upload there.

Canvas takes the file that its gradebook exports, with one assignment's column filled in. Moodle
takes the grading worksheet of one assignment. Both keep every other column, and every row for which
there are no points, as the instructor's file has them.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .results import rows_of, write_whole

Platform = Literal["canvas", "moodle"]
Row = dict[str, str]
NUMBER = re.compile(r"\((\d+)\)(?: \[\d+\])?$")  # that `handins` puts behind a name
POSSIBLE = "points possible"
IDENTITY = ("Student", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Section")
COMMENTS = "Feedback comments"


class Unfit(ValueError):
    """A file does not hold what is needed; the message says which, and what helps."""


@dataclass
class Table:
    """A file of comma-separated values, with its own delimiter."""

    columns: list[str]
    rows: list[Row]
    delimiter: str


@dataclass
class Exported:
    """What came of an export: how many rows got points, and who did not and why."""

    count: int = 0
    left: list[str] = field(default_factory=list)


def read(path: Path, needs: Iterable[str]) -> Table:
    """Read a table whose delimiter is a comma, a semicolon or a tab.

    Raises:
        Unfit: There is no such file, or it lacks a column.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Unfit(f"{path} cannot be read as text in UTF-8: {error}") from error
    columns, rows, delimiter = rows_of(text)
    if missing := [name for name in needs if name not in columns]:
        raise Unfit(
            f"{path} has no column {', '.join(missing)}. Its columns: {', '.join(columns) or '-'}."
        )
    return Table(columns, rows, delimiter)


def write(path: Path, table: Table, columns: Sequence[str]) -> None:
    """Write some columns of a table, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, columns, delimiter=table.delimiter, lineterminator="\r\n", extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(table.rows)
    write_whole(path, text.getvalue(), "utf-8-sig")


def points_of(row: Row, columns: Sequence[str], grades: Path) -> float | None:
    """Return the sum of some columns, or None if there is no total.

    Raises:
        Unfit: One of them holds no number.
    """
    if not row["total"]:
        return None
    total = 0.0
    for name in columns:
        try:
            total += float(row[name].replace(",", ".") or 0)
        except ValueError as error:
            raise Unfit(
                f"{grades}: {row['student']} has {row[name]!r} in {name}; a number is expected."
            ) from error
    return total


def shown(points: float) -> str:
    """Return points as platforms take them: 12, 7.5."""
    return f"{round(points, 2):g}"


def canvas_names(row: Row) -> set[str]:
    """Return by what names a row of Canvas's gradebook is found."""
    last, _, first = row["Student"].partition(", ")
    given = [row.get(name, "") for name in ("ID", "SIS User ID", "SIS Login ID", "Student")]
    return {name.casefold() for name in [*given, f"{first} {last}"] if name.strip()}


def moodle_names(row: Row) -> set[str]:
    """Return by what names a row of Moodle's worksheet is found: its number, name and address."""
    number = re.search(r"\d+$", next(iter(row.values())).strip())
    given = [number[0] if number else "", row.get("Full name", ""), row.get("Email address", "")]
    return {name.casefold() for name in given if name}


def match(
    students: Iterable[str], rows: Sequence[Row], names: Callable[[Row], set[str]]
) -> tuple[dict[int, str], list[str]]:
    """Find the row of each student.

    A number that stands behind a name, as in "ada (4711)", is the platform's own and counts alone.

    Returns:
        The students by row, and what is to be said of those who have none of their own.
    """
    places: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        for name in names(row):
            places.setdefault(name, []).append(number)
    found: dict[int, list[str]] = {}
    left = []
    for student in students:
        key = NUMBER.search(student)
        where = places.get((key[1] if key else student).casefold(), [])
        if len(where) == 1:
            found.setdefault(where[0], []).append(student)
        else:
            left.append(
                f"{student}: {'no row' if not where else f'{len(where)} rows'} of this name"
            )
    for several in found.values():
        if len(several) > 1:
            left += [f"{student}: one row for {len(several)} submissions" for student in several]
    return {row: several[0] for row, several in found.items() if len(several) == 1}, left


def export(
    platform: Platform,
    grades: Path,
    table: Path,
    out: Path,
    column: str,
    points: Sequence[str] = ("total",),
    scale: bool = False,
) -> Exported:
    """Write a copy of a platform's table with the points of a class.

    Args:
        platform: "canvas" or "moodle".
        grades: The grader's grades.csv; columns may have been added to it.
        table: What the platform gave: Canvas's exported gradebook, Moodle's grading worksheet.
        out: The file to upload.
        column: The assignment's name in Canvas, or the column of grades in Moodle ("Grade").
        points: The columns of `grades` that are added up.
        scale: Whether points are scaled to the maximum that the platform has.

    Raises:
        Unfit: A file lacks what is needed, or the platform's maximum is another one.
    """
    given = read(grades, ["student", "total", "maximum", *points])
    canvas = platform == "canvas"
    theirs = read(table, ["Student", "ID"] if canvas else [column])
    name = canvas_column(theirs, column, table) if canvas else column
    # One of the platform's rows may be no student: it says how many points there can be.
    people = [row for row in theirs.rows if not canvas or is_student(row)]
    rows, left = match(
        [row["student"] for row in given.rows], people, canvas_names if canvas else moodle_names
    )
    by_name = {row["student"]: row for row in given.rows}
    done = Exported(left=left)
    for number, student in sorted(rows.items()):
        row, mine = people[number], by_name[student]
        total = points_of(mine, points, grades)
        if total is None:
            done.left.append(f"{student}: no total, see look.csv")
        elif row.get("Grade can be changed", "").casefold() == "no":
            done.left.append(f"{student}: Moodle says that this grade cannot be changed")
        else:
            full, most = float(mine["maximum"]), maximum(theirs, row, name, canvas)
            factor = fitting(full, most, scale, name)
            row[name] = shown(total * factor)
            if not canvas and not row.get(COMMENTS, "-"):
                row[COMMENTS] = mine.get("remarks", "")
            done.count += 1
    columns = [c for c in theirs.columns if c in IDENTITY or c == name]
    write(out, theirs, columns if canvas else theirs.columns)
    return done


def is_student(row: Row) -> bool:
    """Say whether a row of Canvas's gradebook is a person: those above have no number."""
    return bool(row["ID"].strip())


def canvas_column(table: Table, assignment: str, path: Path) -> str:
    """Return the full name of an assignment's column: Canvas puts its number behind.

    Raises:
        Unfit: There is none, or there are several.
    """
    known = {c: re.sub(r" \(\d+\)$", "", c) for c in table.columns if c not in IDENTITY}
    found = [c for c, short in known.items() if assignment in (c, short)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Unfit(f"{path} has several columns {assignment}; name one: {', '.join(found)}.")
    raise Unfit(
        f"{path} has no assignment {assignment!r}. It has: {', '.join(known) or 'none'}. Create it "
        "in Canvas and export the gradebook again."
    )


def maximum(table: Table, row: Row, name: str, canvas: bool) -> float | None:
    """Return how many points the platform gives at most, or None where it does not say."""
    text = row.get("Maximum Grade", "")
    if canvas:
        above = [r for r in table.rows if r["Student"].strip().casefold() == POSSIBLE]
        text = above[0][name] if above else ""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def fitting(full: float, most: float | None, scale: bool, name: str) -> float:
    """Return the factor from the chapter's points to the platform's.

    Raises:
        Unfit: They differ, and nobody said what is to be done.
    """
    if most is None or most == full:
        return 1.0
    if scale:
        return most / full
    raise Unfit(
        f"{name} gives at most {most:g} points on the platform, and the chapter has {full:g}. "
        f"Change it there to {full:g}, or scale the points: --scale."
    )
