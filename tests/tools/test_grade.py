"""Grading: right, wrong and hostile submissions each get their row, and nobody stops the rest."""

import csv
import sys

import grade
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

MODULE = """
from attnoise.exercises.mechanism import call, exercise, expect

@exercise(1, "Double", level="code", minutes=1)
def double(my_double):
    expect(call(my_double, 3), 6, "Twice three is six.")
    return "Right."

@exercise(2, "Number", level="trace", minutes=1)
def number(my_number):
    expect(my_number, 42, "Not that one.")
    return "Right."
"""
RIGHT = "def my_double(x):\n    return 2 * x"
SUBMISSIONS = {
    "ada": (RIGHT, "my_number = 42", [2, 1], ""),
    "bob": ("def my_double(x):\n    return x", "my_number = 42", [0, 1], "Twice three is six."),
    "cleo": ("def my_double(x:", "my_number = 42", [0, 1], "no verdict: SyntaxError"),
    "dan": ("while True: pass", "my_number = 42", [0, 1], "stopped after"),
    "eve": (
        "import os; os._exit(0)",
        "my_number = 42",
        [0, 1],
        "no verdict: the process ended with 0",
    ),
    "dora": ("while True: print('x' * 1000)", "my_number = 42", [0, 1], "stopped after"),
    "gil": (
        "import gc\nfor o in gc.get_objects():\n    pass\nopen(report, 'w').write('5'); import os; os._exit(0)",
        "my_number = 42",
        [0, 1],
        "no verdict",
    ),
    "fay": (
        "def my_double(x):\n    raise NotImplementedError",
        "my_number = None",
        [0, 0],
        "not written yet",
    ),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    submissions = folder / "submissions"
    submissions.mkdir()
    for name, (first, second, *_) in SUBMISSIONS.items():
        cells = [
            new_code_cell(first, metadata={"tags": ["exercise"]}),
            new_code_cell("check.double(my_double)", metadata={"tags": ["check"]}),
            new_code_cell(second, metadata={"tags": ["exercise"]}),
            new_code_cell("check.number(my_number)", metadata={"tags": ["check"]}),
        ]
        nbformat.write(new_notebook(cells=cells), submissions / f"{name}.ipynb")
    (submissions / "zoe.ipynb").write_text("this is no notebook")
    (folder / "checks_for_test.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        found = [grade.grade(p, "checks_for_test", 20.0) for p in sorted(submissions.iterdir())]
    return {row["student"]: row for row in found}


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_each_submission_gets_its_points_and_reason(rows, name):
    *_, points, remark = SUBMISSIONS[name]
    assert [rows[name]["double"], rows[name]["number"]] == points
    assert rows[name]["total"] == sum(points)
    assert remark in rows[name]["remarks"]


def test_what_is_no_notebook_scores_nothing(rows):
    assert rows["zoe"]["total"] == 0
    assert "not a notebook" in rows["zoe"]["remarks"]


def test_command_line_writes_the_table(tmp_path, monkeypatch):
    source = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.ipynb").write_text(source)
    out = tmp_path / "grades.csv"
    arguments = [
        "grade.py",
        str(tmp_path / "in"),
        "--chapter",
        "attention/attention",
        "-o",
        str(out),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    grade.main()
    (row,) = csv.DictReader(out.open())
    assert row["student"] == "ada"
    assert row["total"] == "0"
    assert "missing" in row["remarks"]


@pytest.mark.parametrize(
    ("folder", "chapter", "message"),
    [
        ("nowhere", "attention", "is not a folder"),
        (".", "attention", "holds no .ipynb"),
        ("in", "nothing", "there are no checks"),
    ],
)
def test_bad_arguments_are_named(tmp_path, monkeypatch, folder, chapter, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["grade.py", folder, "--chapter", chapter])
    with pytest.raises(SystemExit, match=message):
        grade.main()
    assert not (tmp_path / "grades.csv").exists()
