"""One submission's own namespaces, limits and keeper, made in a fork of the zygote.

    zygote -> fork: new user, process, mount, network and IPC namespaces, then ends
              -> keeper, process 1 of them: counts time, memory and processes; ends when the
                 examiner does, and with it ends everything in the namespace
                 -> worker: no capabilities, limits, then the student's code

Only Linux has what this needs.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
NO_SUID, NO_DEV, NO_EXEC = 2, 4, 8  # mount's flags
SET_DEATH_SIGNAL, SET_DUMPABLE, DROP_BOUND, NO_NEW_PRIVILEGES = 1, 4, 24, 38  # prctl's
CAPSET = {"x86_64": 126, "aarch64": 91}
FORKS = 4  # processes whose memory may be the zygote's
TICK = 0.1  # seconds between two looks of the keeper
MIB = 1024**2
DISK = b"size=256m,nr_inodes=20000,mode=1777"


def system(name: str, *arguments: object) -> None:
    """Call a function of the C library.

    Raises:
        OSError: It failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments[:3]}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Have this process killed when its parent ends."""
    if sys.platform == "linux":
        system("prctl", SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def spawn(work: Callable[[], None], keep: list[int], life: socket.socket, limits: dict) -> None:
    """Start a keeper and its worker in namespaces of their own, and return at once.

    Args:
        work: What the worker does.
        keep: File descriptors that the worker may have; all others are closed in it.
        life: To the examiner: the keeper tells what is used, and ends when the examiner closes it.
        limits: "cpu" in seconds, "memory" in MiB, "processes".
    """
    outer = os.fork()
    if outer:
        os.waitpid(outer, 0)
        return
    try:
        enter_namespaces()
        if os.fork():
            os._exit(0)
        close_all(keep + [life.fileno()])
        mount_own()
        worker = os.fork()
        if not worker:
            life.close()
            restrict(limits)
            work()
            os._exit(0)
        system("prctl", SET_DUMPABLE, 0, 0, 0, 0)
        close_all([life.fileno()])
        drop_capabilities()
        keep_watch(worker, life, limits)
    except BaseException as error:
        tell(life, {"end": f"the sandbox failed: {error}", "fault": True})
    finally:
        os._exit(0)


def enter_namespaces() -> None:
    """Leave the zygote's namespaces; the one user in the new ones is the one outside."""
    user, group = os.getuid(), os.getgid()
    system("prctl", SET_DUMPABLE, 1, 0, 0, 0)  # else its own /proc is not its own
    system("unshare", NEW_USER | NEW_NS | NEW_PID | NEW_NET | NEW_IPC | NEW_UTS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount_own() -> None:
    """Mount a fresh /proc, /tmp and /dev/shm, and forbid further user namespaces."""
    system("mount", b"proc", b"/proc", b"proc", NO_SUID | NO_DEV | NO_EXEC, None)
    for place in (b"/tmp", b"/dev/shm"):
        system("mount", b"tmpfs", place, b"tmpfs", NO_SUID | NO_DEV, DISK)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.makedirs("/tmp/home")
    os.chdir("/tmp/home")


def restrict(limits: dict) -> None:
    """Give up every privilege, and set the limits of one process."""
    import resource

    from . import seccomp

    drop_capabilities()
    os.setsid()
    Path("/proc/self/oom_score_adj").write_text("1000")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    for what, most in (
        (resource.RLIMIT_AS, size + limits["memory"] * MIB),
        (resource.RLIMIT_CPU, int(limits["cpu"]) + 2),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_FSIZE, 128 * MIB),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))
    seccomp.install()


def drop_capabilities() -> None:
    """Give up all capabilities for good."""
    for capability in range(64):
        try:
            system("prctl", DROP_BOUND, capability, 0, 0, 0)
        except OSError:
            break  # there are no more
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    system("syscall", CAPSET[os.uname().machine], header, (ctypes.c_uint32 * 6)())
    system("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def keep_watch(worker: int, life: socket.socket, limits: dict) -> None:
    """Wait until the worker or the examiner ends, or too much is used."""
    watch = select.poll()
    watch.register(life, select.POLLHUP | select.POLLERR | select.POLLRDHUP)
    first = used()[1]  # what a process has at its start, shared with the zygote
    while not watch.poll(int(1000 * TICK)):
        seconds, memory = used(first)
        tell(life, {"cpu": seconds})
        if seconds > limits["cpu"]:
            return tell(life, {"end": "it used up its computing time", "cpu": seconds})
        if memory > limits["memory"] * MIB:
            return tell(life, {"end": f"it used more than {limits['memory']} MB of memory"})
        if reaped(worker):
            return tell(life, {"end": "its process ended", "cpu": seconds})


def reaped(worker: int) -> bool:
    """Collect ended processes, and say whether the worker is among them."""
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if ended in (0, worker):
            return ended == worker


def used(shared: int = 0) -> tuple[float, int]:
    """Return computing seconds and bytes of memory of all processes but this one.

    Args:
        shared: Bytes that a process has in common with the zygote. They are left out for a few
            processes only: one that has started another program shares nothing.
    """
    seconds, memory, count, page = 0.0, 0, 0, os.sysconf("SC_PAGESIZE")
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            stat = Path(f"/proc/{name}/stat").read_bytes().rsplit(b")", 1)[1].split()
            resident, of_files = map(int, Path(f"/proc/{name}/statm").read_text().split()[1:3])
        except (OSError, IndexError, ValueError):
            continue
        seconds += sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")
        memory += max((resident - of_files) * page - (shared if count < FORKS else 0), 0)
        count += 1
    return seconds + sum(os.times()[2:4]), memory


def tell(life: socket.socket, news: dict) -> None:
    """Tell the examiner; if it does not listen, go on."""
    try:
        life.send(json.dumps(news).encode(), socket.MSG_DONTWAIT)
    except OSError:
        pass


def close_all(keep: list[int]) -> None:
    """Close every file descriptor from 3 on but some."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number not in keep:
            try:
                os.close(number)
            except OSError:
                pass
