"""A one-chapter book in a temporary folder, for the tests of the tools."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

URL = "https://github.com/somebody/course"
SOLUTION = '''\
def my_double(x):
    """Return 2 x."""
    ### BEGIN SOLUTION
    secret = x + x
    return secret
    ### END SOLUTION'''
TRACE = """\
my_number = None
### BEGIN SOLUTION
my_number = 40 + 2
### END SOLUTION"""


def code(source: str, *tags: str, outputs=()):
    return new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs))


def make_book(root: Path) -> Path:
    """Write _config.yml and one chapter; return the chapter's path."""
    path = root / "book" / "part" / "chapter.ipynb"
    path.parent.mkdir(parents=True)
    (root / "_config.yml").write_text(f"title: x\nrepository:\n  url: {URL}\n  branch: colab\n")
    result = new_output("execute_result", {"text/plain": "'✓ secret praise'"}, execution_count=7)
    cells = [
        new_markdown_cell("# A chapter"),
        code("old", "setup"),
        code("print(1)", outputs=[new_output("stream", name="stdout", text="1\n")]),
        new_markdown_cell("### Exercise 1 · Double"),
        code(SOLUTION, "solution", "hide-input"),
        code("check.double(my_double)", "check", outputs=[result]),
        new_markdown_cell("### Exercise 2 · Number"),
        code(TRACE, "solution"),
        code("check.number(my_number)", "check"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return path
