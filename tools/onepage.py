"""Join the site's finished pages into one page for print: the parts in order, then the solutions.

Nothing is built a second time, so numbers, figures and formulas are those of the site. What only
works on a screen goes: buttons, sliders, hints, set-up cells and code that a page folds away. Each
formula gets its words (formula_words.py), each solution a place in the appendix with links both
ways. tools/pdf.py prints the result.
"""

import html
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from book_frame import page_of, page_of_book
from bs4 import BeautifulSoup, NavigableString, Tag
from formula_words import words

FURNITURE = (
    "script, noscript, button, dialog, .headerlink, .pan-run, .pan-progress, .toctree-wrapper, "
    ".pan-cards, .pan-part, .pan-fig-controls, .pan-diagram-strip, .tag_setup, "
    "details.hide, details.pan-solution > summary, .pan-predicted, .katex-mathml, .pan-action, "
    ".d-print-none"
)
MARKS = re.compile(r"\s*### (BEGIN|END) SOLUTION")
HINT = re.compile(r"Hint \d+")
LEFT_OUT = {"book/progress"}  # it only works on the page


@dataclass
class Chapter:
    """A page of the book on its way into print."""

    name: str  # of its document, as in _toc.yml
    article: Tag
    solutions: list[Tag] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Its id in the joined page, and what its own ids begin with."""
        return self.name.removeprefix("book/").replace("/", "-")

    @property
    def title(self) -> str:
        """What stands in its heading, its number included."""
        return self.article.find(class_="level-1").get_text().strip()


def parts(toc: Path) -> list[tuple[str, list[str]]]:
    """Read _toc.yml: each part's caption with its documents, the root first."""
    content = yaml.safe_load(toc.read_text("utf8"))
    listed = [
        (part["caption"], [c["file"] for c in part["chapters"] if c["file"] not in LEFT_OUT])
        for part in content["parts"]
    ]
    return [("", [content["root"]]), *listed]


def read(site: Path, name: str) -> BeautifulSoup:
    """Read a finished page."""
    path = site / f"{name}.html"
    if not path.is_file():
        raise SystemExit(f"{path} is missing. Build the site first: make book")
    return BeautifulSoup(path.read_text("utf8"), "html.parser")


def prepare(page: BeautifulSoup, name: str) -> Chapter:
    """Take a page's article, and leave in it what print can show."""
    chapter = Chapter(name, page.find("article"))
    article = chapter.article
    for formula in article.select(".katex"):
        formula.attrs |= {"role": "img", "aria-label": words(formula.find("math"))}
        del formula.find(class_="katex-html")["aria-hidden"]  # or nothing of it would be tagged
    take_solutions(chapter)
    for tag in article.select(FURNITURE):
        tag.decompose()
    for details in article.find_all("details"):
        if "pan-solution" in details.get("class", ()):
            details.unwrap()  # its solution is gone already
        else:
            unfold(details)
    for link in article.select(".pan-figure-above a"):
        link.string = "The figure stands at the top of this chapter."
    for picture in article.select("a.image-reference"):
        picture.unwrap()  # it would lead to its own file
    for figure in article.find_all("figure"):
        figure["role"] = "group"  # what it holds has its own description
    for drawing in article.find_all("svg"):
        drawing.attrs |= {"role": "img", "aria-label": name_of_drawing(drawing)}
    for level in (5, 4, 3, 2, 1):  # a part is above its chapters
        for heading in article.find_all(f"h{level}"):
            heading.name = f"h{level + 1}"
            heading["class"] = [*heading.get("class", ()), f"level-{level}"]
    for cell in article.select(".cell"):
        if not cell.get_text(strip=True) and not cell.find(["img", "svg"]):
            cell.decompose()
    return chapter


def unfold(details: Tag) -> None:
    """Leave a hint out, and open what else is folded: a proof, or the answer to a prediction."""
    summary = details.find("summary")
    if HINT.match(summary.get_text(strip=True)):
        details.decompose()
        return
    details.name, summary.name = "div", "p"
    details["class"] = ["unfolded"]
    summary["class"] = ["unfolded-title"]


def name_of_drawing(svg: Tag) -> str:
    """What a drawing shows: its own name, or its figure's caption."""
    own = svg.get("aria-label") or (svg.title.get_text() if svg.title else "")
    figure = svg.find_parent("figure")
    caption = figure.find("figcaption") if figure else None
    return " ".join((own or (caption.get_text() if caption else "")).split())


def take_solutions(chapter: Chapter) -> None:
    """Move solutions, and what the checks say of them, out of a chapter; leave a link to each."""
    for number, cell in enumerate(chapter.article.select(".cell.tag_solution"), 1):
        section = cell.find_parent("section")
        heading = section.find(re.compile("h[1-6]"))
        title = "".join(map(str, heading.find_all(string=True, recursive=False))).strip()
        place, back = f"solution-{number}", section["id"]
        entry = BeautifulSoup(
            f'<section class="solution"><h4 class="level-3" id="{place}">{html.escape(title)}</h4>'
            f'<p class="back"><a href="#{back}">To the exercise</a>{page_of(back)}</p></section>',
            "html.parser",
        ).section
        code = cell.find(class_="cell_input")
        check = section.select_one(".tag_check .cell_output")
        entry.extend([part.extract() for part in (code, check) if part is not None])
        for pre in code.find_all("pre"):
            drop_marks(pre)
        chapter.solutions.append(entry)
        link = f'<p class="to-solution"><a href="#{place}">The solution</a>{page_of(place)}</p>'
        cell.replace_with(BeautifulSoup(link, "html.parser"))


def drop_marks(pre: Tag) -> None:
    """Take the lines that mark a solution out of its code."""
    for mark in pre.find_all(string=MARKS):
        holder = mark.parent if mark.parent is not pre else mark
        before, after = holder.previous_sibling, holder.next_sibling
        if isinstance(before, NavigableString):
            before.replace_with(NavigableString(before.rstrip(" ")))  # the line's indent
        if isinstance(after, NavigableString):
            after.replace_with(NavigableString(after.removeprefix("\n")))
        holder.extract()


def relocate(tag: Tag, chapter: Chapter, known: set[str], site: str, address: str) -> None:
    """Make a chapter's ids its own, and lead its links: into this page, or to the published site.

    Args:
        tag: The article, or one of its solutions.
        chapter: Whose it is.
        known: The documents that are joined.
        site: How the joined page reaches the folder of the site, for pictures.
        address: Of the published site, for what is not in the book; "" leaves only the words.
    """
    if tag is chapter.article:
        tag["id"] = chapter.place
    for one in tag.find_all(id=True):
        if one.find_parent("svg") is None:  # a drawing's own names are on no other page
            one["id"] = f"{chapter.place}--{one['id']}"
    for one in tag.find_all(attrs={"data-of": True}):
        one["data-of"] = f"{chapter.place}--{one['data-of']}"
    folder = posixpath.dirname(chapter.name)
    for image in tag.find_all("img", src=True):
        image.attrs.pop("loading", None)  # in print, all of them are seen
        if not image["src"].startswith("data:"):
            image["src"] = f"{site}/{posixpath.normpath(posixpath.join(folder, image['src']))}"
    for link in tag.find_all("a", href=True):
        target = urlsplit(link["href"])
        if target.scheme or target.netloc:
            continue
        path = posixpath.normpath(posixpath.join(folder, target.path)) if target.path else ""
        document = path.removesuffix(".html") or chapter.name
        if document in known:
            there = Chapter(document, tag).place
            link["href"] = (
                f"#{there}--{unquote(target.fragment)}" if target.fragment else f"#{there}"
            )
        elif address:
            link["href"] = address + path
        else:
            link.unwrap()


def without_dead_ends(page: Tag) -> None:
    """Leave only the words of links whose target is not in print, a hint for instance."""
    places = {tag["id"] for tag in page.find_all(id=True)}
    for link in page.select('a[href^="#"]'):
        if link["href"][1:] not in places:
            link.unwrap()


def join(site: Path, book: list[tuple[str, list[str]]], way: str = "../html") -> str:
    """Return the joined page.

    Args:
        site: The folder of the finished site.
        book: Parts with their documents, as `parts` reads them.
        way: How the joined page reaches that folder.
    """
    known = {name for _, names in book for name in names}
    joined, sheets, address = [], {}, ""
    for caption, names in book:
        chapters = []
        for name in names:
            page = read(site, name)
            address = address or top_of_site(page, name)
            for sheet in page.select('link[rel~="stylesheet"]'):
                path = urlsplit(sheet["href"]).path
                path = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
                sheets[f"{way}/{path}"] = None
            chapters.append(prepare(page, name))
            if not caption:
                chapters[-1].article.find(class_="level-1").string = "Preface"
        for chapter in chapters:
            for tag in (chapter.article, *chapter.solutions):
                relocate(tag, chapter, known, way, address)
        joined.append((caption, chapters))
    page = BeautifulSoup(page_of_book(joined, list(sheets), address), "html.parser")
    without_dead_ends(page)
    return str(page)


def top_of_site(page: BeautifulSoup, name: str) -> str:
    """The published site's address, from a page's canonical one; "" where there is none."""
    link = page.select_one('link[rel~="canonical"]')
    return link["href"].removesuffix(f"{name}.html") if link else ""
