"""What every chapter keeps to: its anatomy, stored outputs, alt texts, budgets, links, keys."""

import ast
import base64
import io
import re
from pathlib import Path

import address
import nbformat
import pytest
import yaml
from notebooks import ROOT, is_normalised
from PIL import Image

from attnoise.figures.claims import COLUMNS

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
PAGES = [TOC["root"], *(c["file"] for part in TOC["parts"] for c in part["chapters"])]
CHAPTERS = [page for page in PAGES if not (ROOT / f"{page}.md").exists()]

LIMITS = {  # least and most; what exercises add is not counted
    "cells": (40, 80),
    "words of prose": (1500, 3600),
    "lines of code": (150, 330),
    "lines in a cell": (1, 25),
    "exercises": (4, 6),
}


FOLDED_PROOF = re.compile(r"<details>\s*<summary>Proof.*?</details>", re.S)
# Chapters whose claims stand in a table (see "Changing the course" in the guide for instructors).
WITH_CLAIMS = [
    *(f"book/attention/{name}" for name in ("attention", "positions")),
    *(f"book/transformers/{name}" for name in ("block", "gpt")),
    *(
        f"book/diffusion/{name}"
        for name in ("forward-process", "reverse-process", "samplers", "flow-matching", "guidance")
    ),
    "book/latent/autoencoders",
]


def load(chapter: str) -> nbformat.NotebookNode:
    path = ROOT / f"{chapter}.ipynb"
    assert path.exists(), f"_toc.yml lists {chapter}, but {path.name} is not there"
    return nbformat.read(path, as_version=4)


def code_cells(chapter: str) -> list:
    return [cell for cell in load(chapter).cells if cell.cell_type == "code"]


def prose(chapter: str) -> str:
    return "\n\n".join(c.source for c in load(chapter).cells if c.cell_type == "markdown")


def tags(cell) -> list:
    return cell.metadata.get("tags", [])


def test_the_book_has_its_chapters():
    assert {
        "book/attention/attention",
        "book/diffusion/forward-process",
        "book/diffusion/reverse-process",
    } <= set(CHAPTERS)
    for page in PAGES:
        assert (ROOT / f"{page}.md").exists() or (ROOT / f"{page}.ipynb").exists(), page


def without_imports(source: str) -> list[str]:
    """Return the lines of a cell that are neither empty nor part of an import."""
    lines = source.splitlines()
    magics = [line for line in lines if line.startswith(("%", "!"))]
    tree = ast.parse("\n".join("" if line in magics else line for line in lines))
    imports = {
        row
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for row in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return [line for row, line in enumerate(lines, 1) if line.strip() and row not in imports]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_length(chapter):
    untold = {"setup", "check", "solution", "claims"}
    sources = [c.source for c in code_cells(chapter) if not untold & set(tags(c))]
    code = [source.splitlines() for source in sources]
    told = [line for source in sources for line in without_imports(source)]
    text = FOLDED_PROOF.sub(" ", prose(chapter).split("## Exercises")[0])
    text = re.sub(r"\$\$.*?\$\$|<[^>]+>|\$[^$]+\$|`[^`]+`", " ", text, flags=re.S)
    measured = {
        "cells": [len(load(chapter).cells)],
        "words of prose": [len(re.findall(r"[A-Za-z][\w'-]*", text))],
        "lines of code": [len(told)],
        "lines in a cell": [len(cell) for cell in code],
        "exercises": [len(re.findall(r"(?m)^### Exercise \d", prose(chapter)))],
    }
    for name, values in measured.items():
        least, most = LIMITS[name]
        assert least <= min(values), f"{chapter}: {min(values)} {name}, wanted {least} or more"
        assert max(values) <= most, f"{chapter}: {max(values)} {name}, wanted {most} or fewer"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_anatomy(chapter):
    cells = load(chapter).cells
    assert re.match(r"# \S", cells[0].source), "the first cell is the title"
    assert "?" in cells[0].source, "the first cell asks the chapter's question"
    assert "setup" in tags(cells[1])
    assert cells[1].source == address.setup_source(address.address(ROOT / "_config.yml"))
    assert not cells[1].outputs
    assert "You will" in cells[2].source
    headings = re.findall(r"(?m)^## (.+)$", prose(chapter))
    for wanted in ("What breaks", "Summary", "Exercises", "Sources"):
        assert any(wanted.lower() in heading.lower() for heading in headings), (
            f"no section {wanted}"
        )
    assert (
        len(re.findall(r"(?m)^\s*assert\b", "\n".join(c.source for c in code_cells(chapter)))) >= 8
    )
    assert "{cite" in prose(chapter)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_exercises_have_level_minutes_hints_solution_and_check(chapter):
    cells = load(chapter).cells
    starts = [
        i
        for i, c in enumerate(cells)
        if c.cell_type == "markdown" and c.source.startswith("### Exercise")
    ]
    for number, start in enumerate(starts, start=1):
        text, rest = cells[start].source, cells[start + 1 : start + 3]
        assert text.startswith(f"### Exercise {number} · ")
        assert re.search(r"\*(trace|code|derive|explore) · \d+ minutes\*", text)
        assert len(re.findall(r"<details>\s*<summary>Hint", text)) >= 2, (
            f"exercise {number}: staged hints"
        )
        assert "solution" in tags(rest[0])
        assert "### BEGIN SOLUTION" in rest[0].source
        assert "check" in tags(rest[1])
        assert rest[1].outputs[0].data["text/plain"].startswith("✓")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_description_and_proof(chapter):
    description = load(chapter).metadata.get("description", "")
    assert 60 <= len(description) <= 160
    name = chapter.split("/")[-1].replace("-", "_")
    assert (ROOT / "code/attnoise/exercises" / f"{name}.py").exists()
    proof = (ROOT / "tests/exercises" / f"test_{name}.py").read_text("utf8")
    assert "prove(" in proof


def test_every_notebook_is_listed():
    found = {
        str(p.relative_to(ROOT).with_suffix(""))
        for p in (ROOT / "book").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in p.parts
    }
    assert found == set(CHAPTERS)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_stored_as_the_tools_store_it(chapter):
    assert is_normalised(ROOT / f"{chapter}.ipynb"), "run: python tools/notebooks.py normalise"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_outputs_are_committed_and_free_of_errors(chapter):
    shown = [c for c in code_cells(chapter) if c.outputs]
    assert len(shown) >= 15
    for cell in shown:
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in tags(cell)
            assert output.get("name") != "stderr", output.text
    assert (ROOT / f"{chapter}.ipynb").stat().st_size < 1_000_000


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_outputs_hold_no_paths_times_or_addresses(chapter):
    for cell in code_cells(chapter):
        for output in cell.outputs:
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"/home/|/root/|/tmp/|site-packages|0x[0-9a-f]{6}|it/s\b", text), (
                text
            )


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_picture_says_what_it_shows(chapter):
    found = []
    for cell in code_cells(chapter):
        pictures = [
            o
            for o in cell.outputs
            if "image/png" in o.get("data", {}) and "text/html" not in o.data
        ]
        if pictures:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) >= 40, f"a picture without alt text in: {cell.source[:60]!r}"
            found.append(alt)
    assert len(found) >= 3
    assert len(set(found)) == len(found), "two pictures share one alt text"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_one_moving_figure_or_more_without_interact(chapter):
    source = "\n".join(c.source for c in code_cells(chapter))
    for banned in (
        "interact(",
        "interactive_output",
        "widgets.Output",
        "%matplotlib",
        "torch.compile",
    ):
        assert banned not in source
    html = [
        o.data["text/html"]
        for c in code_cells(chapter)
        for o in c.outputs
        if "text/html" in o.get("data", {})
    ]
    assert any("pan-fig" in page for page in html)
    assert all(len(page) <= 300_000 for page in html)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_moving_figure_is_a_slide_show_of_plots(chapter):
    stored = [o.data for c in code_cells(chapter) for o in c.outputs if "data" in o]
    pages = [data["text/html"] for data in stored if "pan-fig-data" in data.get("text/html", "")]
    assert pages
    for page in pages:
        for picture in pictures_within(
            page.split('class="pan-fig-data">')[1].split("</script>")[0]
        ):
            assert (
                picture.height <= 64
            )  # a picture that a model reads or paints, or several in a row


def pictures_within(text: str) -> list[Image.Image]:
    """The pictures in a figure's data, also those in the data within it."""
    found = []
    for kind, content in re.findall(r"data:([\w/+-]+);base64,([A-Za-z0-9+/=]+)", text):
        content = base64.b64decode(content)
        if kind.startswith("image/"):
            found.append(Image.open(io.BytesIO(content)))
        elif kind == "application/json":
            found += pictures_within(content.decode())
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_chapter_ends_in_numbers_beside_a_baseline_and_an_end_of_the_scale(chapter):
    printed = "\n".join(o.get("text", "") for c in code_cells(chapter) for o in c.outputs).lower()
    text = printed + prose(chapter).lower()
    assert "baseline" in text
    # chance or ceiling for what is counted, the floor for a distance between sets
    assert re.search(r"\b(chance|ceiling|floor)\b", text), f"{chapter}: from where to where?"


@pytest.mark.parametrize("chapter", WITH_CLAIMS)
def test_claims_stand_in_a_table_before_the_summary(chapter):
    cells = load(chapter).cells
    (place,) = (i for i, cell in enumerate(cells) if "claims" in tags(cell))
    before, after = (
        "\n".join(c.source for c in part if c.cell_type == "markdown")
        for part in (cells[:place], cells[place:])
    )
    assert "## What survived" in before and "## Summary" in after and "## Summary" not in before
    (table,) = (o.data["text/markdown"] for o in cells[place].outputs if "data" in o)
    head, _, *rows = table.splitlines()
    assert head == f"| {' | '.join(COLUMNS)} |"
    assert len(rows) >= 4
    assert any("**Fell**" in row for row in rows), "claims that fell are told, too"
    measured = [row for row in rows if re.search(r"\d", row.split(" | ")[-1])]
    assert len(measured) == len(rows), "what came out is a number"
    assert "{" in cells[place].source, "and the cell computes it"


def keys() -> set[str]:
    return set(re.findall(r"(?m)^@\w+\{([^,]+),", (ROOT / "book/references.bib").read_text("utf8")))


@pytest.mark.parametrize("page", PAGES)
def test_citations_and_local_links_lead_somewhere(page):
    path = ROOT / f"{page}.md"
    text = path.read_text("utf8") if path.exists() else prose(page)
    for cited in re.findall(r"\{cite[:\w]*\}`([^`]+)`", text):
        missing = {key.strip() for key in cited.split(",")} - keys()
        assert not missing, f"{page} cites {missing}"
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:|\{", target):
            place = (ROOT / page).parent / target
            options = (place, Path(f"{place}.md"), Path(f"{place}.ipynb"))
            assert any(p.exists() for p in options), f"{page}: {target}"
