"""A filter of system calls for the worker: what no exercise needs, and what limits do not reach.

Memory that belongs to no process (memfd, System V) would escape the keeper's count; sockets of
families that no network namespace holds (vsock) would leave the sandbox; the rest is attack
surface of the kernel. Numbers are those of Linux on x86-64 and on ARM64.
"""

import ctypes
import os

from .nest import NO_NEW_PRIVILEGES, system

FORBIDDEN = {  # name: (x86-64, ARM64)
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "mount_setattr": (442, 442),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
}
MACHINES = {"x86_64": (0, 0xC000003E, 41), "aarch64": (1, 0xC00000B7, 198)}  # ..., `socket`
FAMILIES = (1, 2, 10)  # local, IPv4, IPv6
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # "operation not permitted"
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
SET_SECCOMP, FILTER = 22, 2


class Instruction(ctypes.Structure):
    """One line of the filter, as the kernel reads it."""

    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    ]


class Program(ctypes.Structure):
    """The whole filter, as the kernel reads it."""

    _fields_ = [("length", ctypes.c_uint16), ("first", ctypes.POINTER(Instruction))]


def program(machine: str) -> list[tuple[int, int, int, int]]:
    """Return the filter: which call it is decides, and for `socket` its first argument."""
    column, architecture, socket_call = MACHINES[machine]
    numbers = [numbers[column] for numbers in FORBIDDEN.values()]
    refuse = [(RETURN, 0, 0, REFUSE)]
    lines = [
        (LOAD, 0, 0, 4),
        (EQUAL, 1, 0, architecture),
        *refuse,
        (LOAD, 0, 0, 0),
        (AT_LEAST, 0, 1, 0x40000000),  # the numbers of x32
        *refuse,
    ]
    for number in numbers:
        lines += [(EQUAL, 0, 1, number), *refuse]
    lines += [(EQUAL, 0, 2 + len(FAMILIES), socket_call), (LOAD, 0, 0, 16)]
    for i, family in enumerate(FAMILIES):
        lines.append((EQUAL, len(FAMILIES) - i, 0, family))
    return [*lines, *refuse, (RETURN, 0, 0, ALLOW)]


def install() -> None:
    """Filter the calls of this process and of all that it starts, for good."""
    lines = program(os.uname().machine)
    code = (Instruction * len(lines))(*(Instruction(*line) for line in lines))
    system("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    system("prctl", SET_SECCOMP, FILTER, ctypes.byref(Program(len(lines), code)), 0, 0)
