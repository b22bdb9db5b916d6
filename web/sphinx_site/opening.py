"""A chapter's first screen, and its card on the landing page.

In the notebook a figure stands where it is explained. On the page the one whose cell has the tag
`opening` is moved under the chapter's question, and a link to it stays in its place; what follows
"You will" becomes a compact box. From the same lines the directive `chapter-cards` makes a card
for each chapter: its picture, its question, its minutes.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.application import Sphinx

FIGURE = "opening-figure"  # its id on the page
PICTURES = (
    Path(__file__).parents[1] / "static" / "thumbnails"
)  # photographed by tools/thumbnails.py


def arrange(app: Sphinx, doctree: nodes.document) -> None:
    """Put the figure and the box in their places; a page that is no chapter stays as it is."""
    chapter = next(doctree.findall(nodes.section), None)
    box = chapter and box_objectives(chapter)
    if not box:
        return
    question = next(node for node in chapter.children if isinstance(node, nodes.paragraph))
    question["classes"].append("pan-question")
    minutes = re.search(r"Time: about (\d+) minutes", box.astext())
    about = app.env.metadata[app.env.docname]
    about["question"] = question.astext()
    about["minutes"] = minutes[1] if minutes else ""
    cells = [node for node in chapter.findall(nodes.container) if "tag_opening" in node["classes"]]
    if cells:
        move_to(chapter, question, cells[0])


def box_objectives(chapter: nodes.section) -> nodes.container | None:
    """Wrap the objectives, the prerequisites and the time in one box, if there are any."""
    starts = [
        i
        for i, node in enumerate(chapter.children)
        if isinstance(node, nodes.paragraph) and node.astext() == "You will"
    ]
    if not starts:
        return None
    first = end = starts[0]
    while end < len(chapter) and isinstance(chapter[end], nodes.paragraph | nodes.bullet_list):
        end += 1
    box = nodes.container("", *chapter[first:end], classes=["pan-brief"])
    chapter[first:end] = [box]
    return box


def move_to(chapter: nodes.section, question: nodes.paragraph, cell: nodes.container) -> None:
    """Move a cell's figure behind the chapter's question; leave a link in its place."""
    output = next(node for node in cell.children if "cell_output" in node["classes"])
    link = nodes.reference("", "The figure stands at the top of this page.", refid=FIGURE)
    cell.replace(output, nodes.paragraph("", "", link, classes=["pan-figure-above", "margin"]))
    opening = nodes.container("", output, classes=["cell", "pan-opening"], ids=[FIGURE])
    chapter.insert(chapter.index(question) + 1, opening)
    for asked in list(chapter.findall(addnodes.pending_xref)):  # links of the text to the figure
        if asked["reftarget"] == FIGURE:
            asked.replace_self(nodes.reference("", "", *asked.children, refid=FIGURE))


class chapter_cards(nodes.General, nodes.Element):
    """The place of the cards, until all chapters are read."""


class ChapterCards(Directive):
    """A card for each chapter, part by part."""

    def run(self) -> list[nodes.Node]:
        """Leave a place for them."""
        return [chapter_cards()]


def fill_cards(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the cards where the directive stands."""
    places = list(doctree.findall(chapter_cards))
    if not places:
        return
    blocks: list[str] = []
    for part in app.env.get_doctree(docname).findall(addnodes.toctree):
        cards = [card(app, docname, name) for _, name in part["entries"]]
        if any(cards):
            blocks.append(f'<h3 class="pan-part">{html.escape(part["caption"])}</h3>')
            blocks += ['<ul class="pan-cards full-width">', *filter(None, cards), "</ul>"]
    for place in places:
        place.replace_self(nodes.raw("", "\n".join(blocks), format="html"))


def card(app: Sphinx, docname: str, name: str) -> str:
    """Return a chapter's card; nothing for a page that is no chapter."""
    about = app.env.metadata.get(name, {})
    if "question" not in about:
        return ""
    number = ".".join(map(str, app.env.toc_secnumbers.get(name, {}).get("", ())))
    title = (
        f"{number}. {app.env.titles[name].astext()}" if number else app.env.titles[name].astext()
    )
    top = "../" * docname.count("/")
    images = "".join(
        f'<img class="{shown}" src="{top}_static/thumbnails/{picture.name}" alt="" '
        'width="560" height="350">'
        for ending, shown in (("", "only-light"), ("-dark", "only-dark"))
        if (picture := PICTURES / f"{Path(name).name}{ending}.webp").exists()
    )
    return (
        f'<li><a class="pan-card" href="{app.builder.get_relative_uri(docname, name)}">'
        f"{images}<strong>{html.escape(title)}</strong>"
        f"<span>{html.escape(about['question'])}</span>"
        f'<span class="pan-minutes">{about["minutes"]} minutes</span></a></li>'
    )


def setup(app: Sphinx) -> dict:
    """Connect the events and the directive."""
    app.add_node(chapter_cards)
    app.add_directive("chapter-cards", ChapterCards)
    app.connect("doctree-read", arrange)
    app.connect("doctree-resolved", fill_cards)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
