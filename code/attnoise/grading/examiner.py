"""Examine one submission: run its cells in a sandbox, and check its answers."""

import json
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..exercises import Exercise
from ..exercises.inputs import secret_inputs
from .chapter import Cell, Chapter
from .proxies import Proxy
from .remote import MISSING as NOTHING
from .remote import Gone
from .results import FAILED, MISSING, PASSED, STOPPED, UNGRADED, Mark
from .session import Limits, SandboxError, Session

MAX_FILE = 32 * 1024**2
MAX_CELLS, MAX_SOURCE = 2000, 500_000
MESSAGE = 2000
STRANGE = ("NameError", "ModuleNotFoundError", "ImportError", "FileNotFoundError")


class Unreadable(Exception):
    """The file is no notebook; the message says why, for the table."""


class Opens(Protocol):
    """What hands out sessions: a sandbox."""

    def open(self, limits: Limits, left: float, cpu: float) -> Session: ...


def read_cells(data: bytes) -> list[Cell]:
    """Return a notebook's code cells, whatever its metadata look like.

    Raises:
        Unreadable: It has none.
    """
    if len(data) > MAX_FILE:
        raise Unreadable(f"the file has more than {MAX_FILE // 1024**2} MB")
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"this is no notebook: {type(error).__name__}") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("this is no notebook: it has no list of cells")
    found = []
    for number, cell in enumerate(cells):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source")
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if isinstance(source, str) and len(source) <= MAX_SOURCE:
            source = source.replace("\r\n", "\n").replace("\r", "\n")
            found.append(Cell(number, source.encode("utf-8", "replace").decode("utf-8")))
    if len(found) > MAX_CELLS:
        raise Unreadable(f"the notebook has more than {MAX_CELLS} code cells")
    return found


def work_of(cells: Sequence[Cell], chapter: Chapter) -> list[Cell]:
    """Return the cells that the sandbox has not run yet: all but the chapter's own."""
    known = {cell.source.strip() for cell in chapter.page}
    return [cell for cell in cells if cell.source.strip() and cell.source.strip() not in known]


@dataclass
class Examination:
    """Examines one submission; afterwards `marks`, `remarks` and `look` hold what was found.

    A cell or a call that hangs, or that kills its process, is left out, and all that is not yet
    examined is run once more without it. So it costs its own exercise, as long as the limits of the
    whole submission allow.

    Args:
        chapter: What is graded.
        sandbox: Where the submission runs.
        seeds: The secret seeds with which functions are checked, besides the public inputs.
        limits: What the submission may use.
    """

    chapter: Chapter
    sandbox: Opens
    seeds: Sequence[int]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.marks = {e.name: Mark(e.name, e.number, e.title, e.points) for e in self.exercises()}
        self.remarks: list[str] = []
        self.look: list[str] = []
        self.left_out: set[int] = set()
        self.done: set[tuple[str, str]] = set()  # what was asked: exercise, and when
        self.cpu = 0.0
        self.session: Session | None = None

    def exercises(self) -> list[Exercise]:
        return self.chapter.exercises

    def run(self, cells: Sequence[Cell]) -> None:
        """Examine a submission's cells."""
        until = time.monotonic() + self.limits.wall
        work = work_of(cells, self.chapter)
        while True:
            left, cpu = until - time.monotonic(), self.limits.cpu - self.cpu
            if left <= 0 or cpu <= 0:
                return self.give_up("the submission as a whole used up the time it may use")
            self.session = self.sandbox.open(self.limits, left, cpu)
            try:
                self.once(work)
                return
            except Gone:
                if self.session.life.fault:
                    raise SandboxError(self.session.life.end) from None
            finally:
                self.session.life.listen()
                self.cpu += self.session.life.cpu
                self.session.close()

    def once(self, work: Sequence[Cell]) -> None:
        """Run all cells that are not left out, and ask after each what is to be asked there."""
        self.errors: dict[int, tuple[str, str]] = {}
        last = {name: number for number, name in asked_in(work, self.marks)}
        for cell in work:
            if cell.number in self.left_out:
                continue
            self.guarded(cell)
            for exercise in self.exercises():
                if last.get(exercise.name) == cell.number:
                    self.ask(exercise, "then")
        for exercise in self.exercises():
            if self.marks[exercise.name].status not in (PASSED, STOPPED):
                self.ask(exercise, "last")
        for number, (kind, text) in self.errors.items():
            self.remarks.append(f"cell {number + 1} stopped with {kind}: {text[:200]}")
        self.suspect()

    def guarded(self, cell: Cell) -> None:
        """Run a cell; if it takes its process with it, leave it out from now on."""
        assert self.session is not None
        try:
            error, _ = self.session.cell(cell.source)
        except Gone as gone:
            self.left_out.add(cell.number)
            self.remarks.append(f"cell {cell.number + 1} was left out: {gone}")
            raise
        if error:
            self.errors[cell.number] = error

    def ask(self, exercise: Exercise, when: str) -> None:
        """Examine an exercise, unless that was done: at its check and after the last cell."""
        if (exercise.name, when) in self.done:
            return
        self.done.add((exercise.name, when))
        mark, began = self.marks[exercise.name], time.monotonic()
        try:
            verdict = self.verdict(exercise, when)
        except Gone as gone:
            mark.status, mark.message = STOPPED, f"stopped: {gone}"
            raise
        finally:
            mark.seconds += round(time.monotonic() - began, 3)
        if verdict is not None and (verdict[0] == PASSED or mark.status == MISSING):
            mark.status, mark.message = verdict

    def verdict(self, exercise: Exercise, when: str) -> tuple[str, str] | None:
        """Put a check to an answer: with its public inputs, and a function with secret ones too."""
        assert self.session is not None
        if when == "then":
            answer = self.session.answer(check=exercise.name)
        else:
            answer = self.session.answer(name=self.chapter.answers[exercise.name])
        if answer is NOTHING:
            return None
        hidden = list(self.seeds) if isinstance(answer, Proxy) else []
        for seed in (None, *hidden):
            with nullcontext() if seed is None else secret_inputs(seed):
                verdict = exercise.check(answer)
            if not verdict:
                return FAILED, verdict.message[:MESSAGE]
        return PASSED, verdict.message[:MESSAGE]

    def give_up(self, why: str) -> None:
        """Mark all that was not examined."""
        for mark in self.marks.values():
            if mark.status == MISSING:
                mark.status, mark.message = STOPPED, why
        self.remarks.append(why)

    def suspect(self) -> None:
        """Note what may be the grader's fault: names and files that the student's notebook had."""
        for mark in self.marks.values():
            if mark.status == FAILED and any(f"with {kind}:" in mark.message for kind in STRANGE):
                self.look.append(f"{mark.name}: {mark.message}")
        if all(mark.status == PASSED for mark in self.marks.values()):
            return
        for number, (kind, text) in self.errors.items():
            if kind in STRANGE:
                self.look.append(f"cell {number + 1} stopped with {kind}: {text[:200]}")


def asked_in(work: Sequence[Cell], names: Any) -> list[tuple[int, str]]:
    """List which cells call which checks, in order."""
    found = []
    for cell in work:
        for name in re.findall(r"\bcheck\.(\w+)\s*\(", cell.source):
            if name in names:
                found.append((cell.number, name))
    return found


def ungraded(chapter: Chapter, why: str) -> list[Mark]:
    """Return marks without points, for what the grader could not run."""
    return [Mark(e.name, e.number, e.title, e.points, UNGRADED, why) for e in chapter.exercises]
