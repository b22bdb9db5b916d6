"""How long a class takes to be graded, and how much memory: `python benchmarks/grading.py`.

Makes a class of one chapter's key, each submission with a cell of its own, grades it through the
command, and prints computing and wall seconds of the start and of all submissions, and the largest
memory of all processes together (each page counted once).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import tyro
from nbformat.v4 import new_code_cell

BOOK = Path(__file__).parents[1] / "book"


def main(students: int = 500, chapter: str = "attention/attention", jobs: int = 2) -> None:
    """Grade a class.

    Args:
        students: How many.
        chapter: As in attention/attention.
        jobs: How many are graded at a time.
    """
    with tempfile.TemporaryDirectory() as folder:
        submissions, out = Path(folder) / "in", Path(folder) / "out"
        submissions.mkdir()
        key = nbformat.read(BOOK / f"{chapter}.ipynb", as_version=4)
        for number in range(students):
            key.cells.append(new_code_cell(f"mine = {number}"))
            (submissions / f"student {number:03}.ipynb").write_text(json.dumps(key))
            key.cells.pop()
        command = [sys.executable, "-m", "attnoise.grading", "grade", str(submissions)]
        command += ["--chapter", chapter, "--out", str(out), "--jobs", str(jobs)]
        began, memory, first, cpu, used = time.perf_counter(), 0.0, 0.0, 0.0, 0.0
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        while process.poll() is None:
            memory, used = max(memory, held()), max(used, spent())
            if not first and any((out / "results").glob("*.json")):
                first, cpu = time.perf_counter() - began, spent()
            time.sleep(0.5)
        took = time.perf_counter() - began
        results = [json.loads(p.read_text()) for p in (out / "results").glob("*.json")]
    full = sum(result["total"] == result["maximum"] for result in results)
    waited = sum(mark["seconds"] for result in results for mark in result["marks"])
    load = os.getloadavg()[0]
    print(f"{chapter}: {len(results)} submissions, {full} with full points, load {load:.1f}")
    print(f"start: {first:.0f} s of wall, {cpu:.0f} s of computing")
    print(f"all submissions: {took - first:.0f} s of wall, {used - cpu:.0f} s of computing")
    print(f"a submission: {1000 * (used - cpu) / students:.0f} ms of computing, ", end="")
    print(f"{1000 * waited / students:.0f} ms of waiting for its answers")
    print(f"memory: {memory / 2**20:.2f} GiB at most")


def processes() -> list[Path]:
    """Return the folders of all of the grader's processes, the sandbox's included."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"attnoise.grading" in (path / "cmdline").read_bytes():
                found.append(path)
        except OSError:
            continue
    return found


def held() -> float:
    """Return the KiB that they hold together; a page of several counts once."""
    total = 0
    for path in processes():
        try:
            lines = (path / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return float(total)


def spent() -> float:
    """Return the computing seconds of those that run, and of all that they have waited for."""
    total = 0
    for path in processes():
        try:
            stat = (path / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, stat[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    tyro.cli(main)
