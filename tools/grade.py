"""Grade a folder of submitted notebooks with the book's own checks.

  python tools/grade.py SUBMISSIONS --chapter attention/attention -o grades.csv

SUBMISSIONS holds one notebook per student, named after the student. Of each, only the exercise
cells are run, every one in a fresh process with a time limit and, where the system offers it, a
memory limit. One row per student: points per exercise, total, and what the checks said.

These points are for learning, not for certificates: the student's code runs in the process that
checks it, so a determined student can forge a pass. Where points count, run this script in a
container without a network and read the suspicious ones.
"""

import argparse
import csv
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from students import CHECK

GIGABYTE = 1024**3
RUNNER = f"""
import importlib, json, sys
source, answer, module, check, report = json.load(sys.stdin)
try:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**24, 2**24))
    resource.setrlimit(resource.RLIMIT_AS, (8 * {GIGABYTE}, 8 * {GIGABYTE}))
except (ImportError, ValueError, OSError):
    pass
import torch
names = {{"torch": torch}}
try:
    exec(compile(source, "<submission>", "exec"), names)
except NotImplementedError:
    pass
verdict = getattr(importlib.import_module(module), check)(names.get(answer))
with open(report, "w") as file:
    json.dump([verdict.passed, verdict.message], file)
"""


def answers(path: Path) -> dict[str, tuple[str, str]]:
    """Read a submission: for each check its exercise's source and the name of the answer.

    Raises:
        ValueError: The file is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds for files that are no notebooks
        raise ValueError(f"not a notebook: {type(error).__name__}") from error
    found, source = {}, ""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if {"exercise", "solution"} & set(tags):
            source = cell.source
        elif "check" in tags and CHECK.search(cell.source):
            match = CHECK.search(cell.source)
            answer = cell.source[match.end() :].split(")")[0].strip()
            found[match[1]] = (source, answer)
    return found


def run(source: str, answer: str, module: str, check: str, seconds: float) -> tuple[bool, str]:
    """Check one answer in a process of its own; whatever happens there, return a verdict."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "verdict.json"
        task = json.dumps([source, answer, module, check, str(report)])
        log = Path(folder) / "stderr"
        with log.open("w") as errors:  # a file, so that an endless print fills no memory
            process = subprocess.Popen(
                [sys.executable, "-c", RUNNER],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                text=True,
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
            try:
                process.communicate(task, timeout=seconds)
            except subprocess.TimeoutExpired:
                stop(process)
                return False, f"stopped after {seconds:g} s"
        if not report.exists():
            lines = log.read_text(errors="replace").strip().splitlines()
            lines = lines or [f"the process ended with {process.returncode}"]
            return False, f"no verdict: {lines[-1]}"
        try:
            passed, message = json.loads(report.read_text())
        except (ValueError, TypeError):
            return False, "no verdict: the report is damaged"
        return bool(passed), str(message)


def stop(process: subprocess.Popen) -> None:
    """End a process and, where the system knows process groups, all that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


def grade(path: Path, module_name: str, seconds: float) -> dict[str, str | int]:
    """Return one row: the student's name, points per exercise, their total, and the remarks."""
    from attnoise.exercises import exercises_of

    exercises = exercises_of(importlib.import_module(module_name))
    row: dict[str, str | int] = {"student": path.stem}
    remarks = []
    try:
        given = answers(path)
    except ValueError as error:
        given, remarks = {}, [str(error)]
    for exercise in exercises:
        passed, message = False, "missing"
        if exercise.name in given:
            passed, message = run(*given[exercise.name], module_name, exercise.name, seconds)
        row[exercise.name] = exercise.points if passed else 0
        if not passed:
            remarks.append(f"{exercise.name}: {message}")
    row["total"] = sum(int(row[e.name]) for e in exercises)
    row["remarks"] = " | ".join(remarks)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--chapter", required=True, help="as in attention/attention")
    parser.add_argument("-o", "--out", type=Path, default=Path("grades.csv"))
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit per exercise")
    options = parser.parse_args()
    if not options.submissions.is_dir():
        raise SystemExit(f"{options.submissions} is not a folder of notebooks.")
    paths = sorted(options.submissions.glob("*.ipynb"))
    if not paths:
        raise SystemExit(f"{options.submissions} holds no .ipynb file.")
    module = "attnoise.exercises." + options.chapter.split("/")[-1].replace("-", "_")
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SystemExit(f"--chapter {options.chapter}: there are no checks {module}.") from error
    rows = [grade(path, module, options.seconds) for path in paths]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    temporary = options.out.with_name(options.out.name + ".tmp")
    temporary.write_text(text.getvalue(), "utf8")
    temporary.replace(options.out)
    print(
        f"{options.out}: {len(rows)} students, mean {sum(r['total'] for r in rows) / len(rows):.1f}"
    )


if __name__ == "__main__":
    main()
