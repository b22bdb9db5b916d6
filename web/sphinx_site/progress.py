"""The marks of progress: a button at a chapter's end and one under each exercise, and a table.

The pages hold the buttons, hidden; js/progress.js shows them, and keeps what they say in the
reader's browser.
"""

import html
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PAGE = "book/progress"
EXERCISE = re.compile(r"Exercise (\d+)\b")
READ = '<span class="visually-hidden">{title}: </span>read'
NOTE = '<span class="pan-note" role="status"></span>'


class Placeholder(nodes.General, nodes.Element):
    """Where the table of all chapters is to stand, once all chapters are known."""


class ProgressTable(SphinxDirective):
    """The directive `progress-table`: every chapter, whether it is read, exercises done."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        return [Placeholder()]


def is_chapter(app: Sphinx, docname: str) -> bool:
    """Whether a page is a chapter: those are notebooks."""
    return str(app.env.doc2path(docname)).endswith(".ipynb")


def exercises(doctree: nodes.document) -> list[tuple[nodes.section, str]]:
    """The sections that are exercises, each with its number."""
    found = []
    for section in doctree.findall(nodes.section):
        match = EXERCISE.match(section.next_node(nodes.title).astext())
        if match:
            found.append((section, match[1]))
    return found


def button(chapter: str, words: str, exercise: str = "") -> str:
    """A button that stays pressed."""
    which = f' data-exercise="{exercise}"' if exercise else ""
    return (
        f'<button type="button" class="pan-button" data-chapter="{html.escape(chapter)}"{which} '
        f'aria-pressed="false">{words}</button>'
    )


def mark_exercises(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put a button at the end of each exercise, and fill the table on the page of progress."""
    if app.builder.format != "html":
        for place in list(doctree.findall(Placeholder)):
            place.parent.remove(place)
        return
    if is_chapter(app, docname):
        for section, number in exercises(doctree):
            words = button(docname, f"Exercise {number} is done", number)
            box = f'<div class="pan-progress d-print-none" hidden>{words}</div>'
            section.append(nodes.raw("", box, format="html"))
    for place in list(doctree.findall(Placeholder)):
        place.replace_self(nodes.raw("", table(app, docname), format="html"))


def table(app: Sphinx, docname: str) -> str:
    """The table of all chapters in reading order."""
    rows = []
    for name in app.env.toctree_includes.get(app.config.root_doc, []):
        if not is_chapter(app, name):
            continue
        title = html.escape(app.env.titles[name].astext())
        count = len(exercises(app.env.get_doctree(name)))
        address = app.builder.get_relative_uri(docname, name)
        rows.append(
            f'<tr><th scope="row"><a href="{address}">{title}</a></th>'
            f"<td>{button(name, READ.format(title=title))}</td>"
            f'<td data-count="{name}" data-all="{count}">0 of {count}</td></tr>'
        )
    return (
        '<div class="pan-progress pan-progress-table" hidden><table class="table">\n<thead><tr>'
        '<th scope="col">chapter</th><th scope="col">read</th>'
        '<th scope="col">exercises done</th></tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def mark_chapter(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Put a button at the chapter's end."""
    if app.builder.format != "html" or doctree is None or not is_chapter(app, pagename):
        return
    overview = context["pathto"](PAGE)
    context["body"] += (
        f'<div class="pan-progress d-print-none" hidden>'
        f"{button(pagename, 'I have read this chapter')}"
        f'<a href="{overview}">Your progress</a>{NOTE}</div>'
    )


def setup(app: Sphinx) -> dict:
    """Connect the events, and load what the marks need on each page."""
    app.add_node(Placeholder)
    app.add_directive("progress-table", ProgressTable)
    app.add_css_file("css/furniture.css", priority=900)
    app.add_js_file("js/progress.js", defer="defer", priority=900)
    app.connect("doctree-resolved", mark_exercises, priority=910)
    app.connect("html-page-context", mark_chapter, priority=912)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
