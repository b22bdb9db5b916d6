"""Give stored moving figures today's styles and scripts, without running a chapter.

  python tools/restyle.py [FILE ...]    bring what is stored up to date
  python tools/restyle.py --check       exit with 1 if something stored is older than the code

Without names, all notebooks under book/ and the landing page's figure. What a figure shows stays:
where its numbers changed, run the chapter again (tools/notebooks.py execute, tools/hero.py).
"""

import argparse
import sys
from pathlib import Path

import nbformat
from notebooks import ROOT, all_notebooks, write

from attnoise.figures.figure_html import restyle

HERO = ROOT / "book" / "_hero.html"
MARK = '<figure class="pan-fig"'


def blocks(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the data of the outputs that hold a figure."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    data = [output.data for output in outputs if "text/html" in output.get("data", {})]
    return [each for each in data if each["text/html"].startswith(MARK)]


def refresh(path: Path, *, check: bool = False) -> bool:
    """Restyle every figure in a notebook or an html file; say whether any was out of date."""
    if path.suffix == ".html":
        old = path.read_text("utf8")
        new = restyle(old) + "\n"
        if new != old and not check:
            path.write_text(new, encoding="utf8", newline="\n")
        return new != old
    notebook, changed = nbformat.read(path, as_version=4), False
    for data in blocks(notebook):
        new = restyle(data["text/html"])
        changed = changed or new != data["text/html"]
        data["text/html"] = new
    if changed and not check:
        write(path, notebook)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    files = options.files or [*all_notebooks(), HERO]
    old = [path for path in files if refresh(path, check=options.check)]
    if options.check and old:
        sys.exit(f"older than the code: {', '.join(map(str, old))}; run: python tools/restyle.py")


if __name__ == "__main__":
    main()
