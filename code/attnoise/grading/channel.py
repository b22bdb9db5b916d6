"""One end of the wire between examiner and student: sends and receives frames.

A frame is two big-endian u32, the lengths of its JSON and of its bytes, then both; see `wire`.
"""

import json
import socket
import struct
import time
from collections.abc import Callable

from .wire import MAX_BYTES, MAX_JSON, ProtocolError, demand

HEAD = struct.Struct(">II")
IDLE = 0.2  # seconds between two looks while waiting


class Late(Exception):
    """The other side did not answer in time."""


class Closed(Exception):
    """The other side is gone."""


class Channel:
    """One end of the wire: sends and receives frames on a socket."""

    def __init__(self, sock: socket.socket, idle: Callable[[], None] = lambda: None) -> None:
        self.sock, self.idle = sock, idle  # `idle` is called while this end waits; it may raise

    def send(self, message: dict, blob: bytes | bytearray = b"", seconds: float = 60.0) -> None:
        """Send a frame.

        Raises:
            Closed: The other side is gone.
            Late: It did not read in time.
            ProtocolError: The frame is too long.
        """
        text = json.dumps(message, allow_nan=False).encode()
        demand(len(text) <= MAX_JSON and len(blob) <= MAX_BYTES, "the frame is too long")
        self.sock.settimeout(seconds)
        try:
            self.sock.sendall(HEAD.pack(len(text), len(blob)) + text + blob)
        except TimeoutError as error:
            raise Late from error
        except OSError as error:
            raise Closed from error

    def receive(self, seconds: float | None = None) -> tuple[dict, bytes]:
        """Wait for a frame and return its JSON, a dictionary, and its bytes.

        Args:
            seconds: How long the whole frame may take; None: for ever.

        Raises:
            Closed, Late, ProtocolError: No frame came.
        """
        until = None if seconds is None else time.monotonic() + seconds
        length, size = HEAD.unpack(self.exactly(HEAD.size, until))
        demand(length <= MAX_JSON and size <= MAX_BYTES, "the frame is too long")
        text, blob = self.exactly(length, until), self.exactly(size, until)
        try:
            message = json.loads(text, parse_constant=lambda name: demand(False, name))
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"no JSON: {type(error).__name__}") from error
        demand(isinstance(message, dict), "no dictionary")
        return message, blob

    def exactly(self, length: int, until: float | None) -> bytes:
        """Read as many bytes."""
        data = bytearray()
        while len(data) < length:
            if until is not None and time.monotonic() >= until:
                raise Late
            self.sock.settimeout(None if until is None else IDLE)
            try:
                part = self.sock.recv(min(length - len(data), 1 << 20))
            except TimeoutError:
                self.idle()
                continue
            except OSError as error:
                raise Closed from error
            if not part:
                raise Closed
            data += part
        return bytes(data)

    def close(self) -> None:
        self.sock.close()
