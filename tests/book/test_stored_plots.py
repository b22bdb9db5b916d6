"""The chapters' plots: vectors with a number, a caption and an alternative; colours that belong.

A stored plot says which ideas' colours it wears, and with what words (figures/vector.py); so a
colour that a method, a variant or a measure has borrowed is found, however it was chosen.
"""

import json
import re

import nbformat
import pytest
from notebooks import normalise
from test_chapters import CHAPTERS, code_cells, prose

SVG = "image/svg+xml"
NAME_OF_A_FILE = re.compile(r"\.(png|svg|webp|jpe?g|gif)\b|_images/|^[0-9a-f]{16,}")
# What may wear an idea's colour: the idea itself, and what it is called where it is drawn.
WORDS = {
    "query": r"\bquer(y|ies)\b",
    "key": r"\bkeys?\b",
    "value": r"\bvalues?\b",
    "data": r"\b(data|real|x0|class means?|training (digits|points))\b",
    "noise": r"\b(noise|noisy|noised)\b",
    "prediction": r"\b(predict\w*|samples?|sampled|particles|x0_hat)\b",
}


def plots(chapter: str) -> list[tuple]:
    """Each cell that draws, with its plots; a figure that moves has html and is none."""
    found = []
    for cell in code_cells(chapter):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}) and "text/html" not in output.data:
                found.append((cell, output.data))
    return found


def worn(svg: str) -> dict[str, list[str]]:
    """Read which ideas' colours a stored plot wears."""
    return json.loads(re.search(r"<metadata>(.*?)</metadata>", svg)[1])


def borrowed(svg: str) -> list[str]:
    """List the words of a plot that wear the colour of an idea that they do not name."""
    return [
        f"{words!r} wears the colour of {idea}"
        for idea, all_words in worn(svg).items()
        for words in all_words
        if not re.search(WORDS[idea], words, re.IGNORECASE)
    ]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_plot_is_stored_as_vectors_too(chapter):
    shown = plots(chapter)
    assert len(shown) >= 2
    for cell, data in shown:
        assert data.get(SVG, "").startswith("<svg"), f"pixels alone in: {cell.source[:60]!r}"
        assert len(data[SVG]) < 120_000, f"too heavy for a page: {cell.source[:60]!r}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_plot_borrows_an_ideas_colour(chapter):
    for cell, data in plots(chapter):
        assert not borrowed(data[SVG]), f"{borrowed(data[SVG])} in: {cell.source[:60]!r}"


def test_a_borrowed_colour_is_seen():
    good = '<svg><metadata>{"data": ["real digits"], "query": ["query"]}</metadata></svg>'
    assert borrowed(good) == []
    bad = '<svg><metadata>{"key": ["precision"], "value": ["agreement"]}</metadata></svg>'
    assert len(borrowed(bad)) == 2


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_plot_has_name_caption_and_alternative(chapter):
    seen = set()
    for cell, _ in plots(chapter):
        about = cell.metadata.get("mystnb", {})
        figure, alt = about.get("figure", {}), about.get("image", {}).get("alt", "")
        where = f"in: {cell.source[:60]!r}"
        assert re.fullmatch(r"fig-[a-z0-9-]+", figure.get("name", "")), f"no name {where}"
        assert 40 <= len(figure.get("caption", "")) <= 320, f"no caption {where}"
        assert figure["caption"].rstrip().endswith((".", "?", "!")), where
        assert len(alt) >= 40 and not NAME_OF_A_FILE.search(alt), f"no alternative {where}"
        assert alt != figure["caption"], (
            "the caption says what it shows, the alternative what is seen"
        )
        seen |= {figure["caption"], alt}
    assert len(seen) == 2 * len(plots(chapter)), "two plots share their words"


def test_names_are_unique_and_the_text_refers_to_them():
    names = [cell.metadata.mystnb.figure.name for chapter in CHAPTERS for cell, _ in plots(chapter)]
    assert len(names) == len(set(names))
    for chapter in CHAPTERS:
        called = set(re.findall(r"\{numref\}`([\w-]+)`", prose(chapter)))
        assert called, f"{chapter} refers to no figure"
        assert called <= set(names), f"{chapter}: {called - set(names)}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_text_says_no_above_or_below_of_a_plot(chapter):
    found = re.findall(
        r"[^.\n]*\b(?:figure|plot|picture|chart)s? (?:above|below)\b[^.\n]*", prose(chapter)
    )
    assert not found, f"name its number: {found}"


def test_the_tool_keeps_what_a_plot_is_called():
    cell = nbformat.v4.new_code_cell(
        "plt.show()", metadata={"mystnb": {"figure": {"name": "fig-a", "caption": "A."}}}
    )
    cell.outputs = [
        nbformat.v4.new_output("display_data", {SVG: "<svg></svg>", "image/png": "aaaa"})
    ]
    (kept,) = normalise(nbformat.v4.new_notebook(cells=[cell])).cells
    assert kept.metadata.mystnb.figure == {"name": "fig-a", "caption": "A."}
    assert kept.outputs[0].data[SVG] == "<svg></svg>"
