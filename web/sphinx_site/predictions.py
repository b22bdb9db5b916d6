"""Under each question that says "Predict": a field for the reader's prediction.

What is written there stays in the reader's browser. It is shown beside the result: in the box that
a chapter closes over the answer, or above the next output, where the answer is seen.
"""

import hashlib
import html

from docutils import nodes
from progress import is_chapter
from sphinx.application import Sphinx

BOX = "<summary>Check your prediction</summary>"
GO = {True: "Open the result", False: "Compare with the result"}


def ask(app: Sphinx, doctree: nodes.document) -> None:
    """Put the fields and the places beside the results into a chapter."""
    chapter = app.env.docname
    if not is_chapter(app, chapter):
        return
    for number, question in enumerate(questions(doctree), start=1):
        result = result_of(doctree, question)
        if result is None:
            continue
        place = nodes.raw("", predicted(number), format="html")
        if isinstance(result, nodes.raw):  # within the box, after the words that open it
            result.parent.insert(result.parent.index(result) + 1, place)
        else:
            result.parent.insert(result.parent.index(result), place)
        words = field(number, key(chapter, question), closed=isinstance(result, nodes.raw))
        after = question.parent.index(question) + 1
        question.parent.insert(after, nodes.raw("", words, format="html"))


def questions(doctree: nodes.document) -> list[nodes.paragraph]:
    """The paragraphs that ask: "Predict" in bold, at their beginning or after a sentence."""
    return [
        paragraph
        for paragraph in doctree.findall(nodes.paragraph)
        if any(
            isinstance(node, nodes.strong) and node.astext().rstrip(":") == "Predict"
            for node in paragraph.children
        )
    ]


def result_of(doctree: nodes.document, question: nodes.paragraph) -> nodes.Node | None:
    """Where the answer stands: the closed box right behind a question, else the next output."""
    siblings = question.parent.children
    following = siblings[question.parent.index(question) + 1 :]
    if following and isinstance(following[0], nodes.raw) and BOX in following[0].astext():
        return following[0]
    seen = False
    for node in doctree.findall(nodes.Element):
        seen = seen or node is question
        if seen and {"cell_output", "pan-figure-above"} & set(node.get("classes", ())):
            return node
    return None


def key(chapter: str, question: nodes.paragraph) -> str:
    """Under which name the browser keeps a prediction: another question, another name."""
    digest = hashlib.sha256(question.astext().encode()).hexdigest()[:8]
    return html.escape(f"{chapter} {digest}")


def field(number: int, name: str, *, closed: bool) -> str:
    """A field for a prediction, and a button that leads to the result."""
    return (
        f'<form class="pan-predict d-print-none" data-prediction="{name}">'
        f'<label for="prediction-{number}">Your prediction</label>'
        f'<textarea id="prediction-{number}" rows="1" autocomplete="off"></textarea>'
        f'<button type="submit" class="pan-button">{GO[closed]}</button></form>'
    )


def predicted(number: int) -> str:
    """Where the prediction is shown, beside the result."""
    return (
        f'<p class="pan-predicted" id="prediction-{number}-shown" tabindex="-1" hidden>'
        "<span>You predicted:</span> <q></q></p>"
    )


def setup(app: Sphinx) -> dict:
    """Connect the event; on reading, after opening.py has moved the chapter's figure."""
    app.connect("doctree-read", ask, priority=601)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
