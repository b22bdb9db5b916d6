"""Mend the tags that Chromium writes into a PDF, so that a screen reader finds its way.

Formulas, which come as figures full of single signs, become one Formula each with its words;
containers that mean nothing go; every link says where it leads; the file says what it is called.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf

EMPTY = Name.NonStruct
Key = tuple[int, int]


@dataclass(frozen=True)
class Facts:
    """What the page that was printed says of itself.

    Args:
        title: The document's.
        language: As in html, "en".
        formulas: The words of every formula.
        headings: All headings, in order.
        places: What stands at each place that a link leads to, by the place's id.
    """

    title: str
    language: str
    formulas: set[str]
    headings: list[str]
    places: dict[str, str]


def mend(pdf: Pdf, facts: Facts) -> None:
    """Mend a PDF in place."""
    tree = pdf.Root.StructTreeRoot
    moved: dict[Key, Object] = {}
    sys.setrecursionlimit(10_000)
    flatten(tree, facts.formulas, moved)
    for _, entry in numbers(tree.ParentTree):
        if isinstance(entry, Array):
            for i, element in enumerate(entry):
                if isinstance(element, Dictionary) and element.objgen in moved:
                    entry[i] = owner(element, moved)
    name_links(pdf, facts.places)
    name_headings(pdf, facts.headings)
    pdf.Root.Lang = pikepdf.String(facts.language)
    pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    with pdf.open_metadata(set_pikepdf_as_editor=False) as about:
        about["dc:title"], about["dc:language"] = facts.title, {facts.language}
    pdf.docinfo["/Title"] = facts.title
    if "/Creator" in pdf.docinfo:
        del pdf.docinfo["/Creator"]


def kids(element: Object) -> list:
    """What an element of the structure holds, as a list."""
    inside = element.get("/K")
    if inside is None:
        return []
    return list(inside) if isinstance(inside, Array) else [inside]


def is_element(kid: object) -> bool:
    """Whether something in the structure is an element, and not a piece of a page."""
    return isinstance(kid, Dictionary) and "/S" in kid


def flatten(element: Object, formulas: set[str], moved: dict[Key, Object], inside=False) -> None:
    """Take away containers without a meaning, and everything below a formula but its pieces."""
    if element.get("/S") == Name.Figure and str(element.get("/Alt", "")) in formulas:
        element.S, inside = Name.Formula, True
    result, changed = [], False
    for kid in kids(element):
        if not is_element(kid):
            result.append(kid)
            continue
        flatten(kid, formulas, moved, inside)
        if not inside and (kid.S != EMPTY or "/Alt" in kid):
            result.append(kid)
            continue
        changed = True
        moved[kid.objgen] = element
        for piece in kids(kid):
            if is_element(piece):
                piece.P = element
            elif isinstance(piece, int):
                piece = Dictionary(Type=Name.MCR, Pg=kid.Pg, MCID=piece)
            result.append(piece)
    if changed:
        element.K = Array(result)


def owner(element: Object, moved: dict[Key, Object]) -> Object:
    """The element that took over what another held."""
    while element.objgen in moved:
        element = moved[element.objgen]
    return element


def numbers(tree: Object) -> Iterator[tuple[int, Object]]:
    """Go through a number tree."""
    for branch in tree.get("/Kids", ()):
        yield from numbers(branch)
    pairs = list(tree.get("/Nums", ()))
    yield from zip(map(int, pairs[::2]), pairs[1::2], strict=True)


def name_headings(pdf: Pdf, headings: list[str]) -> None:
    """Write the outline's entries anew: Chromium doubles some of their words.

    Raises:
        ValueError: The outline has not one entry for each heading.
    """
    with pdf.open_outline() as outline:
        entries, waiting = [], list(reversed(outline.root))
        while waiting:
            entries.append(waiting.pop())
            waiting += reversed(entries[-1].children)
        for entry, heading in zip(entries, headings, strict=True):
            entry.title = heading


def name_links(pdf: Pdf, places: dict[str, str]) -> None:
    """Give each link a description: the heading that it leads to, or its address."""
    for page in pdf.pages:
        for note in page.get("/Annots", ()):
            if note.get("/Subtype") != Name.Link:
                continue
            action = note.get("/A", {})
            place = note.get("/Dest", action.get("/D"))
            target = (
                str(place).removeprefix("/") if isinstance(place, (Name, pikepdf.String)) else ""
            )
            words = places.get(target) or str(action.get("/URI", "")) or "a place in this book"
            note.Contents = pikepdf.String(words)


def pages_of_places(pdf: Pdf) -> dict[str, int]:
    """On which page each place lies that a link leads to, counted from 1."""
    number = {page.objgen: i for i, page in enumerate(pdf.pages, 1)}
    return {
        str(name).removeprefix("/"): number[place[0].objgen]
        for name, place in pdf.Root.get("/Dests", {}).items()
    }
