"""The book's version at the foot of every page, and how to cite it.

The version comes from pyproject.toml, the rest of the citation from CITATION.cff: the page, the
BibTeX entry and what GitHub offers have one source each.
"""

import tomllib
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ABOUT = "book/about"


def version_of(root: Path) -> str:
    """The version that pyproject.toml names."""
    with open(root / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]["version"]


def citation_of(root: Path) -> dict:
    """What CITATION.cff holds."""
    return yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))


def author_names(citation: dict) -> list[str]:
    """The authors as BibTeX wants them: a body in braces, a person family name first."""
    return [
        f"{{{one['name']}}}" if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in citation["authors"]
    ]


def bibtex(citation: dict) -> str:
    """A BibTeX entry, for any style: @misc knows no version, so a note says it."""
    year = str(citation["date-released"])[:4]
    fields = {
        "author": " and ".join(author_names(citation)),
        "title": f"{{{citation['title']}}}",
        "year": year,
        "url": citation["url"],
        "note": f"Version {citation['version']}",
    }
    key = "-".join(citation["title"].lower().split())
    width = max(map(len, fields))
    lines = [f"  {name:<{width}} = {{{value}}}" for name, value in fields.items()]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}"


def sentence(citation: dict) -> str:
    """The same for a list of references in prose."""
    authors = ", ".join(name.strip("{}") for name in author_names(citation))
    year = str(citation["date-released"])[:4]
    return (
        f"{authors} ({year}). {citation['title']}. Version {citation['version']}. {citation['url']}"
    )


class BookCitation(SphinxDirective):
    """The directive `book-citation`: a sentence to cite the book with, and its BibTeX."""

    def run(self) -> list[nodes.Node]:
        """Read CITATION.cff anew, and say so to Sphinx."""
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / "CITATION.cff"))
        citation = citation_of(root)
        entry = bibtex(citation)
        return [
            nodes.paragraph("", nodes.Text(sentence(citation))),
            nodes.literal_block(entry, entry, language="bibtex"),
        ]


def take_version(app: Sphinx, config) -> None:
    """Let Sphinx know the version, too."""
    config.version = config.release = version_of(Path(app.srcdir))


def foot(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Put the version, and the way to cite it, at the foot of the page."""
    if app.builder.format != "html":
        return
    about = context["pathto"](ABOUT).rstrip("#")  # of the page itself it is "#"
    context["theme_extra_footer"] = (
        f"{context.get('theme_extra_footer', '')}\n"
        f'Version {app.config.version}: <a href="{about}#changes">changes</a>, '
        f'<a href="{about}#cite-this-book">how to cite</a>.'
    )


def setup(app: Sphinx) -> dict:
    """Connect the events."""
    app.add_directive("book-citation", BookCitation)
    app.connect("config-inited", take_version)
    app.connect("html-page-context", foot, priority=911)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
