"""The mending of tags, on a structure as Chromium writes it."""

import pikepdf
import pytest
from pdf_tags import Facts, kids, mend, name_headings, pages_of_places
from pikepdf import Array, Dictionary, Name

WORDS = "x equals 2"


@pytest.fixture
def pdf():
    """One page: a paragraph with a piece of text, a formula of two signs, and a picture."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page()
    page.StructParents = 0
    made = []

    def element(kind, *inside, **more):
        one = pdf.make_indirect(
            Dictionary(Type=Name.StructElem, S=Name(f"/{kind}"), Pg=page.obj, **more)
        )
        one.K = Array(inside)
        for kid in inside:
            if not isinstance(kid, int):
                kid.P = one
        made.append(one)
        return one

    text, x, two = element("NonStruct", 0), element("NonStruct", 1), element("NonStruct", 2)
    formula = element("Figure", element("NonStruct", x), two, Alt=WORDS)
    picture = element("Figure", 3, Alt="A curve.")
    paragraph = element("P", text, formula, picture)
    document = element("Document", element("NonStruct", paragraph))
    root = pdf.make_indirect(Dictionary(Type=Name.StructTreeRoot, K=document))
    root.ParentTree = Dictionary(Nums=Array([0, Array([text, x, two, picture])]))
    pdf.Root.StructTreeRoot = root
    link = Dictionary(Subtype=Name.Link, Dest=Name("/there"))
    web = Dictionary(Subtype=Name.Link, A=Dictionary(URI="https://somebody.github.io"))
    page.Annots = Array([pdf.make_indirect(link), pdf.make_indirect(web)])
    pdf.Root.Dests = Dictionary(there=Array([page.obj, Name.XYZ, 0, 0, 0]))
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem("FirstFirst", 0))
        outline.root[0].children.append(pikepdf.OutlineItem("AA", 0))
        outline.root.append(pikepdf.OutlineItem("BB", 0))
    facts = Facts("The book", "en", {WORDS}, ["First", "A", "B"], {"there": "1. First"})
    mend(pdf, facts)
    return pdf


def test_a_formula_is_one_element_that_owns_its_pieces(pdf):
    (document,) = kids(pdf.Root.StructTreeRoot)
    (paragraph,) = kids(document)
    assert paragraph.S == Name.P and paragraph.P == document
    text, formula, picture = kids(paragraph)
    assert (text.MCID, text.Type) == (0, Name.MCR)
    assert formula.S == Name.Formula and str(formula.Alt) == WORDS
    assert [piece.MCID for piece in kids(formula)] == [1, 2]
    assert picture.S == Name.Figure and str(picture.Alt) == "A curve."


def test_each_piece_of_the_page_finds_its_element(pdf):
    owners = pdf.Root.StructTreeRoot.ParentTree.Nums[1]
    assert [owner.S for owner in owners] == [Name.P, Name.Formula, Name.Formula, Name.Figure]


def test_links_say_where_they_lead(pdf):
    notes = pdf.pages[0].Annots
    assert [str(note.Contents) for note in notes] == ["1. First", "https://somebody.github.io"]


def test_the_file_says_its_title_and_language(pdf):
    assert str(pdf.Root.Lang) == "en" and pdf.Root.ViewerPreferences.DisplayDocTitle
    with pdf.open_metadata() as about:
        assert about["dc:title"] == "The book"


def test_places_have_page_numbers(pdf):
    assert pages_of_places(pdf) == {"there": 1}


def test_the_outline_has_the_headings_words(pdf):
    with pdf.open_outline() as outline:
        first, second = outline.root
    assert (first.title, first.children[0].title, second.title) == ("First", "A", "B")
    with pytest.raises(ValueError, match="longer|shorter"):
        name_headings(pdf, ["First"])
