"""The commands that an instructor runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
from tqdm import tqdm
from tyro.conf import OmitArgPrefixes, Positional

from . import handins, platforms
from .chapter import BOOK, Chapter, read_chapter
from .classroom import Classroom, Sandbox
from .cold import Cold
from .key import KeyFails, certify, remember_seeds, remembered_seeds
from .results import Result
from .sandbox import Bubblewrap
from .session import Limits, SandboxError
from .systems import IMAGE, bare, container, missing_bubblewrap, missing_container
from .tables import write_look, write_statistics, write_table

USUAL = Limits()


def grade(
    submissions: Positional[Path],
    chapter: str,
    out: Path,
    jobs: int = os.cpu_count() or 1,
    regrade: tuple[str, ...] = (),
    seeds: int = 2,
    limits: Annotated[Limits, OmitArgPrefixes] = USUAL,
    book: Path = BOOK,
    image: str = IMAGE,
    unsafe: bool = False,
) -> None:
    """Grade a folder of submitted notebooks with the book's own checks.

    Each submission runs in a sandbox. Where bubblewrap is missing, it runs in a container of its
    own (--image); where that is missing as well, nothing is graded. Killed at any moment, the same
    command goes on where it was. The exit status is 0 if the class was graded.

    Args:
        submissions: The notebooks, as the learning platform hands them out.
        chapter: As in attention/attention.
        out: Where grades.csv, look.csv, statistics.csv, results/ and feedback/ go. Columns that
            you add to grades.csv stay there when you grade again.
        jobs: How many submissions are graded at a time.
        regrade: Students who are graded anew, as grades.csv names them.
        seeds: With how many secret seeds functions are checked, two at least.
        limits: What one submission may use.
        book: The folder of the book's chapters, with solutions.
        image: The container's image, if containers are used.
        unsafe: Grade without any sandbox where there is none. Students' code can then do all that
            you can do; every row says so.
    """
    torch.set_num_threads(1)  # examiners are forks, and threads do not survive a fork
    tqdm.monitor_interval = 0
    if not submissions.is_dir():
        raise SystemExit(f"{submissions} is not a folder of notebooks.")
    found = handins.find(submissions, chapter)
    if not found:
        raise SystemExit(f"{submissions} holds no .ipynb file, and no folder with one.")
    unknown = set(regrade) - {handin.student for handin in found}
    if unknown:
        raise SystemExit(f"--regrade: nobody is called {', '.join(sorted(unknown))}.")
    if seeds < 2 or jobs < 1:
        raise SystemExit("--seeds must be 2 or more, and --jobs 1 or more.")
    try:
        read = read_chapter(chapter, book)
        known = remembered_seeds(out, read)
        hidden = [p.resolve() for p in (book, book.parent / "tests", submissions, out)]
        make = sandboxes(read, hidden, image, unsafe)
        results = grade_class(read, make, found, (submissions, out), known, seeds, limits)(
            jobs, regrade
        )
    except (FileNotFoundError, ValueError, SandboxError, KeyFails) as error:
        raise SystemExit(str(error)) from error
    report(read, results, out)


def grade_class(
    chapter: Chapter,
    make: Callable[[], Sandbox],
    found: list[handins.Handin],
    folders: tuple[Path, Path],
    known: list[int],
    count: int,
    limits: Limits,
) -> Callable[[int, tuple[str, ...]], list[Result]]:
    """Return what grades a class: the key first, then all submissions, with a bar of progress."""

    def run(jobs: int, again: tuple[str, ...]) -> list[Result]:
        submissions, out = folders
        print(f"{chapter.name}: running the chapter's own cells and its key ...", flush=True)
        box = make()
        try:
            for line in box.failed_cells:
                print(f"  the chapter's {line}")
            certified = certify(chapter, box, count, known)
            remember_seeds(out, chapter, certified)
            with tqdm(total=len(found), unit="student", dynamic_ncols=True) as bar:
                room = Classroom(chapter, box, certified, limits, submissions, out, make)
                room.told = lambda result: (bar.update(), None)[1]
                try:
                    return room.grade(found, jobs, again)
                finally:
                    box = room.sandbox
        finally:
            box.close()

    return run


def sandboxes(
    chapter: Chapter, hidden: list[Path], image: str, unsafe: bool
) -> Callable[[], Sandbox]:
    """Return what makes a sandbox on this system, the strongest that it has.

    Raises:
        SandboxError: It has none, and nobody said that none is needed.
    """
    without = missing_bubblewrap()
    if not without:
        return lambda: Bubblewrap(chapter, hidden)
    engine, none = missing_container(image)
    if engine:
        print(f"{without}\nEach submission runs in a container of its own ({engine}) instead.")
        return lambda: Cold(chapter, container(engine, image), engine)
    if unsafe:
        print(f"{without}\n{none}\nUNSAFE: students' code runs with all rights that you have.")
        return lambda: Cold(chapter, bare(), "")
    raise SandboxError(
        f"{without}\n{none}\nNothing was graded: students' code would run with all rights that you "
        "have. If you trust all of them, say --unsafe."
    )


def export(
    platform: Positional[platforms.Platform],
    grades: Positional[Path],
    table: Positional[Path],
    out: Path,
    column: str | None = None,
    points: tuple[str, ...] = ("total",),
    scale: bool = False,
) -> None:
    """Carry the points of grades.csv into your learning platform's own table, for upload there.

    Args:
        platform: canvas or moodle.
        grades: The grades.csv that grading wrote.
        table: From Canvas: Gradebook, Export. From Moodle: the assignment's grading worksheet.
        out: The file to write and to upload.
        column: The assignment's name in Canvas. In Moodle the column of the grades, which has
            another name than "Grade" if your Moodle speaks another language.
        points: The columns of grades.csv to be added up, your own among them: total late.
        scale: Scale to the platform's maximum, where it differs from the chapter's.
    """
    if platform == "canvas" and column is None:
        raise SystemExit("Say to which assignment of Canvas the points belong: --column NAME.")
    if out.exists() and out.samefile(table):
        raise SystemExit(f"--out is {table} itself. Name another file.")
    try:
        done = platforms.export(platform, grades, table, out, column or "Grade", points, scale)
    except platforms.Unfit as error:
        raise SystemExit(str(error)) from error
    print(f"{out}: {done.count} students have points")
    for line in done.left:
        print(f"  left as it was: {line}")


def report(chapter: Chapter, results: list[Result], out: Path) -> None:
    """Write the tables, and say what was found."""
    write_table(out / "grades.csv", results, chapter)
    write_statistics(out / "statistics.csv", results)
    lines = write_look(out / "look.csv", results)
    totals = [result.total for result in results if result.total is not None]
    print(f"{out / 'grades.csv'}: {len(results)} students", end="")
    if totals:
        print(f", mean {sum(totals) / len(totals):.1f} of {chapter.maximum}")
    else:
        print()
    if ungraded := [result.student for result in results if result.total is None]:
        print(f"Without a total, since the grader could not run them: {', '.join(ungraded)}")
    if lines:
        print(f"{out / 'look.csv'}: {lines} things to look at")
