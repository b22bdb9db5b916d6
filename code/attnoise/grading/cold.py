"""A process or a container for each submission: what is used where there is no bubblewrap."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from .channel import Channel
from .chapter import Chapter
from .sandbox import START_SECONDS, introduce
from .session import Life, Limits, SandboxError, Session
from .staging import PACKAGE, stage

BASE_MEMORY = 1024  # MiB that a chapter itself may hold in a container


class Cold:
    """A process or a container for each submission, which runs the chapter's cells itself."""

    failed_cells: tuple[str, ...] = ()

    def __init__(self, chapter: Chapter, command: list[str], name: str) -> None:
        self.chapter, self.command, self.name, self.safe = chapter, command, name, bool(name)
        self.folder = Path(tempfile.mkdtemp(prefix="attnoise-grading-"))
        self.folder.chmod(0o755)
        stage(self.folder)

    def alive(self) -> bool:
        return True

    def open(self, limits: Limits, left: float, cpu: float) -> Session:
        """Start a submission; see `Bubblewrap.open`."""
        near, far = socket.socketpair()
        filled: dict[str, str | int | Path] = {
            "exercises": self.folder / "exercises",
            "memory": limits.memory + BASE_MEMORY,
            "processes": limits.processes,
            "seconds": int(START_SECONDS + left),
            "name": f"attnoise-grading-{secrets.token_hex(8)}",
        }
        process = subprocess.Popen(
            [part.format(**filled) for part in self.command],
            stdin=far.fileno(),
            stdout=far.fileno(),
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        far.close()

        def stop() -> None:
            if self.safe:  # to end the program that shows a container does not end the container
                subprocess.run([self.name, "kill", str(filled["name"])], capture_output=True)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

        try:
            introduce(Channel(near), self.chapter)
        except SandboxError:
            stop()
            raise
        return Session(near, Life(None, stop), left, limits)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
