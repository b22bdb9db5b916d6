"""Hostile submissions: none is paid for it, none harms another, none is lost, none stays."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from tests.grading import classes
from tests.grading.hostile import ANSWERS, BEFORE

import attnoise

pytestmark = pytest.mark.sandbox
CHAPTER = "attention/attention"
WRONG = {
    "look_up_by_hand": "my_output = 1.0",
    "masked_attention": "def my_attention(query, key, value, mask):\n    return query @ key.T @ value",
    "late_causal_mask": "def my_mask(n, m):\n    return torch.ones(n, m)",
    "variance_of_scores": "def my_variance(k, s):\n    return 3.0",
    "two_back": "def my_scores(n):\n    return torch.zeros(n, n)",
    "how_sharp": "my_factor = 1",
}
NAMES = [*BEFORE, *ANSWERS]
LIMITS = ("--cpu", 3, "--wall", 30, "--memory", 600)


def package_state():
    """Return a fingerprint of all that the package consists of."""
    sha = hashlib.sha256()
    for path in sorted(Path(attnoise.__file__).parent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()


def still_running(marker):
    """List processes that see the sandbox's own folder, in whatever namespace they live."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(pid) != os.getpid() and marker in Path(f"/proc/{pid}/mountinfo").read_text():
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade all hostile files among honest ones, and return what is left of it."""
    folder = tmp_path_factory.mktemp("hostile")
    book, submissions, out = folder / "book", folder / "in", folder / "out"
    temporary = folder / "a-place-like-no-other"
    temporary.mkdir()
    key = classes.cells_of(CHAPTER, classes.short_book(book, CHAPTER))
    wrong = classes.answered(key, **WRONG)
    for name, source in BEFORE.items():
        classes.write(submissions / f"{name}.ipynb", classes.with_cell(wrong, source))
    for name, source in ANSWERS.items():
        evil = classes.answered(wrong, masked_attention=source)
        classes.write(submissions / f"{name}.ipynb", evil)
    for name in ("a_first", "m_middle", "zz_last"):
        classes.write(submissions / f"{name}.ipynb", key)
    given = {path: path.read_bytes() for path in submissions.iterdir()}
    before = package_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        done = classes.grade(
            submissions, out, "--chapter", CHAPTER, "--book", book, "--jobs", 4, *LIMITS
        )
    assert done.returncode == 0, done.stdout + done.stderr
    until = time.monotonic() + 20
    while (left := still_running(temporary.name)) and time.monotonic() < until:
        time.sleep(0.1)
    return {
        "rows": classes.table(out),
        "left": left,
        "temporary": list(temporary.iterdir()),
        "same": before == package_state() and all(p.read_bytes() == b for p, b in given.items()),
        "done": done,
    }


def test_there_are_forty_or_more():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_no_points_are_forged_and_no_row_is_lost(graded, name):
    row = graded["rows"][name]
    assert row["total"] in ("0", ""), row  # nothing, or "the grader could not run it"
    assert not any(int(row[check] or 0) for check in WRONG), row
    assert row["remarks"]
    assert len(row["remarks"]) <= 501


@pytest.mark.parametrize("name", ["a_first", "m_middle", "zz_last"])
def test_honest_neighbours_get_full_points(graded, name):
    assert graded["rows"][name]["total"] == "12", graded["rows"][name]


def test_nobody_is_harmed_and_nothing_stays(graded):
    assert graded["same"]
    assert graded["left"] == []
    assert graded["temporary"] == []
    assert not Path("/dev/left").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("read_books", "read_classmates", "network", "write_dev", "left_in_tmp", "namespaces"),
    ],
)
def test_what_looks_round_finds_nothing(graded, name):
    assert "AssertionError" not in graded["rows"][name]["remarks"]


def test_the_grader_itself_never_failed(graded):
    examiners = [name for name in NAMES if "grader's own" in graded["rows"][name]["remarks"]]
    assert examiners == []
