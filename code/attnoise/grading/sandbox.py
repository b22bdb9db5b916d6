"""Where submissions run: in bubblewrap, in a container for each, or, if told so, unprotected.

All three hand out a `Remote` for each submission. What is visible inside is read-only: Python, its
packages, and this package without answers. There is no network, and of the grader's files nothing.
"""

import array
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from .channel import Channel, Closed, Late
from .chapter import Chapter
from .session import Life, Limits, SandboxError, Session
from .staging import stage
from .view import bubblewrap
from .wire import ProtocolError

START_SECONDS = 900.0  # a chapter trains small networks


class Bubblewrap:
    """One sandbox for a chapter; each submission runs in a fork of it, in namespaces of its own."""

    safe = True
    name = "bubblewrap"

    def __init__(self, chapter: Chapter, hidden: Iterable[Path] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="attnoise-grading-"))
        self.folder.chmod(0o755)
        self.log = (self.folder / "log").open("w+")
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ready, far = socket.socketpair()
        inside = [control.fileno(), far.fileno()]
        command = [*bubblewrap(stage(self.folder), hidden), *map(str, inside)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            pass_fds=inside,
            env={"PATH": os.defpath},
        )
        control.close()
        far.close()
        try:
            self.failed_cells = tuple(introduce(Channel(ready), chapter))
        except SandboxError as error:
            self.close()
            raise error
        finally:
            ready.close()

    def alive(self) -> bool:
        return self.process.poll() is None

    def open(self, limits: Limits, left: float, cpu: float) -> Session:
        """Start a submission.

        Args:
            limits: What it may use.
            left: Seconds that are left to it.
            cpu: Computing seconds that are left to it.

        Raises:
            SandboxError: The sandbox is gone.
        """
        wire, its_wire = socket.socketpair()
        life, its_life = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds = array.array("i", [its_wire.fileno(), its_life.fileno()])
        message = json.dumps({**asdict(limits), "cpu": cpu}).encode()
        try:
            self.control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        except OSError as error:
            raise SandboxError("the chapter's sandbox has ended") from error
        finally:
            its_wire.close()
            its_life.close()
        return Session(wire, Life(life), left, limits)

    def close(self) -> None:
        """End the sandbox and everything in it."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def introduce(channel: Channel, chapter: Chapter) -> list[str]:
    """Send the chapter's cells to a new sandbox, and return which of them failed there.

    Raises:
        SandboxError: It did not start.
    """
    cells = [[cell.number, cell.source] for cell in chapter.page]
    message = {"cells": cells, "checks": chapter.module.__name__, "warm": []}
    try:
        channel.send(message)
        reply, _ = channel.receive(START_SECONDS)
    except (Closed, Late, ProtocolError) as error:
        raise SandboxError(f"The sandbox did not start ({type(error).__name__}).") from error
    return [str(line) for line in reply.get("failed", [])]
