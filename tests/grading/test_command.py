"""The command as an instructor runs it: honest classes, interrupted ones, and refusals."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.grading import classes

from attnoise.grading.__main__ import main
from attnoise.grading.command import grade

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="examiners are tried on Linux only")
CHAPTER = "attention/attention"
FULL = "12"
LOOP = "def my_attention(query, key, value, mask):\n    while True: pass"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """Return a short book's folder and its notebook with solutions."""
    book = classes.short_book(tmp_path_factory.mktemp("short") / "book", CHAPTER)
    return book, classes.cells_of(CHAPTER, book)


def options(book, *more):
    return ("--chapter", CHAPTER, "--book", book, "--jobs", 2, *more)


@pytest.mark.sandbox
def test_one_bad_file_is_one_remark_and_a_loop_costs_one_exercise(tmp_path, key):
    book, notebook = key
    folder = tmp_path / "in"
    classes.write(folder / "ada.ipynb", notebook)
    classes.write(folder / "loop.ipynb", classes.answered(notebook, masked_attention=LOOP))
    classes.write(folder / "loop_in_cell.ipynb", classes.with_cell(notebook, "while True: pass"))
    classes.write(
        folder / "sleep.ipynb", classes.with_cell(notebook, "import time; time.sleep(99)")
    )
    unknown = "my_output = undefined_name"
    classes.write(folder / "name.ipynb", classes.answered(notebook, look_up_by_hand=unknown))
    (folder / "no_notebook.ipynb").write_text("this is no notebook")
    (folder / "deep.ipynb").write_text("[" * 100_000)
    (folder / "empty.ipynb").write_text('{"cells": []}')
    done = classes.grade(folder, tmp_path / "out", *options(book, "--cpu", 9, "--wall", 45))
    assert done.returncode == 0, done.stderr
    rows, look = classes.table(tmp_path / "out"), classes.looked_at(tmp_path / "out")
    assert {name: row["total"] for name, row in rows.items()} == {
        "ada": FULL,
        "loop": "10",
        "loop_in_cell": FULL,
        "sleep": FULL,
        "name": "11",
        "no_notebook": "",
        "deep": "",
        "empty": "0",
    }
    assert "masked_attention: stopped: it did not come back in" in rows["loop"]["remarks"]
    assert "was left out" in rows["loop_in_cell"]["remarks"]
    assert {"name", "no_notebook", "deep"} == set(look)
    assert "NameError" in look["name"][0]
    pages = list((tmp_path / "out" / "feedback").glob("*.html"))
    assert len(pages) == len(rows) == len(list((tmp_path / "out" / "results").glob("*.json")))
    assert stat.S_IMODE((tmp_path / "out" / "secret.json").stat().st_mode) == 0o600
    assert "deep, no_notebook" in done.stdout


@pytest.mark.sandbox
def test_killed_in_the_middle_it_goes_on_and_grades_nothing_twice(tmp_path, key):
    book, notebook = key
    folder, out = tmp_path / "in", tmp_path / "out"
    slow = classes.with_cell(notebook, "import time\ntime.sleep(1)")
    names = [f"s{i}" for i in range(8)]
    for name in names:
        classes.write(folder / f"{name}.ipynb", slow)
    first = subprocess.Popen(
        classes.command(folder, out, *options(book)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 300
    while len(list(out.glob("results/*.json"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = {p: p.stat().st_mtime_ns for p in out.glob("results/*.json")}
    assert 2 <= len(kept) < len(names)
    done = classes.grade(folder, out, *options(book))
    assert done.returncode == 0, done.stderr
    rows = classes.table(out)
    assert {row["total"] for row in rows.values()} == {FULL}
    assert list(rows) == names
    assert all(p.stat().st_mtime_ns == at for p, at in kept.items())
    assert len(list(out.glob("results/*.json"))) == len(names)

    before = {p: p.stat().st_mtime_ns for p in out.glob("results/*.json")}
    classes.write(folder / "s3.ipynb", classes.answered(notebook, how_sharp="my_factor = 2"))
    done = classes.grade(folder, out, *options(book, "--regrade", "s5"))
    assert done.returncode == 0, done.stderr
    after = {p: p.stat().st_mtime_ns for p in out.glob("results/*.json")}
    assert sorted(p.name[:2] for p in after if after[p] != before[p]) == ["s3", "s5"]
    assert classes.table(out)["s3"]["total"] == "9"


@pytest.mark.sandbox
def test_killed_while_a_chapter_starts_it_leaves_nothing_running(tmp_path, key):
    _, notebook = key
    mark = f"{os.getpid()}86399"
    slow = f"import subprocess\nsubprocess.run(['sleep', '{mark}'])"
    classes.write(tmp_path / "in" / "ada.ipynb", notebook)
    classes.write(tmp_path / "book" / f"{CHAPTER}.ipynb", classes.with_cell(notebook, slow))
    grader = subprocess.Popen(
        classes.command(tmp_path / "in", tmp_path / "out", *options(tmp_path / "book")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert eventually(lambda: running(mark))
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    assert eventually(lambda: not running(mark))


def running(mark: str) -> bool:
    """Say whether some process of this machine was called with a word."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            lines.append(path.read_bytes().split(b"\0"))
    return any(mark.encode() in line for line in lines)


def eventually(found, seconds: float = 300) -> bool:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not found() and time.monotonic() < until:
        time.sleep(0.1)
    return found()


@pytest.mark.sandbox
def test_a_key_that_fails_grades_nobody(tmp_path, key):
    book, notebook = key
    classes.write(tmp_path / "in" / "ada.ipynb", notebook)
    classes.write(
        tmp_path / "book" / f"{CHAPTER}.ipynb",
        classes.answered(notebook, how_sharp="my_factor = 2"),
    )
    done = classes.grade(tmp_path / "in", tmp_path / "out", *options(tmp_path / "book"))
    assert done.returncode
    assert "does not get full points" in done.stderr
    assert "how_sharp" in done.stderr
    assert not (tmp_path / "out" / "grades.csv").exists()


def without(monkeypatch, tmp_path, *programs):
    """Leave nothing on the path but some programs, each a script of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in programs:
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@ON_LINUX
def test_without_any_sandbox_it_refuses_unless_told(tmp_path, key, monkeypatch):
    book, notebook = key
    classes.write(tmp_path / "in" / "ada.ipynb", notebook)
    without(monkeypatch, tmp_path)
    done = classes.grade(tmp_path / "in", tmp_path / "out", *options(book))
    assert done.returncode
    assert "Nothing was graded" in done.stderr
    assert "--unsafe" in done.stderr
    done = classes.grade(tmp_path / "in", tmp_path / "out", *options(book, "--unsafe"))
    assert done.returncode == 0, done.stderr
    (row,) = classes.table(tmp_path / "out").values()
    assert row["total"] == FULL
    assert row["remarks"].startswith("NOT PROTECTED")


DOCKER = """
import os, sys
with open({log!r}, "a") as log: log.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "run":
    at = sys.argv.index("python")
    os.environ["PYTHONPATH"] = {code!r}
    os.execv({python!r}, [{python!r}, *sys.argv[at + 1:]])
"""


@ON_LINUX
def test_without_bubblewrap_each_submission_gets_a_container(tmp_path, key, monkeypatch):
    """A stand-in for Docker notes what it is told, and runs the worker without a container."""
    book, notebook = key
    classes.write(tmp_path / "in" / "ada.ipynb", notebook)
    log = tmp_path / "log"
    code = str(classes.ROOT / "code")
    text = DOCKER.format(log=str(log), code=code, python=sys.executable)
    without(monkeypatch, tmp_path, ("docker", text))
    done = classes.grade(tmp_path / "in", tmp_path / "out", *options(book))
    assert done.returncode == 0, done.stderr
    assert classes.table(tmp_path / "out")["ada"]["total"] == FULL
    said = log.read_text().splitlines()
    runs = [line for line in said if line.startswith("run ")]
    names = [line.split("--name ")[1].split()[0] for line in runs]
    assert len(set(names)) == len(names) == 2  # the key, and ada
    assert all(f"kill {name}" in said for name in names)
    for flag in ("--network none", "--read-only", "--cap-drop ALL", "--user 65534:65534"):
        assert all(flag in line for line in runs)


@pytest.mark.parametrize(
    ("folder", "more", "message"),
    [
        ("nowhere", ("--chapter", CHAPTER), "is not a folder"),
        ("nothing", ("--chapter", CHAPTER), "holds no .ipynb"),
        ("in", ("--chapter", "attention/nothing"), "There is no"),
        ("in", ("--chapter", CHAPTER, "--regrade", "zoe"), "nobody is called zoe"),
        ("in", ("--chapter", CHAPTER, "--seeds", "1"), "--seeds must be 2"),
    ],
)
def test_bad_arguments_are_named(tmp_path, folder, more, message, monkeypatch):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.ipynb").write_text("{}")
    arguments = classes.command(tmp_path / folder, tmp_path / "out", *more)[3:]
    monkeypatch.setattr(sys, "argv", ["attnoise.grading", *arguments])
    with pytest.raises(SystemExit, match=message):
        main()
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_chapters_grades_is_not_overwritten(tmp_path, key):
    book, notebook = key
    classes.write(tmp_path / "in" / "ada.ipynb", notebook)
    (tmp_path / "out").mkdir()
    old = {"chapter": "attention/positions", "seeds": [1, 2]}
    (tmp_path / "out" / "secret.json").write_text(json.dumps(old))
    with pytest.raises(SystemExit, match="holds the grades of attention/positions"):
        grade(tmp_path / "in", CHAPTER, tmp_path / "out", book=book)


def test_a_system_that_cannot_fork_is_told_what_to_do(monkeypatch):
    monkeypatch.delattr(os, "fork", raising=False)
    with pytest.raises(SystemExit, match="Windows Subsystem for Linux"):
        main()
