"""The notebook tool: what changes from run to run goes, what a reader sees stays."""

import nbformat
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from notebooks import WIDGET_MIME, execute, is_normalised, normalise, write


def noisy():
    """A notebook with everything that differs from run to run."""
    cell = new_code_cell(
        "print(1)  \n\n",
        execution_count=12,
        metadata={"tags": ["x"], "execution": {"iopub.execute_input": "2026"}, "scrolled": True},
        outputs=[
            new_output("stream", name="stdout", text="1\n"),
            new_output("stream", name="stdout", text="2\n"),
            new_output("display_data", {WIDGET_MIME: {"model_id": "abc"}}),
            new_output("display_data", {WIDGET_MIME: {"model_id": "abc"}, "text/html": "<b>x</b>"}),
        ],
    )
    metadata = {
        "widgets": {"state": 1},
        "language_info": {"name": "python", "version": "3.11.7"},
        "description": "d",
    }
    return new_notebook(cells=[cell], metadata=metadata)


def test_volatile_parts_go_and_outputs_stay():
    result = normalise(noisy())
    (cell,) = result.cells
    assert result.metadata.keys() == {"kernelspec", "language_info", "description"}
    assert "version" not in result.metadata.language_info
    assert cell.metadata == {"tags": ["x"]}
    assert cell.execution_count == 1
    assert cell.source == "print(1)"
    assert [o.output_type for o in cell.outputs] == ["stream", "display_data"]
    assert cell.outputs[0].text == "1\n2\n"
    assert cell.outputs[1].data == {"text/html": "<b>x</b>"}
    nbformat.validate(result)


def test_normalising_twice_changes_nothing(tmp_path):
    path = tmp_path / "a.ipynb"
    nbformat.write(noisy(), path)
    assert not is_normalised(path)
    write(path, normalise(nbformat.read(path, as_version=4)))
    once = path.read_bytes()
    assert is_normalised(path)
    write(path, normalise(nbformat.read(path, as_version=4)))
    assert path.read_bytes() == once
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


def test_running_stores_outputs(tmp_path):
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("print(20 + 3)")]), path)
    execute(path)
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "23\n"
    assert is_normalised(path)


def test_a_failing_cell_is_named_and_nothing_is_stored(tmp_path):
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="a.ipynb: cell 1 failed with ZeroDivisionError"):
        execute(path)
    assert path.read_bytes() == before


def test_check_names_what_to_run(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    nbformat.write(noisy(), path)
    monkeypatch.setattr("sys.argv", ["notebooks.py", "check", str(path)])
    with pytest.raises(SystemExit, match="not normalised: .*a.ipynb; run: "):
        notebooks.main()
