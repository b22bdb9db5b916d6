"""The book as a PDF, on two of its pages: tags, words for formulas, outline, pages, links."""

import re
from concurrent.futures import ThreadPoolExecutor

import pdf
import pikepdf
import pytest
from bs4 import BeautifulSoup
from formula_words import words
from onepage import parts
from pdf_tags import kids, pages_of_places
from pikepdf import Name
from site_tools import ROOT, SITE, documents, page_file, parsed

from browser import find_browser
from conftest import NO_BROWSER

CHAPTER = "book/attention/attention"
BOOK = [("", ["book/notation"]), ("Part I · Attention", [CHAPTER])]


@pytest.mark.parametrize("name", documents())
def test_every_formula_can_be_said(name):
    for formula in parsed(f"{name}.html").select("article math"):
        said = words(formula)
        assert re.search(r"\w", said), f"{formula} says nothing"
        strange = set(re.findall(r"[^\x20-\x7e’]", said))
        assert not strange, f"{formula.get_text()} is read as {said!r}"


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    if find_browser() is None:
        pytest.skip(NO_BROWSER)
    page_file(f"{CHAPTER}.html")
    out = tmp_path_factory.mktemp("pdf")
    with ThreadPoolExecutor() as pool:  # in this thread Playwright runs already, for other tests
        file = pool.submit(pdf.make, SITE, BOOK, out).result()
    return pikepdf.open(file), BeautifulSoup((out / "book.html").read_text("utf8"), "html.parser")


def elements(book, kind: str) -> list:
    """All elements of the structure that are of one kind."""
    found, waiting = [], kids(book.Root.StructTreeRoot)
    while waiting:
        element = waiting.pop()
        if isinstance(element, pikepdf.Dictionary) and "/S" in element:
            waiting += kids(element)
            found += [element] if str(element.S) == f"/{kind}" else []
    return found


@pytest.mark.in_browser
def test_each_formula_is_one_element_with_words(printed):
    book, page = printed
    formulas = elements(book, "Formula")
    said = {tag["aria-label"] for tag in page.select(".katex")}
    assert len(said) > 50 and {str(one.Alt) for one in formulas} == said
    for formula in formulas:
        assert kids(formula), "nothing on the page belongs to it"
        assert not any("/S" in kid for kid in kids(formula) if isinstance(kid, pikepdf.Dictionary))


@pytest.mark.in_browser
def test_the_structure_has_no_empty_containers_and_every_picture_a_description(printed):
    book, _ = printed
    assert elements(book, "NonStruct") == []
    pictures = elements(book, "Figure")
    assert len(pictures) >= 8
    for picture in pictures:
        assert len(str(picture.get("/Alt", ""))) >= 10
    assert len(elements(book, "Table")) >= 1 and len(elements(book, "TH")) >= 3


@pytest.mark.in_browser
def test_the_file_says_its_title_and_language(printed):
    book, page = printed
    assert book.Root.MarkInfo.Marked and str(book.Root.Lang) == "en"
    assert str(book.docinfo["/Title"]) == page.title.get_text()


@pytest.mark.in_browser
def test_the_outline_names_parts_chapters_and_sections(printed):
    book, _ = printed
    with book.open_outline() as outline:
        top = {item.title: [child.title for child in item.children] for item in outline.root}
        chapter = next(c for i in outline.root for c in i.children if "Attention" in c.title)
        sections = [child.title for child in chapter.children]
    assert top["Part I · Attention"] == ["1. Attention"]
    assert {"Contents", "Appendix · Solutions"} <= top.keys()
    assert "A soft look-up" in sections and "Why divide by square root of k?" in sections


@pytest.mark.in_browser
def test_the_contents_and_the_links_to_solutions_name_the_right_pages(printed):
    book, page = printed
    places = pages_of_places(book)
    tags = page.select(".page-of")
    assert len(tags) >= 10
    for tag in tags:
        assert int(tag.get_text()) == places[tag["data-of"]], tag["data-of"]
    assert (
        places["attention-attention--solution-1"]
        > places["attention-attention--exercise-6-how-sharp"]
    )


@pytest.mark.in_browser
def test_every_link_leads_somewhere_and_says_where(printed):
    book, _ = printed
    places = pages_of_places(book)
    notes = [note for sheet in book.pages for note in sheet.get("/Annots", ())]
    assert len(notes) >= 50
    for note in notes:
        assert note.Subtype == Name.Link and str(note.Contents)
        target = note.get("/Dest", note.get("/A", {}).get("/D"))
        if target is not None:
            assert str(target).removeprefix("/") in places
        else:
            assert str(note.A.URI).startswith("https://"), note.A


@pytest.mark.in_browser
def test_nothing_of_the_screen_and_no_hint_is_left(printed):
    _, page = printed
    text = page.get_text()
    for pattern in (
        r"Open this chapter in Colab",
        r"(Show|Hide) (the|a) (code|solution)",
        r"Hint \d",
        r"### (BEGIN|END)",
        r"%pip",
    ):
        assert not re.search(pattern, text), pattern
    solutions = page.select("#solutions .solution")
    assert len(solutions) == len(parsed(f"{CHAPTER}.html").select(".tag_solution"))
    for solution in solutions:
        assert solution.select_one(".cell_input pre").get_text().strip()
        assert "✓" in solution.select_one(".cell_output").get_text()


def test_the_whole_book_has_every_page_but_the_readers_own():
    listed = [name for _, names in parts(ROOT / "_toc.yml") for name in names]
    assert set(documents()) - set(listed) == {"book/progress"}
