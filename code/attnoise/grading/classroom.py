"""Grade a class: the key first, then each submission in an examiner of its own, some at a time."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .chapter import Chapter
from .cold import Cold
from .examiner import MAX_FILE, Examination, Unreadable, read_cells, ungraded
from .handins import Handin
from .key import digest_of, release, rules
from .nest import MIB, die_with_parent
from .results import Result, file_name, from_json, load, write_whole
from .sandbox import Bubblewrap
from .session import Limits, SandboxError
from .tables import write_feedback

EXAMINER_MEMORY = 3072  # MiB beyond what the grader itself holds
GRACE = 30.0  # seconds that an examiner may take beyond its submission
RESTARTS = 3
Sandbox = Bubblewrap | Cold


@dataclass
class Classroom:
    """Grades submissions into a folder.

    Args:
        chapter, sandbox, seeds, limits: See `Examination`.
        submissions: The folder that was given out, to which files' names refer.
        out: Where `results/` and `feedback/` go.
        restart: Makes a new sandbox if this one has died.
        told: Called with each result as soon as it is on disk.
    """

    chapter: Chapter
    sandbox: Sandbox
    seeds: Sequence[int]
    limits: Limits
    submissions: Path
    out: Path
    restart: Callable[[], Sandbox]
    told: Callable[[Result], None] = lambda result: None
    restarts: int = 0
    running: dict[int, "Running"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules = rules(self.chapter) + str([*self.seeds, self.limits])
        for name in ("results", "feedback"):
            (self.out / name).mkdir(parents=True, exist_ok=True)

    def grade(
        self, handins: Sequence[Handin], jobs: int, again: Sequence[str] = ()
    ) -> list[Result]:
        """Grade what has not been graded yet, and return the results of all.

        Args:
            handins: The submissions.
            jobs: How many are graded at a time.
            again: Students who are graded anew.
        """
        kept, waiting = load(self.out / "results"), []
        for handin in handins:
            old = kept.get(handin.student)
            if old and old.digest == self.digest(handin) and handin.student not in again:
                self.told(old)
            else:
                waiting.append(handin)
        waiting.reverse()
        found = {}
        try:
            while waiting or self.running:
                while waiting and len(self.running) < jobs:
                    self.start(waiting.pop())
                for result in self.collect():
                    found[result.student] = result
        finally:
            for number, running in self.running.items():
                os.kill(running.pid, signal.SIGKILL)
                os.waitpid(running.pid, 0)
                os.close(number)
        return [found.get(h.student) or kept[h.student] for h in handins]

    def digest(self, handin: Handin) -> str:
        return digest_of(self.rules, data_of(handin), self.sandbox.name, *handin.remarks)

    def blank(self, handin: Handin) -> Result:
        """Return a result without marks."""
        file = handin.path.relative_to(self.submissions).as_posix() if handin.path else ""
        protection = self.sandbox.name if self.sandbox.safe else ""
        return Result(
            handin.student, file, self.digest(handin), self.chapter.name, release(), protection
        )

    def start(self, handin: Handin) -> None:
        """Start an examiner for a submission."""
        if not self.sandbox.alive():
            if self.restarts == RESTARTS:
                raise SandboxError(f"The chapter's sandbox died {RESTARTS + 1} times.")
            self.restarts += 1
            self.sandbox.close()
            self.sandbox = self.restart()
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        parent, pid = os.getpid(), os.fork()
        if not pid:
            os.close(reading)
            examine_alone(self, handin, writing, parent)
        os.close(writing)
        until = time.monotonic() + self.limits.wall + 2 * GRACE
        self.running[reading] = Running(pid, handin, until)

    def collect(self) -> list[Result]:
        """Wait until some examiner says something; return the results of those that are done."""
        ready, _, _ = select.select(list(self.running), [], [], 0.2)
        done = []
        for number, running in list(self.running.items()):
            if number in ready and (part := os.read(number, 1 << 20)):
                running.text += part
                continue
            if number not in ready and time.monotonic() < running.until:
                continue
            if number not in ready:
                os.kill(running.pid, signal.SIGKILL)
            _, status = os.waitpid(running.pid, 0)
            os.close(number)
            del self.running[number]
            done.append(self.finish(running, status))
        return done

    def finish(self, running: "Running", status: int) -> Result:
        """Write what an examiner has found; if it has died, write that."""
        try:
            result = from_json(running.text.decode("utf-8", "replace"))
        except (ValueError, TypeError, KeyError):
            result = self.blank(running.handin)
            code = os.waitstatus_to_exitcode(status)
            why = f"the grader's own process ended (code {code}) while it examined this submission"
            result.marks = ungraded(self.chapter, why)
        result.remarks = [*running.handin.remarks, *result.remarks]
        name = file_name(result.student)
        write_whole(self.out / "results" / f"{name}.json", result.to_json())
        write_feedback(self.out / "feedback", result)
        self.told(result)
        return result


@dataclass
class Running:
    """An examiner at work: its process, its submission, what it has written, its last moment."""

    pid: int
    handin: Handin
    until: float
    text: bytes = b""


def data_of(handin: Handin) -> bytes:
    """Return a notebook's bytes: a little more than may be, if there are too many."""
    if handin.path is None:
        return b""
    try:
        with handin.path.open("rb") as file:
            return file.read(MAX_FILE + 1)
    except OSError as error:
        return f"!{error.errno}".encode()


def examine_alone(room: Classroom, handin: Handin, writing: int, parent: int) -> None:
    """In a process of its own: examine a submission, write the result, and end."""
    try:
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        limit_examiner(room.limits)
        text = examined(room, handin).to_json().encode("utf-8", "backslashreplace")
        while text:
            text = text[os.write(writing, text) :]
    except BaseException as error:
        print(f"{handin.student}: {type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def examined(room: Classroom, handin: Handin) -> Result:
    """Return the result of one submission."""
    result = room.blank(handin)
    if handin.path is None:
        result.marks = ungraded(room.chapter, "there is no notebook")
        return result
    examination = Examination(room.chapter, room.sandbox, room.seeds, room.limits)
    try:
        examination.run(read_cells(data_of(handin)))
    except Unreadable as error:
        result.marks = ungraded(room.chapter, str(error))
        return result
    except SandboxError as error:
        result.marks = ungraded(room.chapter, f"the sandbox failed: {error}")
        return result
    result.marks = list(examination.marks.values())
    result.remarks, result.look = examination.remarks, examination.look
    result.cpu = round(examination.cpu, 2)
    return result


def limit_examiner(limits: Limits) -> None:
    """Bound what an examiner itself may use, whatever a submission makes it do."""
    import resource

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(limits.wall + GRACE))
    statm = Path("/proc/self/statm")
    if statm.exists():
        size = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
        most = size + EXAMINER_MEMORY * MIB
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
