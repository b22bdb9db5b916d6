"""Make the site's search index: Pagefind reads copies of the pages that hold their prose alone.

Beside the index lies `words.txt`, every word of the book, the commonest first: search-results.js
takes the nearest of them for a word that the book does not have. `search_aliases.json` says under
which other names a chapter, or a section of it, is found. No published page is changed.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from bs4 import BeautifulSoup, SoupStrainer, Tag
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FOLDER = "_static/search"
NOT_NEEDED = ("pagefind-*ui*", "pagefind-highlight*")  # Pagefind's own user interfaces

# What is no prose: code and its outputs, figures but for their captions, furniture of the page.
LEFT_OUT_TAGS = {"script", "style", "svg", "img", "pre", "summary", "button", "noscript"}
LEFT_OUT_CLASSES = {
    "cell",
    "pan-fig",
    "pan-run",
    "pan-answer",
    "pan-predict",
    "pan-predicted",
    "headerlink",
    "toctree-wrapper",
    "bibtex-citation",
}
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]

ALIAS_WEIGHT = "8"  # of a section's; a title's and a chapter's are set in search-results.js
LISTING_WEIGHT = "0.2"  # of what names everything and explains nothing
SECTION_WEIGHTS = {  # by the section's id
    **dict.fromkeys(["bibliography", "glossary", "sources"], LISTING_WEIGHT),
    **dict.fromkeys(["summary", "exercises"], "0.5"),  # after those that explain
}
LANDING_TITLE = "Start page"  # the book's own title would answer to half of all queries

ACCENTS = {"^": "\u0302", "ˉ": "\u0304", "~": "\u0303"}  # set over the letter before
RELATIONS = set("=<>≤≥≈∈∼→")
TALL = ["mtable", "munder", "munderover"]  # what no line of text can show
LONGEST_FORMULA = 20  # characters; an excerpt shows no longer one


def write(out: Path, documents: Iterable[str], landing: str) -> None:
    """Index the finished pages of `documents` below `out`, and write the index into `out`."""
    aliases = json.loads(Path(__file__).with_name("search_aliases.json").read_text("utf-8"))
    words: Counter[str] = Counter()
    target = out / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    with TemporaryDirectory() as folder:
        for name in sorted(documents):
            article = prose((out / f"{name}.html").read_text("utf-8"))
            mark_sections(article, aliases.get(name, {}), name)
            if name == landing:
                mark_landing(article)
            copy = Path(folder) / f"{name}.html"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(f"<!doctype html><html lang=en><body>{article}</body></html>", "utf-8")
            words.update(words_of(article.get_text(" ")))
            words.update(words_of(" ".join(sum(aliases.get(name, {}).values(), []))))
        run_pagefind(Path(folder), target)
    commonest_first = sorted(words, key=lambda word: (-words[word], word))
    (target / "words.txt").write_text("\n".join(commonest_first) + "\n", "utf-8")


def words_of(text: str) -> list[str]:
    """List the words of a text in small letters."""
    return re.findall(r"[a-z]{2,}", text.lower())


def prose(page: str) -> Tag:
    """Return a page's <article> with nothing left in it but prose; formulas become plain text."""
    article = BeautifulSoup(page, "html.parser", parse_only=SoupStrainer("article")).find("article")
    if article is None:
        raise ExtensionError("The search index needs an <article> on every page, and found none.")
    for tag in article.find_all(True):
        if tag.decomposed:
            continue
        classes = set(tag.get("class", ()))
        if tag.name in LEFT_OUT_TAGS or classes & LEFT_OUT_CLASSES:
            tag.insert_before(*(caption.extract() for caption in tag.find_all("figcaption")))
            tag.decompose()
        elif "math" in classes:
            text = plain_formula(tag) if tag.name == "span" else "…"
            tag.clear()
            tag.append(text)
    return article


def plain_formula(formula: Tag) -> str:
    """Return a short formula as a line of text, from its MathML, and an ellipsis for any other."""
    mathml = formula.find("math")
    if mathml is None or mathml.find(TALL):
        return "…"
    text = in_line(mathml)
    return text if len(text) <= LONGEST_FORMULA else "…"


def in_line(part: Tag) -> str:
    """Return a part of a formula in MathML as text: x_t, σ^2, a/b, √k, x̂."""
    inner = [in_line(child) for child in part.find_all(True, recursive=False)]
    match part.name, [whole(text) for text in inner]:
        case ("msub", [base, low]):
            return f"{base}_{low}"
        case ("msup", [base, high]):
            return f"{base}^{high}"
        case ("msubsup", [base, low, high]):
            return f"{base}_{low}^{high}"
        case ("mfrac", [above, below]):
            return f"{above}/{below}"
        case ("mover", [base, accent]):
            return base + ACCENTS.get(accent, accent)
        case ("msqrt", _):
            return "√" + whole("".join(inner))
        case (_, []):
            text = part.get_text().strip("\u2061")  # "apply function", which nobody sees
            return f" {text} " if text in RELATIONS else text
    return "".join(inner)


def whole(text: str) -> str:
    """Put a sum or a product in brackets, so that what is written around it holds for all of it."""
    return f"({text})" if len(text) > 1 and re.search(r"[+−⋅/]", text) else text


def mark_sections(article: Tag, aliases: dict[str, list[str]], name: str) -> None:
    """Give each heading its section's id, of which Pagefind makes a sub-result, and its aliases.

    Raises:
        ExtensionError: An alias names a section that the page does not have.
    """
    sections = {section["id"]: section for section in article.find_all("section", id=True)}
    for tag in article.find_all(id=True):
        del tag["id"]
    unknown = sorted(set(aliases) - {"", *sections})
    if unknown:
        raise ExtensionError(
            f"search_aliases.json names the sections {unknown} of {name}, which has only "
            f"{sorted(sections)}. Name one of these, or remove the entry."
        )
    article["data-pagefind-body"] = ""
    for identity, section in sections.items():
        if identity in SECTION_WEIGHTS:
            section["data-pagefind-weight"] = SECTION_WEIGHTS[identity]
        heading = section.find(HEADINGS, recursive=False)
        if heading is None:
            continue
        if heading.name == "h1":
            mark_title(heading, sum(aliases.values(), []))
            continue
        heading["id"] = identity
        if identity in aliases:
            names = {"data-names": f"(also {', '.join(aliases[identity])})"}
            heading.insert_after(marked("index-attrs", "data-names", weight=ALIAS_WEIGHT, **names))


def mark_title(heading: Tag, aliases: list[str]) -> None:
    """Store a chapter's number and other names apart from its title, the h1."""
    number = heading.find("span", class_="section-number")
    if number is not None:
        chapter = number.extract().get_text().strip(" .\xa0")
        heading.insert_after(marked("meta", f"chapter:Chapter {chapter}"))
    if aliases:
        heading.insert_after(marked("meta", f"also:{', '.join(aliases)}"))


def mark_landing(article: Tag) -> None:
    """Let the landing page, which names everything, stand behind the pages that explain it."""
    article.insert(0, marked("meta", f"title:{LANDING_TITLE}"))
    for tag in article.find_all(["section", *HEADINGS]):
        tag["data-pagefind-weight"] = LISTING_WEIGHT


def marked(attribute: str, value: str, weight: str = "1", **others: str) -> Tag:
    """Return an empty element with one of Pagefind's attributes."""
    attributes = {f"data-pagefind-{attribute}": value, "data-pagefind-weight": weight, **others}
    return Tag(name="p", attrs=attributes)


def run_pagefind(source: Path, target: Path) -> None:
    """Index the pages below `source` into `target`, without Pagefind's own user interfaces."""
    command = [sys.executable, "-m", "pagefind", "--silent", "--force-language", "en"]
    command += ["--keep-index-url", "--site", str(source), "--output-path", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ExtensionError(f"Pagefind made no search index. It said: {done.stdout}{done.stderr}")
    for pattern in NOT_NEEDED:
        for path in target.glob(pattern):
            path.unlink()


def without_own_index(app: Sphinx) -> None:
    """Stop Sphinx's own search, whose index every page would load."""
    app.builder.search = False


def results_page(app: Sphinx) -> list[tuple[str, dict, str]]:
    """The page that shows results for an address such as search.html?q=noise."""
    return [("search", {"title": "Search"}, "search.html")]


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Index the finished pages."""
    if exception is None and app.builder.format == "html":
        write(Path(app.outdir), app.env.found_docs, app.config.root_doc)


def setup(app: Sphinx) -> dict:
    """Connect the events; after everything else that touches the pages."""
    app.connect("builder-inited", without_own_index)
    app.connect("html-collect-pages", results_page)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
