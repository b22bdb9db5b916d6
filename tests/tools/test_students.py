"""The student edition: no solution survives, and everything still runs."""

import json

import nbformat
import pytest
import students
from nbclient import NotebookClient
from notebooks import ROOT
from tests.tools.make_book import SOLUTION, TRACE, make_book


def test_stub_keeps_the_skeleton_and_raises():
    source = students.stub(SOLUTION, "Exercise 1")
    names = {}
    exec(source, names)
    with pytest.raises(NotImplementedError, match="Exercise 1: your turn"):
        names["my_double"](3)
    assert names["my_double"].__doc__ == "Return 2 x."
    assert "secret" not in source


def test_a_value_stays_none():
    names = {}
    exec(students.stub(TRACE, "Exercise 2"), names)
    assert names["my_number"] is None


def test_a_solution_without_marks_is_refused():
    with pytest.raises(SystemExit, match="Exercise 4: the solution cell has no ### BEGIN SOLUTION"):
        students.stub("def f(): return 1", "Exercise 4")


def test_outputs_of_checks_go_and_others_stay(tmp_path):
    make_book(tmp_path)
    manifest = students.make(tmp_path / "out", tmp_path)
    path = tmp_path / "out" / "book" / "part" / "chapter.ipynb"
    text = path.read_text()
    assert "secret" not in text
    assert "### BEGIN" not in text
    cells = nbformat.read(path, as_version=4).cells
    assert cells[2].outputs[0].text == "1\n"
    assert cells[4].metadata.tags == ["exercise"]
    assert manifest == {
        "book/part/chapter.ipynb": [
            {"exercise": "Exercise 1", "check": "double"},
            {"exercise": "Exercise 2", "check": "number"},
        ]
    }
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == manifest


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    out = tmp_path_factory.mktemp("students")
    return out, students.make(out)


def solution_lines():
    """Every line of a real solution that says something: 12 characters or more."""
    for path in (ROOT / "book").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if "solution" in cell.metadata.get("tags", []):
                for match in students.REGION.finditer(cell.source + "\n"):
                    yield from (
                        x.strip() for x in match["body"].splitlines() if len(x.strip()) > 11
                    )


def test_no_solution_of_the_book_survives_in_its_exercise_cells(edition):
    lines = set(solution_lines())
    assert len(lines) > 20
    cells = 0
    for path in (edition[0] / "book").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if {"exercise", "check"} & set(cell.metadata.get("tags", [])):
                cells += 1
                assert not cell.outputs
                found = {line.strip() for line in cell.source.splitlines()} & lines
                assert not found, f"{path.name}: {found}"
    assert cells >= 24
    assert not list(edition[0].rglob("_build"))


def test_the_book_has_twelve_exercises_or_more(edition):
    assert sum(map(len, edition[1].values())) >= 12


def test_stubs_and_checks_of_the_book_run_to_the_end(edition):
    """Run each chapter's exercise cells alone: a stub never stops the notebook."""
    for path in sorted((edition[0] / "book").rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        chosen = [
            c for c in notebook.cells if {"exercise", "check"} & set(c.metadata.get("tags", []))
        ]
        module = path.stem.replace("-", "_")
        imports = f"import torch\nfrom attnoise.exercises import {module} as check"
        notebook.cells = [nbformat.v4.new_code_cell(imports), *chosen]
        NotebookClient(notebook, timeout=120, store_widget_state=False).execute()
        checks = [c for c in chosen if "check" in c.metadata.tags]
        assert checks
        for cell in checks:
            assert cell.outputs[0].data["text/plain"].startswith("✗"), cell.source


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    make_book(tmp_path)
    with pytest.raises(SystemExit, match="holds something else than a student edition"):
        students.make(tmp_path, tmp_path)
    assert (tmp_path / "_config.yml").exists()


def test_colab_opens_the_student_edition(tmp_path):
    make_book(tmp_path)
    students.make(tmp_path / "out", tmp_path)
    assert "branch: students" in (tmp_path / "out" / "_config.yml").read_text()
    assert "branch: colab" in (tmp_path / "_config.yml").read_text()
