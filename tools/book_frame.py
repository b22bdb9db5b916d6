"""What stands around the chapters in print: title page, contents, parts, appendix of solutions."""

import html
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onepage import Chapter

ROOT = Path(__file__).resolve().parents[1]
TITLE = "Paying Attention to Noise"
SUBTITLE = "A course on transformers, diffusion models, and what they build together"
STYLE = ROOT / "web" / "offline" / "book.css"
NOTE = (
    "This is the whole book for paper and for reading offline. Figures that move on the page stand "
    "still here, with the sentence that goes with the picture. Set-up cells and code that only "
    "plots are left out, and so are the hints of the exercises; solutions are at the end."
)


def page_of(place: str) -> str:
    """Where a place's page number will stand: tools/pdf.py knows it after the first print."""
    return f'<span class="page-of" data-of="{place}"></span>'


def page_of_book(joined: "list[tuple[str, list[Chapter]]]", sheets: list[str], address: str) -> str:
    """Return the whole page: the frame with the chapters in it.

    Args:
        joined: Parts, each with its chapters; a part without a caption is not announced.
        sheets: Addresses of the site's style sheets.
        address: Of the published site; "" where none is known.
    """
    numbered = [(f"part-{i}", caption, chapters) for i, (caption, chapters) in enumerate(joined)]
    links = "\n".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets)
    body = [title_page(address), contents(numbered)]
    for place, caption, chapters in numbered:
        body += [part_page(place, caption, chapters)] if caption else []
        body += [str(chapter.article) for chapter in chapters]
    body.append(appendix([chapter for _, _, chapters in numbered for chapter in chapters]))
    return (
        '<!doctype html>\n<html lang="en" data-theme="light" data-mode="light"><head>'
        f'<meta charset="utf-8"><title>{TITLE}</title>\n{links}\n'
        f"<style>{STYLE.read_text('utf8')}\n{running_heads(numbered)}</style></head>\n"
        f'<body><main class="bd-article book">{"".join(body)}</main></body></html>'
    )


def title_page(address: str) -> str:
    """The first page: what this is, which version, under which licence, and where it is from."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["version"]
    where = f'<p>The same book with figures that move: <a href="{address}">{address}</a></p>'
    return (
        f'<section class="title-page"><h1>{TITLE}</h1><p class="subtitle">{SUBTITLE}</p>'
        f"<p>Version {version}. Text and figures: CC BY 4.0. Code: MIT licence.</p>"
        f"{where if address else ''}<p>{NOTE}</p></section>"
    )


def contents(numbered: list) -> str:
    """The list of parts and chapters with their pages."""
    lines = []
    for place, caption, chapters in numbered:
        if caption:
            lines.append(f'<p class="contents-part">{line(place, caption)}</p>')
        entries = "".join(f"<li>{line(c.place, c.title)}</li>" for c in chapters)
        lines.append(f"<ul>{entries}</ul>")
    lines.append(f'<p class="contents-part">{line("solutions", "Appendix · Solutions")}</p>')
    return f'<section class="contents"><h1>Contents</h1>{"".join(lines)}</section>'


def line(place: str, text: str) -> str:
    """One line of the contents."""
    return f'<a href="#{place}">{html.escape(text)}</a>{page_of(place)}'


def part_page(place: str, caption: str, chapters: "list[Chapter]") -> str:
    """The page that opens a part, with the question of each of its chapters."""
    items = []
    for chapter in chapters:
        question = chapter.article.find(class_="pan-question")
        asked = f"<br>{question.get_text()}" if question else ""
        items.append(f'<li><a href="#{chapter.place}">{html.escape(chapter.title)}</a>{asked}</li>')
    title = f"<h1>{html.escape(caption)}</h1>"
    return f'<section class="part-page" id="{place}">{title}<ul>{"".join(items)}</ul></section>'


def appendix(chapters: "list[Chapter]") -> str:
    """All solutions, chapter by chapter."""
    body = []
    for chapter in chapters:
        if chapter.solutions:
            solutions = "".join(map(str, chapter.solutions))
            title = f'<h2 class="level-2">{html.escape(chapter.title)}</h2>'
            body.append(f'<section class="solutions-of">{title}{solutions}</section>')
    return (
        '<section class="appendix" id="solutions"><h1>Appendix · Solutions</h1>'
        "<p>One solution of each exercise, and below it what the exercise’s check says of it. "
        f"Other answers can be right.</p>{''.join(body)}</section>"
    )


def running_heads(numbered: list) -> str:
    """Styles that write each chapter's title at the head of its pages."""
    rules = []
    for _, _, chapters in numbered:
        for chapter in chapters:
            name = re.sub(r"[^a-z]", "-", chapter.place)
            title = chapter.title.replace("\\", "").replace('"', "'")
            rules.append(
                f"#{chapter.place} {{ page: {name}; }}\n"
                f'@page {name} {{ @top-right {{ content: "{title}"; }} }}'
            )
    return "\n".join(rules)
