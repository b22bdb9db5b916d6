"""Exercises as cards: level and minutes as pills, an answer on the page, the solution folded.

A notebook holds an exercise as a heading, a line "*trace · 5 minutes*", the question, hints, the
solution's cell and the check's cell. On the page the last two stand in one closed box, so that no
verdict is seen before the reader has tried. Where numbers answer, the card has fields for them;
answers.json, written by tools/answers.py, holds sealed what js/exercises.js says to them.
"""

import html
import json
import re
from pathlib import Path

from docutils import nodes
from progress import exercises, is_chapter
from sphinx.application import Sphinx

ANSWERS = Path(__file__).with_name("answers.json")
ABOUT = re.compile(r"(trace|code|derive|explore) · (\d+) minutes")
MARKS = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)
WHERE = {True: "answer here", False: "in the notebook"}
SOLUTION = "The solution and its check"


def make_cards(app: Sphinx, doctree: nodes.document) -> None:
    """Turn every exercise of a chapter into a card."""
    chapter = app.env.docname
    if not is_chapter(app, chapter):
        return
    answers = json.loads(ANSWERS.read_text(encoding="utf-8")).get(chapter, {})
    for section, number in exercises(doctree):
        section["classes"].append("pan-exercise")
        put_pills(section, WHERE[number in answers])
        fold_solution(section)
        if number in answers:
            fields = raw(form(chapter, number, answers[number]))
            section.insert(first_fold(section), fields)


def raw(text: str) -> nodes.raw:
    """A piece of html."""
    return nodes.raw("", text, format="html")


def put_pills(section: nodes.section, where: str) -> None:
    """Put pills in the place of the line that names level and minutes."""
    for paragraph in section.children:
        found = isinstance(paragraph, nodes.paragraph) and ABOUT.fullmatch(paragraph.astext())
        if found:
            level, minutes = found.groups()
            pills = (
                f'<p class="pan-exercise-about"><span class="pan-level pan-level-{level}">{level}'
                f'</span> <span class="pan-minutes">{minutes} minutes</span> '
                f'<span class="pan-where d-print-none">{where}</span></p>'
            )
            section.replace(paragraph, raw(pills))
            return


def first_fold(section: nodes.section) -> int:
    """Where the question ends: at the first hint, the solution, or the first cell."""
    for place, node in enumerate(section.children):
        is_box = isinstance(node, nodes.raw) and "<details" in node.astext()
        is_cell = isinstance(node, nodes.container) and "cell" in node["classes"]
        if is_box or is_cell:
            return place
    return len(section.children)


def fold_solution(section: nodes.section) -> None:
    """Close the cells of the solution and of its check into one box.

    The student edition has no solution, and its cells stay as they are.
    """
    cells = [
        node
        for node in section.children
        if isinstance(node, nodes.container)
        and {"tag_solution", "tag_check"} & set(node["classes"])
    ]
    if not any("tag_solution" in cell["classes"] for cell in cells):
        return
    for cell in cells:
        cell.attributes.pop("hide_mode", None)  # it is closed already
        for code in list(cell.findall(nodes.literal_block)):
            without_marks(code)
    box = f'<details class="pan-solution"><summary>{SOLUTION}</summary>'
    section.insert(section.index(cells[0]), raw(box))
    section.insert(section.index(cells[-1]) + 1, raw("</details>"))


def without_marks(code: nodes.literal_block) -> None:
    """Drop the lines that tell the tools where a solution begins and ends."""
    text = MARKS.sub("", code.astext())
    if text != code.astext():
        code.rawsource = text
        code.children = [nodes.Text(text)]
        code.children[0].parent = code


def form(chapter: str, number: str, answer: dict) -> str:
    """The fields for an answer, a button to check it, and a line for what the check says."""
    fields = "".join(
        field(f"exercise-{number}-{i}", asked) for i, asked in enumerate(answer["asks"])
    )
    sealed = {key: value for key, value in answer.items() if key not in ("asks", "of")}
    options = [asked["options"] for asked in answer["asks"]]
    choose = [asked["choose"] for asked in answer["asks"]]
    content = json.dumps({"options": options, "choose": choose, **sealed}, separators=(",", ":"))
    return (
        f'<form class="pan-answer d-print-none" data-chapter="{html.escape(chapter)}" '
        f'data-exercise="{number}" aria-label="Your answer to exercise {number}" '
        f'autocomplete="off" novalidate>{fields}'
        '<button type="submit" class="pan-button">Check</button>'
        '<p class="pan-verdict" role="status"></p>'
        f'<script type="application/json">{content}</script></form>'
    )


def field(name: str, asked: dict) -> str:
    """One field: a line to type in, or a row of options."""
    label = html.escape(asked["label"])
    if not asked["choose"]:
        return (
            f'<label class="pan-field"><span>{label}</span>'
            f'<input type="text" name="{name}" spellcheck="false"></label>'
        )
    kind = "radio" if asked["choose"] == 1 else "checkbox"
    many = f", {asked['choose']} of {len(asked['options'])}" if kind == "checkbox" else ""
    options = "".join(
        f'<label class="pan-option"><input type="{kind}" name="{name}" value="{option}">'
        f"<span>{option}</span></label>"
        for option in asked["options"]
    )
    return f'<fieldset class="pan-field"><legend>{label}{many}</legend>{options}</fieldset>'


def add_files(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Load on chapters what the cards and predictions need."""
    if doctree is not None and is_chapter(app, pagename):
        app.add_css_file("css/exercises.css", priority=901)
        app.add_js_file("js/exercises.js", defer="defer", priority=901)


def setup(app: Sphinx) -> dict:
    """Connect the events; on reading, after opening.py has moved the chapter's figure."""
    app.connect("doctree-read", make_cards, priority=600)
    app.connect("html-page-context", add_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
