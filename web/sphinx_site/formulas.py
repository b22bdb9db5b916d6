"""Formulas are set when the site is built: KaTeX writes html for the eye and MathML for a reader.

Sphinx calls a math renderer for each formula; this one hands them to a single node process
(formulas.mjs). A formula that KaTeX cannot read is a warning that names its page and line, so it
stops the build. KaTeX and node come with `tools/vendor.py`; without them the build stops as well:
a page full of TeX is no page.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import formula_styles
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

HERE = Path(__file__).resolve().parent
KATEX = HERE.parent / "vendor" / "dist" / "katex"
IDEAS = {  # a macro of the .md pages: what notebooks write for JupyterLab and Colab, and its class
    "query": ("#0B6FB8", "pan-query"),
    "key": ("#A15C00", "pan-key"),
    "val": ("#0A7D5A", "pan-value"),
    "data": ("#4B3FA8", "pan-data"),
    "noise": ("#5F6B7A", "pan-noise"),
    "pred": ("#B0307C", "pan-prediction"),
}
CLASSES = dict(IDEAS.values())
OPENING = re.compile(r"[(\[“‘\"']+$")  # what no line may end with, in front of a formula
CLOSING = re.compile(r"[^\w\s]+|\w+")  # and none begin with, behind it
logger = logging.getLogger(__name__)


class Typesetter:
    """One node process that sets formulas; it starts with the first, and keeps what it has set."""

    def __init__(self, katex: Path = KATEX) -> None:
        self.katex, self.process, self.known = katex, None, {}

    def set(self, tex: str, display: bool) -> str:
        """Return a formula's html with its MathML.

        Raises:
            ValueError: KaTeX cannot read it; the message says where.
            ExtensionError: node or KaTeX is missing, or died.
        """
        if (tex, display) not in self.known:
            self.known[tex, display] = self.ask({"tex": tex, "display": display})
        answer = self.known[tex, display]
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["html"]

    def ask(self, question: dict) -> dict:
        """Send one line to the process and return the line that comes back."""
        self.process = self.process or self.start()
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ExtensionError(f"node stopped while it set {question['tex']!r}; see above")
        return json.loads(line)

    def start(self) -> subprocess.Popen:
        """Start node, or say what is missing."""
        beside = str(Path(sys.executable).parent)
        node = shutil.which("node") or shutil.which("node", path=beside)
        script = self.katex / "katex.min.js"
        for what, there in (("node", node), (str(script), script.exists())):
            if not there:
                raise ExtensionError(
                    f"Formulas cannot be set: {what} is missing. `make book` fetches what is "
                    "needed; by hand: python tools/vendor.py"
                )
        classes = json.dumps({name: given for name, (_, given) in IDEAS.items()})
        return subprocess.Popen(
            [node, HERE / "formulas.mjs", script, classes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def stop(self) -> None:
        """End the process; the next formula would start another."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


typesetter = Typesetter()


def colour_by_idea(app: Sphinx, doctree: nodes.document) -> None:
    """Let the page's scheme choose the colours in formulas: a class in the place of a colour."""
    for node in formulas(doctree):
        text = re.sub(
            r"\\textcolor\{(#\w{6})\}",
            lambda found: rf"\htmlClass{{{CLASSES[found[1].upper()]}}}",
            node.astext(),
        )
        if text != node.astext():
            node.children = [nodes.Text(text)]


def formulas(doctree: nodes.document) -> list[nodes.Element]:
    """Return the formulas of a document, inline ones first."""
    return [*doctree.findall(nodes.math), *doctree.findall(nodes.math_block)]


def keep_together(app: Sphinx, doctree: nodes.document) -> None:
    """Wrap an inline formula with what clings to it: no line begins with the full stop after it."""
    for node in list(doctree.findall(nodes.math)):
        parent, place = node.parent, node.parent.index(node)
        before, after = neighbours(parent, place)
        opening, closing = OPENING.search(before), CLOSING.match(after)
        if not opening and not closing:
            continue
        parent[place] = nodes.inline("", "", node, classes=["pan-whole"])
        if opening:
            parent[place].insert(0, nodes.Text(opening[0]))
            parent[place - 1] = nodes.Text(before[: opening.start()])
        if closing:
            parent[place].append(nodes.Text(closing[0]))
            parent[place + 1] = nodes.Text(after[closing.end() :])


def neighbours(parent: nodes.Element, place: int) -> tuple[str, str]:
    """Return the text right before a place among an element's children, and right after it."""
    around = (parent.children[max(place - 1, 0) : place], parent.children[place + 1 : place + 2])
    return tuple(n[0] if n and isinstance(n[0], nodes.Text) else "" for n in around)


def typeset(translator, node: nodes.Element, display: bool) -> str:
    """Return a formula's html; where KaTeX cannot read it, warn and return its source."""
    try:
        return typesetter.set(node.astext(), display)
    except ValueError as error:
        logger.warning("KaTeX cannot read a formula: %s", error, location=node)
        return translator.encode(node.astext())


def visit_inline(translator, node: nodes.math) -> None:
    """Write a formula that stands in a line."""
    start = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    translator.body.append(start + typeset(translator, node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_block(translator, node: nodes.math_block) -> None:
    """Write a displayed equation, and behind it its number, which links to it."""
    start = translator.starttag(node, "div", "", CLASS="math notranslate nohighlight")
    translator.body.append(start + typeset(translator, node, display=True))
    if node["number"]:
        number, here = get_node_equation_number(translator, node), node["ids"][0]
        link = f'<a href="#{here}" title="Link to this equation">({number})</a>'
        translator.body.append(f'<span class="eqno">{link}</span>')
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Stop node, and give the site the style sheet and the fonts that its formulas need."""
    typesetter.stop()
    if exception is None and app.builder.format == "html":
        formula_styles.write(Path(app.outdir), KATEX)


def setup(app: Sphinx) -> dict:
    """Register the renderer, which _config.yml chooses by `html_math_renderer`."""
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.connect("doctree-read", colour_by_idea)
    app.connect("doctree-read", keep_together)
    app.connect("build-finished", finish, priority=110)
    # One process cannot talk with several writers at once.
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
