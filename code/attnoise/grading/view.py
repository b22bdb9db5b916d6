"""What a sandbox in bubblewrap sees of this system, and the command that makes it."""

import os
import shutil
import site
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .staging import PACKAGE
from .systems import NOBODY, as_nobody

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts")


def bubblewrap(exercises: Path, hidden: Iterable[Path]) -> list[str]:
    """Return the command that starts a zygote in bubblewrap, up to its own arguments."""
    binds = list(visible())
    mounts = ["--perms", "0755", "--dir", "/package"]
    for path in binds:
        for parent in reversed(path.parents):
            if parent != Path("/"):
                mounts += ["--perms", "0755", "--dir", str(parent)]
        mounts += ["--symlink", os.readlink(path), str(path)] if path.is_symlink() else []
        mounts += [] if path.is_symlink() else ["--ro-bind", str(path), str(path)]
    mounts += ["--ro-bind", str(PACKAGE), "/package/attnoise"]
    mounts += ["--ro-bind", str(exercises), "/package/attnoise/exercises"]
    for path in hidden:
        if any(path.is_relative_to(bound) for bound in binds):
            mounts += ["--tmpfs", str(path)]
    isolation = [
        *("--unshare-all", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "grading"),
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
    ]
    for name, value in environment().items():
        isolation += ["--setenv", name, value]
    python = [sys.executable, "-P", "-m", "attnoise.grading.zygote"]
    if os.getuid():
        return ["bwrap", *mounts, *isolation, "--chdir", "/tmp", *python]
    # Root first builds the view, then becomes nobody for good, and nobody builds the sandbox.
    view = [
        "bwrap",
        "--die-with-parent",
        *mounts,
        "--dev-bind",
        "/dev",
        "/dev",
        "--bind",
        "/proc",
        "/proc",
    ]
    inner = [shutil.which("bwrap") or "bwrap", "--ro-bind", "/", "/", *isolation]
    view += ["--perms", "1777", "--tmpfs", "/tmp"]
    return [*view, *as_nobody(), *inner, "--chdir", "/tmp", *python]


def environment() -> dict[str, str]:
    """Return all environment variables of the sandbox."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp/home",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/package",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def visible() -> Iterator[Path]:
    """Yield what the sandbox sees of this system: programs, libraries, Python and its packages."""
    found = [Path(p) for p in SYSTEM if Path(p).exists()]
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    for place in (
        sys.base_prefix,
        sys.base_exec_prefix,
        sys.prefix,
        *site.getsitepackages(),
        *user,
    ):
        path = Path(place)
        if path.is_dir() and not any(path.is_relative_to(p) for p in found):
            found.append(path)
    yield from found
