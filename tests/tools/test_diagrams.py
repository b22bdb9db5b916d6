"""What notebooks and the landing page store of diagrams is what the package draws today."""

import re

import nbformat
import pytest
from notebooks import ROOT, all_notebooks

import diagrams
from attnoise.diagrams import DIAGRAMS

STORED = {
    name: path
    for path in all_notebooks()
    for _, name in diagrams.cells(nbformat.read(path, as_version=4))
}


def test_every_diagram_stands_in_the_book_once():
    assert {*STORED, "book-map"} == set(DIAGRAMS)
    assert "_map.html" in (ROOT / "book" / "index.md").read_text("utf8")


@pytest.mark.parametrize("path", sorted(set(STORED.values())), ids=lambda path: path.stem)
def test_the_stored_diagrams_are_fresh(path):
    assert not diagrams.refresh(path, check=True), "run: python tools/diagrams.py"


def test_the_stored_map_is_fresh():
    assert not diagrams.refresh_map(ROOT / diagrams.MAP, check=True), "run: tools/diagrams.py"


def test_an_old_diagram_is_drawn_again_and_nothing_else_changes(tmp_path):
    path = tmp_path / "chapter.ipynb"
    call = 'from attnoise.diagrams import diagram\n\ndiagram("book-map")'
    cell = nbformat.v4.new_code_cell(call, execution_count=2)
    other = nbformat.v4.new_code_cell("print(1)", outputs=[nbformat.v4.new_output("stream")])
    nbformat.write(nbformat.v4.new_notebook(cells=[other, cell]), path)
    assert diagrams.refresh(path, check=True) and not nbformat.read(path, 4).cells[1].outputs
    assert diagrams.refresh(path)
    kept, drawn = nbformat.read(path, as_version=4).cells
    assert kept.outputs == other.outputs and drawn.outputs[0].execution_count == 2
    assert re.search("pan-diagram", drawn.outputs[0].data["text/html"])
    assert not diagrams.refresh(path)
