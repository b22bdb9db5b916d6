"""One submission in its sandbox: what it may use, what it has used, and how it is asked."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from .channel import Channel
from .remote import Gone, Remote

REQUEST = 1 / 3  # of a submission's time, both kinds, for one cell or one call


class SandboxError(Exception):
    """No sandbox can be had, or the sandbox has failed."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use, all its processes together.

    Args:
        cpu: Computing seconds.
        wall: Seconds from its first cell to its last answer.
        memory: MiB beyond what the chapter's own cells hold.
        processes: How many there may be at a time, threads counted.
    """

    cpu: float = 60.0
    wall: float = 180.0
    memory: int = 2048
    processes: int = 64


class Life:
    """The examiner's end of a submission: what its keeper tells, and what keeps it alive."""

    def __init__(self, sock: socket.socket | None, stop: Callable[[], None] = lambda: None) -> None:
        self.sock, self.stop = sock, stop
        self.cpu, self.end, self.fault = 0.0, "", False

    def listen(self, seconds: float = 0.0) -> None:
        """Take in what the keeper has told."""
        if self.sock is None:
            return
        self.sock.settimeout(seconds)
        try:
            while news := self.sock.recv(1000):
                told = json.loads(news)
                self.cpu = max(self.cpu, told.get("cpu", 0.0))
                self.end = told.get("end", self.end)
                self.fault = told.get("fault", self.fault)
                self.sock.settimeout(0.0)
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        """End everything that the submission has started."""
        if self.sock is not None:
            self.sock.close()
        self.stop()


class Session(Remote):
    """A submission's worker, with what it has used."""

    def __init__(self, wire: socket.socket, life: Life, left: float, limits: Limits) -> None:
        super().__init__(Channel(wire, self.look), 0.0)
        self.life, self.last, self.before = life, time.monotonic() + left, 0.0
        self.wall, self.allowed = REQUEST * limits.wall, REQUEST * limits.cpu

    def ask(self, message: dict, blob: bytes | bytearray = b"") -> tuple[dict, bytes]:
        if self.depth == 0:
            self.life.listen()
            self.before = self.life.cpu
            self.seconds = max(min(self.wall, self.last - time.monotonic()), 0.1)
        try:
            return super().ask(message, blob)
        except Gone as gone:
            self.life.listen(1.0)
            raise Gone(self.life.end or str(gone)) from gone

    def look(self) -> None:
        """Called while waiting: has this request used up its computing time?"""
        self.life.listen()
        if self.life.cpu - self.before > self.allowed:
            raise Gone(f"it did not come back in {self.allowed:g} s of computing")

    def close(self) -> None:
        self.channel.close()
        self.life.close()
