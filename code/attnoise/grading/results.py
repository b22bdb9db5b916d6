"""What grading finds about one student, and the file in which that is kept."""

import csv
import hashlib
import io
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

PASSED, FAILED, MISSING, STOPPED, UNGRADED = "passed", "failed", "missing", "stopped", "ungraded"


@dataclass
class Mark:
    """What is found about one exercise.

    Args:
        name, number, title: The exercise's.
        maximum: Points for a right answer.
        status: "passed", "failed", "missing", "stopped" (the answer used up what it may use) or
            "ungraded" (the grader's own fault: such an exercise has no points, not zero points).
        message: What the check said.
        seconds: How long the examiner waited.
    """

    name: str
    number: int
    title: str
    maximum: int
    status: str = MISSING
    message: str = "no answer was found"
    seconds: float = 0.0

    @property
    def points(self) -> int | None:
        if self.status == UNGRADED:
            return None
        return self.maximum if self.status == PASSED else 0


@dataclass
class Result:
    """What is found about one submission.

    Args:
        student: Name, as the learning platform wrote it into the file's or folder's name.
        file: Path of the notebook, seen from the folder of submissions.
        digest: Of the notebook and of all that decides about it; another one is graded anew.
        chapter, version: What was graded, with which version of the package.
        protection: What the submission ran in.
        marks: One per exercise.
        remarks: What else is to be said, of the file or of its cells.
        look: What an instructor should look at, since the grader may have been at fault.
    """

    student: str
    file: str
    digest: str
    chapter: str
    version: str
    protection: str
    marks: list[Mark] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def total(self) -> int | None:
        points = [mark.points for mark in self.marks]
        known = [p for p in points if p is not None]
        return sum(known) if len(known) == len(points) and points else None

    @property
    def maximum(self) -> int:
        return sum(mark.maximum for mark in self.marks)

    def to_json(self) -> str:
        found = {**asdict(self), "total": self.total, "maximum": self.maximum}
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str) -> Result:
    """Read a result.

    Raises:
        ValueError, TypeError, KeyError: The text holds none.
    """
    found = json.loads(text)
    marks = [Mark(**mark) for mark in found.pop("marks")]
    del found["total"], found["maximum"]
    return Result(**found, marks=marks)


def write_whole(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write a file so that at any moment the old one or the new one stands there, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding=encoding, errors="backslashreplace", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def rows_of(text: str) -> tuple[list[str], list[dict[str, str]], str]:
    """Read a table whose delimiter is a comma, a semicolon or a tab, as spreadsheets write them.

    Returns:
        The names of its columns, its rows, and the delimiter. What a row lacks is empty.
    """
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = list(reader.fieldnames or [])
    return columns, [{name: row.get(name) or "" for name in columns} for row in reader], delimiter


def file_name(student: str) -> str:
    """Return a file's name for a student: readable, safe on every system, and of no one else."""
    readable = re.sub(r"[^\w.-]+", "_", student).strip("._")[:60] or "student"
    return f"{readable}-{hashlib.sha256(student.encode('utf-8', 'replace')).hexdigest()[:8]}"


def load(folder: Path) -> dict[str, Result]:
    """Return the results in a folder by student; what is damaged is left out, and graded again."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            result = from_json(path.read_text("utf-8"))
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            continue
        found[result.student] = result
    return found
