"""Link the first use of each of the glossary's terms in every chapter, when the site is built.

Terms, their other names and their meanings are those of book/glossary.md. Only prose is linked:
no heading, code, link, formula, caption or table. A use that stands in a closed box is linked
only where the chapter has no open one. In the page js/popover.js shows the meaning.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docutils import nodes
from sphinx.application import Sphinx

PAGE = "book/glossary"
# What within a paragraph, or around one, is not prose; headings and captions are no paragraphs.
NO_PROSE = (nodes.figure, nodes.table, nodes.reference, nodes.literal, nodes.math, nodes.raw)
NO_LINKS = {"cell", "bibtex-citation", "pan-question", "pan-brief"}  # a chapter's first screen, too
# Names with an everyday sense, or with two: what means the term, and in which chapters.
SENSES = {
    "chance": (r"[Cc]hance levels?|[Cc]hance\Z", ""),
    "chance level": (r"[Cc]hance levels?", ""),
    "score": (r"[Ss]cores?", "book/attention/|book/transformers/block"),
    "score of a density": (r"score\Z|score of (?:a|the)(?: \w+)? density", "book/diffusion/"),
    "block": (r"[Bb]locks?", "book/(?!attention/attention)"),
    "condition": (r"[Cc]onditions?", "book/diffusion/|book/together/"),
    "latent": (r"[Ll]atents?", "book/latent/|book/together/"),
    "mask": (r"[Mm]asks?", "book/(?!latent/|transformers/bert|transformers/vit)"),
    "value": (
        r"[Vv]alues?",
        "book/attention/|book/transformers/(?:encoder|gpt)|book/diffusion/forward-process",
    ),
    "head": (r"[Hh]eads?", "book/attention/|book/transformers/(?!bert)|book/together/"),
    "rate": (r"rate", "book/latent/autoencoders"),
    "distortion": (r"distortion", "book/latent/autoencoders"),
    "precision": (r"[Pp]recision", "book/diffusion/(?!samplers)"),
    "recall": (r"[Rr]ecall", "book/diffusion/"),
}


@dataclass(frozen=True)
class Entry:
    """One meaning: where its first name stands on the glossary's page, and all its names."""

    anchor: str
    names: tuple[str, ...]


def entries(glossary: nodes.document) -> list[Entry]:
    """Read the entries from the glossary's page; names that share a meaning are one entry."""
    found = []
    for item in glossary.findall(nodes.definition_list_item):
        terms = [child for child in item.children if isinstance(child, nodes.term)]
        found.append(Entry(terms[0]["ids"][0], tuple(term.astext() for term in terms)))
    return found


def pattern_of(name: str) -> str:
    """A regular expression for a name: its plural, too, and a capital where a sentence begins."""
    words = [re.escape(word) for word in name.split()]
    if name[1:] == name[1:].lower() and name[0].islower():
        words[0] = f"[{name[0]}{name[0].upper()}]{re.escape(name.split()[0][1:])}"
    many = "(?:es|s)?" if re.search(r"(ch|x|s)$", name) else "s?"
    if name.endswith("y"):
        words[-1], many = words[-1][:-1], "(?:y|ies)"
    return r"[\s-]+".join(words) + many


def forms(found: list[Entry], docname: str) -> re.Pattern:
    """One expression that finds every name in a chapter, the longest first; groups are e0, e1..."""
    parts = []
    for index, entry in enumerate(found):
        for name in entry.names:
            pattern, where = SENSES.get(name, (pattern_of(name), ""))
            if re.match(where, docname):
                parts.append((len(name), f"(?P<e{index}_{len(parts)}>{pattern})"))
    parts.sort(key=lambda part: -part[0])
    any_name = "|".join(part for _, part in parts) or "(?!)"  # without names nothing is found
    return re.compile(rf"(?<![\w-])(?:{any_name})(?![\w-])")


def prose(doctree: nodes.document) -> Iterator[tuple[nodes.Text, bool]]:
    """Every piece of prose in reading order, and whether it stands in a box that is closed."""
    depth = 0
    for node in doctree.findall():
        if isinstance(node, nodes.raw):
            text = node.astext()
            depth += text.count("<details") - text.count("</details")
        elif isinstance(node, nodes.Text) and is_prose(node):
            yield node, depth > 0


def is_prose(node: nodes.Text) -> bool:
    """Whether a text stands in a paragraph, and in nothing that is not to be linked."""
    parent, in_paragraph = node.parent, False
    while parent is not None and not isinstance(parent, nodes.document):
        classes = parent.get("classes", ())
        if isinstance(parent, NO_PROSE) or not NO_LINKS.isdisjoint(classes):
            return False
        in_paragraph = in_paragraph or isinstance(parent, nodes.paragraph)
        parent = parent.parent
    return in_paragraph


def first_uses(
    doctree: nodes.document, finder: re.Pattern
) -> dict[int, tuple[nodes.Text, int, int]]:
    """For each entry the text that uses it first, and from where to where."""
    found: dict[int, tuple[nodes.Text, int, int]] = {}
    pieces = list(prose(doctree))
    for closed in (False, True):
        for text in (text for text, in_box in pieces if in_box == closed):
            for match in finder.finditer(str(text)):
                entry = int(match.lastgroup[1:].split("_")[0])
                found.setdefault(entry, (text, match.start(), match.end()))
    return found


def link_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put a link in the place of each first use."""
    is_chapter = str(app.env.doc2path(docname)).endswith(".ipynb")
    if app.builder.format != "html" or not is_chapter or PAGE not in app.env.found_docs:
        return
    found = entries(app.env.get_doctree(PAGE))
    page = app.builder.get_relative_uri(docname, PAGE)
    uses: dict[nodes.Text, list[tuple[int, int, int]]] = {}
    for index, (text, start, end) in first_uses(doctree, forms(found, docname)).items():
        uses.setdefault(text, []).append((start, end, index))
    for text, places in uses.items():
        parts, done = [], 0
        for start, end, index in sorted(places):
            parts.append(nodes.Text(text[done:start]))
            target = f"{page}#{found[index].anchor}"
            parts.append(
                nodes.reference(
                    "", text[start:end], refuri=target, internal=True, classes=["pan-term"]
                )
            )
            done = end
        parts.append(nodes.Text(text[done:]))
        text.parent.replace(text, [part for part in parts if part.astext()])


def setup(app: Sphinx) -> dict:
    """Connect the event; late, when all other references are links. Load what shows a meaning."""
    app.add_css_file("css/furniture.css", priority=900)
    app.add_js_file("js/popover.js", defer="defer", priority=900)
    app.connect("doctree-resolved", link_terms, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
