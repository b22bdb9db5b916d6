"""The site's own Sphinx hook: nothing fetched from elsewhere, a description on every page,
sized pictures, and a landing page that is a page and not a redirect.

Sphinx loads it through `sphinx.local_extensions` in _config.yml. Three events do the work: the
builder's start (models), each page (scripts, meta tags), and the end of the build (the finished
html files). Formulas are formulas.py's.
"""

import gzip
import html
import importlib.util
import posixpath
import re
import shutil
from pathlib import Path

import icon_fonts
import safetensors.numpy
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PACKED = (".onnx", ".wasm")
MODULES = ("captions.js",)  # of the figures' modules, those that the site's own import
WEIGHTS = ("shakespeare",)  # checkpoints that a page runs by its own script
GENERATED = {
    "search": "Search every page of {project}.",
    "genindex": "The index of {project}.",
    "prf-prf": "All definitions, theorems and algorithms of {project}.",
    "": "A page of {project}, a course on transformers, diffusion models and both together.",
}
DESCRIPTION_LENGTH = 160  # what search engines show


def copy_models(app: Sphinx) -> None:
    """Copy the models that pages run, and the runtime that `tools/vendor.py` has fetched, packed.

    No page loads them by itself: a figure does, when its reader asks for it. They are packed here,
    since many servers send such files as they are: so what crosses the wire is small and known.
    """
    if app.builder.format != "html":
        return
    web, static = Path(__file__).parents[1], Path(app.outdir) / "_static"
    for source, target in (("models", "models"), ("vendor/dist/onnxruntime-web", "vendor/ort")):
        for path in sorted((web / source).glob("*")):
            if path.suffix in PACKED:
                pack(path.read_bytes(), static / target / f"{path.name}.gz")
            else:
                (static / target).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, static / target / path.name)
    modules = Path(attnoise_folder()) / "figures" / "js"
    (static / "js").mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        shutil.copyfile(modules / name, static / "js" / name)
    for name in WEIGHTS:
        path = Path(attnoise_folder()) / "checkpoints" / f"{name}.safetensors"
        pack(without_copies(path.read_bytes()), static / "models" / f"{path.name}.gz")


def attnoise_folder() -> str:
    """Return where the package lies, without importing it and torch."""
    found = importlib.util.find_spec("attnoise")
    if found is None or not found.submodule_search_locations:
        raise ExtensionError(
            "The package attnoise is missing, whose weights pages load. Install it with: "
            "pip install -r requirements.txt"
        )
    return found.submodule_search_locations[0]


def pack(content: bytes, target: Path) -> None:
    """Write a file packed by gzip; the same content always gives the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(content, mtime=0))


def without_copies(weights: bytes) -> bytes:
    """Drop a tied head from a safetensors file: it is the embedding once more."""
    tensors = safetensors.numpy.load(weights)
    if (tensors["head.weight"] == tensors["tokens.weight"]).all():
        del tensors["head.weight"]
    return safetensors.numpy.save(tensors)


def trim_scripts(app, pagename, templatename, context, doctree) -> None:
    """Drop Thebe, which would call a server, and every script that is listed twice."""
    for listing in ("script_files", "css_files"):
        kept, seen = [], set()
        for entry in context.get(listing, []):
            name = str(getattr(entry, "filename", entry) or "")
            body = str(getattr(entry, "attributes", {}).get("body", ""))
            if "thebe" in (name + body).lower() or (name, body) in seen:
                continue
            seen.add((name, body))
            kept.append(entry)
        context[listing] = kept


def describe(app, pagename, templatename, context, doctree) -> None:
    """Give the page its description; sharing.py adds what a shared link shows."""
    tags = context.get("metatags", "")
    if re.search(r'<meta content="[^"]*" name="description"', tags):
        return
    declared = (app.env.metadata.get(pagename) or {}).get("description", "").strip()
    text = declared or first_sentence(doctree)
    if not text:
        text = GENERATED.get(pagename, GENERATED[""]).format(project=app.config.project)
    context["metatags"] = f'{tags}\n<meta content="{html.escape(text)}" name="description" />\n'


def offer_to_run(app, pagename, templatename, context, doctree) -> None:
    """Put the two ways to run a chapter into its box: in Colab, and as a downloaded file."""
    if doctree is None or not str(app.env.doc2path(pagename)).endswith(".ipynb"):
        return
    colab = colab_address(app.config.html_theme_options, pagename)
    notebook = context["pathto"](f"_sources/{pagename}.ipynb", 1)
    links = (
        f'<p class="pan-run"><a class="pan-run-colab" href="{html.escape(colab)}">'
        "Open this chapter in Colab</a>"
        f'<a class="pan-run-download" href="{notebook}" download>Download the notebook</a></p>'
    )
    context["body"] = re.sub(
        r'<div class="pan-brief[^>]*>', lambda box: box[0] + "\n" + links, context["body"], count=1
    )


def colab_address(options: dict, pagename: str) -> str:
    """Where Colab finds a chapter: the repository and branch that _config.yml names."""
    repository = options["repository_url"].removeprefix("https://github.com/").strip("/")
    host = options["launch_buttons"]["colab_url"].rstrip("/")
    return f"{host}/github/{repository}/blob/{options['repository_branch']}/{pagename}.ipynb"


def first_sentence(doctree: nodes.document | None) -> str:
    """The first paragraph of prose that holds no formula, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree is not None else ():
        inside_text = isinstance(paragraph.parent, (nodes.section, nodes.block_quote))
        has_formula = any(paragraph.findall(nodes.math)) or any(paragraph.findall(nodes.raw))
        text = " ".join(paragraph.astext().split())
        if inside_text and not has_formula and len(text) >= 40:
            if len(text) <= DESCRIPTION_LENGTH:
                return text
            return text[: DESCRIPTION_LENGTH - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
    return ""


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Mend the finished html files; running it twice changes nothing more."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in sorted(out.rglob("*.html")):
        if {"_static", "_sources", "_images"} & set(page.relative_to(out).parts):
            continue
        before = page.read_text(encoding="utf-8")
        after = with_plain_roles(without_icon_script(before))
        after = size_pictures(after, page.parent)
        if after != before:
            page.write_text(after, encoding="utf-8")
    icon_fonts.shrink(out)
    root = app.config.root_doc
    if "/" in root:
        landing = (out / f"{root}.html").read_text(encoding="utf-8")
        (out / "index.html").write_text(
            moved_to_top(landing, posixpath.dirname(root)), encoding="utf-8"
        )


def without_icon_script(text: str) -> str:
    """Drop Font Awesome's 1.5 MB script: the theme's style sheet draws the same icons."""
    return re.sub(r'\s*<script defer src="[^"]*scripts/fontawesome\.js[^"]*"></script>', "", text)


def with_plain_roles(text: str) -> str:
    """Mend what is read out: a bibliography is a list, and folded code has its own words."""
    text = text.replace('role="doc-biblioentry"', 'role="listitem"')
    return text.replace('<summary aria-label="Toggle hidden content">', "<summary>")


def size_pictures(text: str, folder: Path) -> str:
    """Reserve each picture's room on the page, so that text does not jump while it loads."""

    def sized(match: re.Match) -> str:
        tag = re.sub(r' style="width:[^"]*"', "", match.group(0))  # it would squeeze on a phone
        source = re.search(r'src="(?!data:)([^"]+)"', tag)  # a figure's own frames stay as they are
        path = (folder / source.group(1).split("?")[0]).resolve() if source else None
        if path is None or not path.is_file() or " width=" in tag:
            return tag
        if path.suffix not in {".png", ".jpg", ".jpeg", ".webp"}:
            return tag
        with Image.open(path) as picture:
            dots_per_inch = max(float(picture.info.get("dpi", (96, 96))[0]), 96.0)
            width, height = (round(side * 96 / dots_per_inch) for side in picture.size)
        return f'<img width="{width}" height="{height}"' + tag[len("<img") :]

    return re.sub(r"<img\b[^>]*>", sized, text)


def moved_to_top(text: str, folder: str) -> str:
    """The landing page, its links rewritten so that it also stands at the top of the site."""

    def moved(match: re.Match) -> str:
        attribute, address = match.groups()
        path, mark, rest = re.match(r"([^#?]*)([#?]?)(.*)", address, re.DOTALL).groups()
        if not path or re.match(r"[a-z]+:|/", path):
            return match.group(0)
        new = posixpath.normpath(posixpath.join(folder, path))
        new += "/" if path.endswith("/") else ""
        return f'{attribute}="{new}{mark}{rest}"'

    return re.sub(r'\b(href|src|action|data-content_root)="([^"]*)"', moved, text)


def setup(app: Sphinx) -> dict:
    """Connect the events; late on each page, early at the end of the build."""
    app.connect("builder-inited", copy_models)
    app.connect("html-page-context", trim_scripts, priority=900)
    app.connect("html-page-context", describe, priority=901)
    app.connect("html-page-context", offer_to_run, priority=902)
    app.connect("build-finished", finish, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
