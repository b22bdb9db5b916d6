"""Find each student's notebook in a folder as a learning platform hands it out.

flat                ada.ipynb
Moodle              Ada Lovelace_4711_assignsubmission_file/attention.ipynb
Canvas              lovelaceada_LATE_4711_90210_attention-1.ipynb, all in one folder
nbgrader            submitted/ada/attention/attention.ipynb
GitHub Classroom    attention-ada/book/attention/attention.ipynb, a clone for each student
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

CANVAS = re.compile(r"^(?P<name>[^_]+)(?:_LATE)?_(?P<user>\d+)_(?P<file>\d+)_.+$")
MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_\w+$")


@dataclass(frozen=True)
class Handin:
    """A student's submission.

    Args:
        student: A name that no other submission has.
        path: The notebook, or None if there is none.
        remarks: What is odd about it.
    """

    student: str
    path: Path | None
    remarks: list[str] = field(default_factory=list)


def find(folder: Path, chapter: str) -> list[Handin]:
    """List the submissions in a folder, sorted by student.

    Args:
        folder: As it was downloaded and unpacked.
        chapter: As in "attention/attention": among several notebooks the one of this name counts.
    """
    top = folder / "submitted" if (folder / "submitted").is_dir() else folder
    found = [Handin(student_of(path), path) for path in notebooks(top.iterdir())]
    for place in sorted(path for path in top.iterdir() if is_folder(path)):
        found.append(of_folder(place, chapter))
    return sorted(named_apart(found), key=lambda handin: handin.student)


def student_of(path: Path) -> str:
    """Return a student's name from the name of a file or a folder."""
    name = path.stem if path.suffix == ".ipynb" else path.name
    if match := MOODLE.match(name):
        return f"{match['name']} ({match['id']})"
    if match := CANVAS.match(name):
        return f"{match['name']} ({match['user']})"
    return name


def of_folder(place: Path, chapter: str) -> Handin:
    """Choose a student's notebook in the student's folder."""
    student, inside = student_of(place), sorted(notebooks(place.rglob("*.ipynb")))
    inside = [path for path in inside if not hidden(path.relative_to(place))]
    if not inside:
        return Handin(student, None, ["there is no notebook in this folder"])
    name = chapter.split("/")[-1]
    exact = [path for path in inside if path.with_suffix("").as_posix().endswith(chapter)]
    alike = [path for path in inside if path.stem == name]
    near = [path for path in inside if name in path.stem.lower()]
    for some in (exact, alike, near, inside):
        if len(some) == 1:
            return Handin(student, some[0])
        if some:
            newest = max(some, key=lambda path: path.stat().st_mtime)
            return Handin(student, newest, [f"of {len(some)} notebooks the newest was graded"])
    raise AssertionError("some is inside in the end")


def notebooks(paths: Iterable[Path]) -> list[Path]:
    """Return the notebooks among some paths. Links are left out: they may lead anywhere."""
    return [
        path
        for path in paths
        if path.suffix == ".ipynb"
        and path.is_file()
        and not path.is_symlink()
        and not path.name.startswith(".")
    ]


def is_folder(path: Path) -> bool:
    """Say whether something is a folder of its own: no link, not hidden."""
    return path.is_dir() and not path.is_symlink() and not hidden(Path(path.name))


def hidden(path: Path) -> bool:
    """Say whether some part of a path is what systems hide."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def named_apart(handins: list[Handin]) -> list[Handin]:
    """Give submissions of one name numbers, and say so."""
    seen: dict[str, int] = {}
    apart = []
    for handin in handins:
        count = seen[handin.student] = seen.get(handin.student, 0) + 1
        if count == 1:
            apart.append(handin)
        else:
            remark = f"another submission has the name {handin.student}, too"
            name = f"{handin.student} [{count}]"
            apart.append(Handin(name, handin.path, [*handin.remarks, remark]))
    return apart
