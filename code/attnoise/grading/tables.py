"""What an instructor and the students get to read: the table, the list to look at, the pages."""

import csv
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from .chapter import Chapter
from .results import PASSED, UNGRADED, Result, file_name, rows_of, write_whole

REMARKS = 500  # characters in a cell of the table
SIGNS = {"passed": "✓", "failed": "✗", "missing": "–", "stopped": "✗", "ungraded": "?"}
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:1.5rem 0 .2rem}p{margin:.2rem 0}"""


def write_table(path: Path, results: Sequence[Result], chapter: Chapter) -> None:
    """Write grades.csv: one row per student, fit for spreadsheets, with a byte order mark.

    Columns that somebody has added to an earlier one (late, points by hand) stay, by student.
    """
    names = [exercise.name for exercise in chapter.exercises]
    columns = ["student", *names, "total", "maximum", "version", "remarks"]
    added, kept = added_columns(path, columns)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*columns, *added])
    for result in results:
        points = {mark.name: mark.points for mark in result.marks}
        row = [*(points.get(name) for name in names), result.total, result.maximum]
        shown = ["" if number is None else str(number) for number in row]
        student = harmless(result.student)
        mine = kept.pop(student, [""] * len(added))
        writer.writerow([student, *shown, result.version, remarks(result), *mine])
    for student, mine in kept.items():
        if any(mine):  # who handed in elsewhere
            writer.writerow([student, *[""] * (len(columns) - 1), *mine])
    write_whole(path, text.getvalue(), "utf-8-sig")


def added_columns(path: Path, ours: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of the columns that are not ours, and what they hold for each student.

    A spreadsheet may have written the table with semicolons.
    """
    if not path.exists():
        return [], {}
    columns, rows, _ = rows_of(path.read_text("utf-8-sig", "replace"))
    added = [name for name in columns if name and name not in ours]
    return added, {row["student"]: [row[name] for name in added] for row in rows if row["student"]}


def write_statistics(path: Path, results: Iterable[Result]) -> None:
    """Write statistics.csv: for each exercise what was said, to how many, and the seconds it took.

    The most frequent sentence comes first: it is the misconception to speak about in class.
    """
    said: dict[tuple[str, str, str], list[float]] = {}
    order: dict[str, int] = {}
    for result in results:
        for mark in result.marks:
            order.setdefault(mark.name, mark.number)
            said.setdefault((mark.name, mark.status, mark.message), []).append(mark.seconds)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["exercise", "status", "students", "median seconds", "message"])
    for (name, status, message), seconds in sorted(
        said.items(), key=lambda item: (order[item[0][0]], item[0][0], -len(item[1]), item[0])
    ):
        row = [name, status, len(seconds), f"{median(seconds):.2f}"]
        writer.writerow([*row, harmless(message[:REMARKS])])
    write_whole(path, text.getvalue(), "utf-8-sig")


def remarks(result: Result) -> str:
    """Return all that is to be said of a submission in one short line."""
    said = [f"{m.name}: {m.message}" for m in result.marks if m.status != PASSED]
    protection = [] if result.protection else ["NOT PROTECTED: graded without a sandbox"]
    line = " | ".join([*protection, *result.remarks, *said])
    return harmless(line if len(line) <= REMARKS else line[: REMARKS - 1] + "…")


def harmless(text: str) -> str:
    """Return text that a spreadsheet takes for text: no formula, no line's end, no control sign."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return "'" + text if text.lstrip()[:1] in tuple("=+-@|%") + ("\t",) else text


def write_look(path: Path, results: Iterable[Result]) -> int:
    """Write look.csv: what the grader could not run, and where it may be at fault itself.

    Returns:
        How many lines that are.
    """
    text, count = io.StringIO(), 0
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["student", "file", "why"])
    for result in results:
        broken = [f"{m.name}: {m.message}" for m in result.marks if m.status == UNGRADED]
        reasons = sorted(set(broken) | set(result.look))
        for reason in reasons:
            writer.writerow([harmless(x[:REMARKS]) for x in (result.student, result.file, reason)])
            count += 1
    write_whole(path, text.getvalue(), "utf-8-sig")
    return count


def write_feedback(folder: Path, result: Result) -> None:
    """Write one student's page: what each check said. It needs no other file."""
    parts = [f"<h1>{html.escape(result.student)}: {html.escape(result.chapter)}</h1>"]
    total = "not graded yet" if result.total is None else f"{result.total} of {result.maximum}"
    parts.append(f"<p>Points: {total}. Graded with version {html.escape(result.version)}.</p>")
    for mark in result.marks:
        points = "not graded" if mark.points is None else f"{mark.points} of {mark.maximum}"
        title = html.escape(f"{mark.number}. {mark.title}")
        parts.append(f"<h2>{title} ({points})</h2>")
        parts.append(f"<p>{SIGNS[mark.status]} {html.escape(mark.message)}</p>")
    if result.remarks:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in result.remarks)
        parts.append(f"<h2>Of your notebook</h2><ul>{items}</ul>")
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(result.chapter)}</title><style>{STYLE}</style></head><body>\n"
    )
    body = "\n".join(parts)
    write_whole(folder / f"{file_name(result.student)}.html", f"{page}{body}\n</body></html>\n")
