"""What this system offers to run students' code in, and what to do where it offers nothing."""

import os
import shutil
import subprocess
import sys

from .staging import PACKAGE

IMAGE = "attnoise-grading"
NOBODY = 65534
PROBE_SECONDS = 30


def missing_bubblewrap() -> str:
    """Return why bubblewrap cannot be used here and what helps, or nothing if it can."""
    if sys.platform != "linux":
        return "Only Linux has bubblewrap. Use Docker, or a Linux machine (on Windows: WSL 2)."
    if os.uname().machine not in ("x86_64", "aarch64"):
        return f"The sandbox does not know the system calls of {os.uname().machine}."
    for program in ("bwrap", "unshare", *(["setpriv"] if not os.getuid() else [])):
        if not shutil.which(program):
            return f"{program} is not installed: sudo apt-get install bubblewrap util-linux"
    nobody = as_nobody() if not os.getuid() else []
    outer = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    inner = ["unshare", "--user", "--pid", "--fork", "--net", "--ipc", "--mount-proc", "true"]
    try:
        done = subprocess.run(
            [*nobody, *outer, *inner], capture_output=True, timeout=PROBE_SECONDS, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run: {error}"
    if done.returncode == 0:
        return ""
    return (
        f"bubblewrap may not make namespaces here: {done.stderr.strip()[:300]}. On Ubuntu 24.04 "
        "and later this helps: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0. "
        "In a container it needs a machine, or --privileged."
    )


def as_nobody() -> list[str]:
    """Return the start of a command that root runs as nobody, for good."""
    return [
        shutil.which("setpriv") or "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
    ]


def missing_container(image: str) -> tuple[str, str]:
    """Return the program that runs containers of an image, or why there is none."""
    for engine in ("podman", "docker"):
        if not shutil.which(engine):
            continue
        known = subprocess.run([engine, "image", "inspect", image], capture_output=True, text=True)
        if known.returncode == 0:
            return engine, ""
        return "", (
            f"{engine} has no image {image}, or does not run. From the book's folder: "
            f"{engine} build -t {image} -f code/attnoise/grading/Dockerfile ."
        )
    return "", "Neither podman nor docker is installed."


def container(engine: str, image: str) -> list[str]:
    """Return the command that runs one submission in a container; `Cold` fills in the braces."""
    return [
        *(engine, "run", "--rm", "-i", "--name", "{name}", "--network", "none", "--read-only"),
        *("--tmpfs", "/tmp:size=256m,mode=1777", "--pids-limit", "{processes}", "--cpus", "1"),
        *("--memory", "{memory}m", "--user", f"{NOBODY}:{NOBODY}", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "-v", f"{PACKAGE}:/package/attnoise:ro"),
        *("-v", "{exercises}:/package/attnoise/exercises:ro", "-e", "PYTHONPATH=/package"),
        *("-e", "HOME=/tmp/home", "-e", "PYTHONDONTWRITEBYTECODE=1", "-e", "OMP_NUM_THREADS=1"),
        *("-e", "MPLBACKEND=agg", "-w", "/tmp", image),
        *("timeout", "-k", "5", "{seconds}"),
        *("python", "-P", "-m", "attnoise.grading.zygote", "--alone"),
    ]


def bare() -> list[str]:
    """Return the command that runs one submission without any protection."""
    return [sys.executable, "-P", "-m", "attnoise.grading.zygote", "--alone"]
