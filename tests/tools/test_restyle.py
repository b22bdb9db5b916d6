"""Stored moving figures have today's styles and scripts, and the tool changes nothing else."""

import re

import nbformat
import pytest
import restyle
from notebooks import all_notebooks
from tests.figures.figure_examples import ALL

from attnoise.errors import ConfigError
from attnoise.figures import figure_html

FILES = [*all_notebooks(), restyle.HERO]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_stored_figure_is_fresh(path):
    assert not restyle.refresh(path, check=True), "run: python tools/restyle.py"


@pytest.mark.parametrize("name", ALL)
def test_a_fresh_figure_stays_as_it_is(name):
    text = ALL[name]().html()
    assert figure_html.restyle(text) == text


def test_an_old_figure_is_dressed_anew_and_nothing_else_changes(tmp_path):
    fresh = ALL["chart"]().html()
    aged = re.sub(r"<style>.*?</style>", "<style>old</style>", fresh, flags=re.S)
    aged = re.sub(r"(.*)<script>.*</script>", r"\1<script>old()</script>", aged, flags=re.S)
    aged = aged.replace("<noscript><p>", "<noscript><p>Old. ").replace('step="1" ', "")
    shown = nbformat.v4.new_output(
        "execute_result", {"text/html": aged, "text/plain": "Said."}, execution_count=1
    )
    cell = nbformat.v4.new_code_cell("figure", outputs=[shown], execution_count=1)
    path = tmp_path / "chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    before = path.read_bytes()
    assert restyle.refresh(path, check=True) and path.read_bytes() == before
    assert restyle.refresh(path)
    (kept,) = nbformat.read(path, as_version=4).cells[0].outputs
    assert kept.data == {"text/html": fresh, "text/plain": "Said."}
    assert not restyle.refresh(path)


def test_the_landing_pages_file_is_restyled_too(tmp_path):
    path = tmp_path / "hero.html"
    fresh = ALL["studio"]().html() + "\n"
    path.write_text(fresh.replace("</style>", " p {}</style>"), encoding="utf8")
    assert restyle.refresh(path) and path.read_text("utf8") == fresh


@pytest.mark.parametrize("text", ["<figure>", ALL["chart"]().html().replace("chart", "film", 1)])
def test_what_is_not_ours_is_named(text):
    with pytest.raises(ConfigError, match="run the cell that made it again"):
        figure_html.restyle(text)
