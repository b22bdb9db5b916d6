"""Draw the diagrams in the chapters and on the landing page again, without running a chapter.

  python tools/diagrams.py            store what `diagram("...")` shows today
  python tools/diagrams.py --check    exit with 1 if something stored is older than the code

A cell that holds an import and one call of `diagram` needs nothing from the cells before it.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from address import MAP
from notebooks import ROOT, all_notebooks, write

from attnoise.diagrams import diagram

CALL = re.compile(r'^diagram\("([\w-]+)"\)$', re.M)
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")


def shown(name: str) -> nbformat.NotebookNode:
    """Return the output of a cell that ends in `diagram(name)`."""
    data, metadata = diagram(name)._repr_mimebundle_()
    return nbformat.v4.new_output("execute_result", data=data, metadata=metadata)


def cells(notebook: nbformat.NotebookNode) -> list[tuple[nbformat.NotebookNode, str]]:
    """Return the cells that show a diagram, with its name."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell, found[1]) for cell in code if (found := CALL.search(cell.source))]


def differs(old: str, new: str) -> bool:
    """Say whether two texts differ in more than the bytes of a picture."""
    return PICTURE.sub("", old) != PICTURE.sub("", new)


def refresh(path: Path, *, check: bool = False) -> bool:
    """Draw a notebook's diagrams again where they changed; say whether any did."""
    notebook, changed = nbformat.read(path, as_version=4), False
    for cell, name in cells(notebook):
        output = shown(name)
        output.execution_count = cell.execution_count
        old = cell.outputs[0].data["text/html"] if cell.outputs else ""
        if differs(old, output.data["text/html"]):
            cell.outputs, changed = [output], True
    if changed and not check:
        write(path, notebook)
    return changed


def refresh_map(path: Path, *, check: bool = False) -> bool:
    """Draw the map of the book again for the landing page; say whether it changed."""
    new = diagram("book-map").html() + "\n"
    old = path.read_text("utf8") if path.exists() else ""
    if old != new and not check:
        path.write_text(new, encoding="utf8", newline="\n")
    return old != new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    old = [path for path in all_notebooks() if refresh(path, check=options.check)]
    old += [ROOT / MAP] if refresh_map(ROOT / MAP, check=options.check) else []
    if options.check and old:
        sys.exit(f"older than the code: {', '.join(map(str, old))}; run: python tools/diagrams.py")


if __name__ == "__main__":
    main()
