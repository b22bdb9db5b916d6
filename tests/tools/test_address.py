"""The address tool: one address everywhere, and a fork's own where it publishes."""

import sys

import address
import nbformat
import pytest
from tests.tools.make_book import URL, make_book


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["address.py", *map(str, arguments)])
    address.main()


def test_stamps_the_address_of_the_config(tmp_path, monkeypatch):
    path = make_book(tmp_path)
    with pytest.raises(SystemExit, match="other address than _config.yml: .*chapter.ipynb"):
        run(monkeypatch, "--check", "--root", tmp_path)
    run(monkeypatch, "--root", tmp_path)
    run(monkeypatch, "--check", "--root", tmp_path)
    source = nbformat.read(path, as_version=4).cells[1].source
    assert f"attnoise @ git+{URL}@main" in source


def test_a_fork_gets_its_own(tmp_path, monkeypatch):
    path = make_book(tmp_path)
    run(monkeypatch, "--url", "https://github.com/fork/of-it.git", "--root", tmp_path)
    assert "https://github.com/fork/of-it\n" in (tmp_path / "_config.yml").read_text()
    assert URL not in (tmp_path / "_config.yml").read_text()
    source = nbformat.read(path, as_version=4).cells[1].source
    assert "git+https://github.com/fork/of-it@main" in source
    assert URL not in path.read_text()


def test_a_bad_address_changes_nothing(tmp_path, monkeypatch):
    path = make_book(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="must look like https://HOST/OWNER/REPOSITORY"):
        run(monkeypatch, "--url", "github.com/fork", "--root", tmp_path)
    assert path.read_bytes() == before


def test_set_up_cell_does_nothing_outside_colab():
    source = address.setup_source(URL)
    lines = source.splitlines()
    assert sum("%pip install -q" in line for line in lines) == 2
    names = {}
    exec("\n".join("    installed = True" if "%pip" in line else line for line in lines), names)
    assert "installed" not in names


def test_a_notebook_without_the_cell_is_named(tmp_path, monkeypatch):
    path = make_book(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    del notebook.cells[1]
    nbformat.write(notebook, path)
    with pytest.raises(
        SystemExit, match="chapter.ipynb: expected one cell with the tag 'setup', found 0"
    ):
        run(monkeypatch, "--root", tmp_path)


def test_diagrams_link_to_the_fork(tmp_path, monkeypatch):
    path = make_book(tmp_path)
    link = '<figure data-files="https://github.com/old/one/blob/main/code/attnoise/">'
    notebook = nbformat.read(path, as_version=4)
    output = nbformat.v4.new_output("display_data", data={"text/html": link})
    notebook.cells.append(nbformat.v4.new_code_cell("1", outputs=[output]))
    nbformat.write(notebook, path)
    (tmp_path / address.MAP).write_text(link, "utf8")
    with pytest.raises(SystemExit, match="_map.html"):
        run(monkeypatch, "--check", "--root", tmp_path)
    run(monkeypatch, "--url", "https://github.com/fork/of-it", "--root", tmp_path)
    run(monkeypatch, "--check", "--root", tmp_path)
    new = link.replace("old/one", "fork/of-it")
    assert nbformat.read(path, as_version=4).cells[-1].outputs[0].data["text/html"] == new
    assert (tmp_path / address.MAP).read_text("utf8") == new
