"""Run the book's notebooks, and keep what is stored in them stable.

  python tools/notebooks.py execute [NOTEBOOK ...]    run from top to bottom, then normalise
  python tools/notebooks.py normalise [NOTEBOOK ...]  drop what changes from run to run
  python tools/notebooks.py check [NOTEBOOK ...]      exit with 1 if a notebook is not normalised

Without names, all notebooks under book/. Outputs are kept: the website and Colab show them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}
KEPT_METADATA = ("description", "myst")  # beside METADATA: what the author wrote
KEPT_CELL_METADATA = ("tags", "mystnb")


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook with everything dropped that differs from run to run.

    Widgets and their state go (a page shows the html beside them), as do timestamps and versions;
    cells are named and counted in order; neighbouring pieces of one stream become one.
    """
    result = nbformat.from_dict(notebook)
    kept = {key: notebook.metadata[key] for key in KEPT_METADATA if key in notebook.metadata}
    result.metadata = nbformat.from_dict({**METADATA, **kept})
    result.nbformat, result.nbformat_minor = 4, 5
    count = 0
    for index, cell in enumerate(result.cells):
        cell.id = f"cell-{index:02d}"
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
        kept = {k: cell.metadata[k] for k in KEPT_CELL_METADATA if cell.metadata.get(k)}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = normalise_outputs(cell.outputs, count)
    return result


def normalise_outputs(outputs: list, count: int) -> list:
    """Return a cell's outputs without widgets, and with neighbouring streams merged."""
    kept: list = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
            continue
        if "data" in output:
            output.data.pop(WIDGET_MIME, None)
            # A picture's size on the page is kept; what a frontend adds is not.
            size = {k: v for k, v in output.metadata.items() if k == "image/png"}
            output.metadata = nbformat.from_dict(size)
            if not output.data:
                continue
        if output.output_type == "execute_result":
            output.execution_count = count
        kept.append(output)
    return kept


def execute(path: Path) -> None:
    """Run a notebook in a fresh kernel and store it, normalised, only if every cell went through.

    Raises:
        SystemExit: A cell failed; the message names notebook, cell and error.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    running = {"cell": 0}
    client.on_cell_start = lambda cell, cell_index: running.update(cell=cell_index)
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        kind = getattr(error, "ename", type(error).__name__)
        reason = getattr(error, "evalue", "")
        raise SystemExit(
            f"{path}: cell {running['cell']} failed with {kind}: {reason}\n{error}"
        ) from error
    write(path, normalise(notebook))


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook, whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf8", dir=path.parent, suffix=".tmp", delete=False
    ) as file:
        nbformat.write(notebook, file)
    temporary = Path(file.name)
    temporary.chmod(0o644)
    temporary.replace(path)


def is_normalised(path: Path) -> bool:
    """Say whether normalising would leave the file as it is."""
    notebook = nbformat.read(path, as_version=4)
    return nbformat.writes(normalise(notebook)).rstrip() == path.read_text("utf8").rstrip()


def all_notebooks(root: Path = ROOT) -> list[Path]:
    """List the book's notebooks."""
    found = (root / "book").rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["execute", "normalise", "check"])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all under book/ if none is named")
    options = parser.parse_args()
    bad = []
    for path in options.notebooks or all_notebooks():
        if not path.exists():
            raise SystemExit(f"{path} does not exist.")
        if options.action == "execute":
            execute(path)
        elif options.action == "normalise":
            write(path, normalise(nbformat.read(path, as_version=4)))
        elif not is_normalised(path):
            bad.append(str(path))
    if bad:
        sys.exit(f"not normalised: {', '.join(bad)}; run: python tools/notebooks.py normalise")


if __name__ == "__main__":
    main()
