"""The sandbox's first process: runs the chapter's cells once, then forks for each submission.

No student's code ever runs in this process. It is started by `sandbox`, with the number of a
socket: `python -m attnoise.grading.zygote 5`. With `--alone` it serves one submission itself, for
containers, which are started anew for each, and for what is graded without any sandbox.
"""

import array
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from . import nest
from .channel import Channel
from .worker import Worker, make_shell, run_cell

MAX_MESSAGE = 4096


@contextmanager
def ended_with(examiner: socket.socket) -> Iterator[None]:
    """End this process, and so the whole sandbox, if the examiner goes before the block ends."""
    done, look = threading.Event(), select.poll()
    look.register(examiner, select.POLLRDHUP)

    def watch() -> None:
        while not done.is_set():
            if look.poll(200) and not done.is_set():  # milliseconds
                os._exit(1)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def prepare(channel: Channel) -> Any:
    """Run the chapter's cells as the examiner sends them, and return the shell and the checks."""
    with ended_with(channel.sock):
        shell, checks, failed = run_chapter(channel)
    # After the watch has ended: the examiner may hang up as soon as it has read this.
    channel.send({"is": "ready", "failed": failed})
    return shell, checks


def run_chapter(channel: Channel) -> Any:
    """Run the cells, import the checks, and return the shell, the checks and the failed cells."""
    message, _ = channel.receive()
    torch.set_num_threads(1)
    os.makedirs(os.environ.get("HOME", "/tmp/home"), exist_ok=True)
    shell, failed = make_shell(), []
    for number, source in message["cells"]:
        error = run_cell(shell, source)
        if error is not None:
            failed.append(f"cell {number}: {type(error).__name__}: {str(error)[:200]}")
    checks = importlib.import_module(message["checks"])
    for module in message["warm"]:
        importlib.import_module(module)
    return shell, checks, failed


def serve(control: socket.socket, shell: Any, checks: Any) -> None:
    """Fork a submission's sandbox for each pair of sockets that comes, until nobody is left."""
    gc.collect()
    gc.freeze()
    nest.system("prctl", nest.SET_DUMPABLE, 0, 0, 0, 0)
    while True:
        size = array.array("i", [0, 0])
        message, extra, _, _ = control.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(2 * size.itemsize))
        if not message:
            return
        for _, _, data in extra:
            size.frombytes(data[: len(data) - len(data) % size.itemsize])
        wire, life = (socket.socket(fileno=number) for number in size[2:4])

        def work(wire: socket.socket = wire) -> None:
            worker = Worker(Channel(wire), shell)
            worker.take_over(checks)
            worker.serve()

        nest.spawn(work, [wire.fileno()], life, json.loads(message))
        wire.close()
        life.close()


def silence() -> None:
    """Let nothing be read from the terminal, or be written to it or to a file of the grader's."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    os.close(quiet)


def standard_streams() -> socket.socket:
    """Return a socket that leads to standard input and output, which then lead nowhere."""
    near, far = socket.socketpair()
    come, go = os.dup(0), os.dup(1)
    silence()

    def copy(read: Callable[[int], bytes], write: Callable[[bytes], Any]) -> None:
        while data := read(1 << 16):
            write(data)
        os._exit(0)  # the examiner is gone

    def write_all(data: bytes) -> None:
        while data:
            data = data[os.write(go, data) :]

    threading.Thread(
        daemon=True, target=copy, args=(lambda n: os.read(come, n), far.sendall)
    ).start()
    threading.Thread(daemon=True, target=copy, args=(far.recv, write_all)).start()
    return near


def main() -> None:
    """Prepare, then serve whoever the examiner sends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.argv[1] == "--alone":
        channel = Channel(standard_streams())
        shell, checks = prepare(channel)
        worker = Worker(channel, shell)
        worker.take_over(checks)
        worker.serve()
    control = socket.socket(fileno=int(sys.argv[1]))
    ready = socket.socket(fileno=int(sys.argv[2]))
    shell, checks = prepare(Channel(ready))
    ready.close()
    silence()
    serve(control, shell, checks)


if __name__ == "__main__":
    main()
