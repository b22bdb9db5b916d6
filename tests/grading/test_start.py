"""How a chapter's sandbox starts: it lasts, although the examiner hangs up once it is ready."""

import subprocess
import sys
import textwrap

import pytest

READ_AND_HANG_UP = textwrap.dedent(
    """
    import socket, time
    from attnoise.grading import zygote
    from attnoise.grading.channel import Channel

    near, far = socket.socketpair()
    examiner = Channel(near)

    class Slow(Channel):
        def send(self, message, *rest):
            super().send(message, *rest)
            examiner.receive()
            near.close()
            time.sleep(0.5)  # the time that a busy machine may take between two statements

    examiner.send({"cells": [[0, "x = 1"]], "checks": "attnoise.exercises.attention", "warm": []})
    shell, checks = zygote.prepare(Slow(far))
    print("lives on with", shell.user_ns["x"])
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the sandbox")
def test_the_sandbox_outlives_the_socket_that_told_it_was_ready():
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_HANG_UP], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip().endswith("lives on with 1"), (done.returncode, done.stderr)
