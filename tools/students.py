"""Make the student edition: the book's notebooks without solutions, and a website of them.

  python tools/students.py             notebooks into _build/students/
  python tools/students.py --site      and the website into _build/students/_build/html/

In the master notebooks a solution stands between `### BEGIN SOLUTION` and `### END SOLUTION`
(nbgrader's marks) in a cell with the tag `solution`; the cell after it, tagged `check`, checks it.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from notebooks import ROOT, all_notebooks, normalise, write

REGION = re.compile(
    r"^(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?P<body>.*?)^[ \t]*### END SOLUTION[ \t]*\n?",
    re.MULTILINE | re.DOTALL,
)
HEADING = re.compile(r"^### (Exercise \d+)", re.MULTILINE)
CHECK = re.compile(r"^check\.(\w+)\(", re.MULTILINE)
# What a site is built from.
COPIED = (
    "book",
    "web",
    "_config.yml",
    "_toc.yml",
    "pyproject.toml",
    "CITATION.cff",
    "CHANGELOG.md",
)


def stub(source: str, exercise: str) -> str:
    """Return a solution cell with its solution taken out.

    Inside a function a NotImplementedError takes its place; at the top level nothing does, so
    that the answer keeps the None that stands above it.

    Raises:
        SystemExit: The cell has no solution marks.
    """

    def replace(match: re.Match) -> str:
        indent = match["indent"]
        return f'{indent}raise NotImplementedError("{exercise}: your turn")\n' if indent else ""

    result, count = REGION.subn(replace, source + "\n")
    if not count:
        raise SystemExit(
            f"{exercise}: the solution cell has no ### BEGIN SOLUTION ... END SOLUTION."
        )
    return result.rstrip("\n")


def student_edition(notebook: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, list[dict]]:
    """Return a notebook without solutions, and a list of its exercises.

    Outputs of solutions and checks go as well; all others stay.
    """
    result, listed, exercise = nbformat.from_dict(notebook), [], "Exercise"
    for cell in result.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and HEADING.search(cell.source):
            exercise = HEADING.search(cell.source)[1]
        if "solution" in tags:
            cell.source, cell.outputs = stub(cell.source, exercise), []
            cell.metadata.tags = [
                "exercise",
                *(t for t in tags if t not in ("solution", "hide-input")),
            ]
            cell.metadata.pop("mystnb", None)
        elif "check" in tags:
            cell.outputs = []
            listed.append({"exercise": exercise, "check": CHECK.search(cell.source)[1]})
    return normalise(result), listed


def make(out: Path, root: Path = ROOT) -> dict[str, list[dict]]:
    """Write the student edition of everything into a fresh folder, and return its manifest."""
    if out.exists() and any(out.iterdir()) and not (out / "manifest.json").exists():
        raise SystemExit(f"{out} holds something else than a student edition; name another folder.")
    shutil.rmtree(out, ignore_errors=True)
    for name in COPIED:
        source, target = root / name, out / name
        if source.is_dir():
            ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
            shutil.copytree(source, target, ignore=ignore)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    config = out / "_config.yml"  # Colab's buttons of this site open this edition's own branch
    config.write_text(config.read_text("utf8").replace("branch: colab", "branch: students"), "utf8")
    manifest = {}
    for path in all_notebooks(out):
        edition, listed = student_edition(nbformat.read(path, as_version=4))
        write(path, edition)
        manifest[str(path.relative_to(out))] = listed
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf8")
    return manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "students")
    parser.add_argument("--site", action="store_true", help="build the website as well")
    options = parser.parse_args()
    manifest = make(options.out)
    count = sum(map(len, manifest.values()))
    print(f"{options.out}: {len(manifest)} notebooks, {count} exercises, no solutions")
    if options.site:
        book = Path(sys.executable).with_name("jupyter-book")
        command = [book, "build", ".", "-W", "--keep-going", "-q"]
        subprocess.run(command, cwd=options.out, check=True)
        print(f"Open {options.out / '_build' / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
