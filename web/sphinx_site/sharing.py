"""What a link to a page shows, and where search engines find it.

Every page gets one viewport, a title, a canonical address, and tags for cards with a picture of
its own; the site gets sitemap.xml, robots.txt and a 404.html that works at any depth. All
addresses come from `repository.url` in _config.yml, which a fork's stamp replaces; who publishes
on a domain of his own sets `html: baseurl` there.
"""

import html
import re
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from attnoise_site import first_sentence, moved_to_top
from cards import SIZE, write_card
from docutils import nodes
from site_address import site_address
from sphinx.application import Sphinx

CARDS = "_static/cards"
SUBTITLE = "A course on transformers and diffusion models"
MISSING = """\
<section id="not-found">
<h1>This page is not here</h1>
<p>The address leads nowhere: perhaps it has a slip, perhaps a chapter has moved.</p>
<p><a href="./">The first page</a> lists every chapter, and
<a href="search.html">the search</a> looks through all of them.</p>
</section>
"""
VIEWPORT = re.compile(r'\s*<meta name="viewport"[^>]*>')


def top(app: Sphinx) -> str:
    """The address of the published site's top, or "" where none can be known."""
    own_domain = (app.config.html_baseurl or "").strip()
    if own_domain:
        return own_domain.rstrip("/") + "/"
    return site_address(app.config.html_theme_options.get("repository_url", ""))


def address_of(app: Sphinx, pagename: str) -> str:
    """A page's one address; the landing page's is the top of the site."""
    return top(app) + ("" if pagename == app.config.root_doc else f"{pagename}.html")


def part_of(app: Sphinx, pagename: str) -> str:
    """The caption of the part that lists a page, or nothing."""
    toc = yaml.safe_load((Path(app.srcdir) / "_toc.yml").read_text(encoding="utf-8"))
    for part in toc.get("parts", ()):
        if pagename in (chapter["file"] for chapter in part["chapters"]):
            return part["caption"]
    return ""


def question_of(doctree: nodes.document, description: str) -> str:
    """The question under a chapter's title; of any other page, what it says of itself."""
    first = next(iter(doctree.findall(nodes.paragraph)), None)
    text = " ".join(first.astext().split()) if first is not None else ""
    return text if text.endswith("?") else description or first_sentence(doctree)


def share(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Give a page its title, its canonical address, its card, and the tags that name them."""
    if app.builder.format != "html":
        return
    is_root = pagename == app.config.root_doc
    if is_root:
        context["docstitle"] = SUBTITLE  # else the title would say the book's name twice
    title = re.sub(r'<span class="section-number">.*?</span>', "", context.get("title") or "")
    title = html.unescape(re.sub(r"<[^>]+>", "", title)) or app.config.project
    tags = context.get("metatags", "")
    said = re.search(r'<meta content="([^"]*)" name="description"', tags)
    description = html.unescape(said[1]) if said else ""
    pairs = [
        ("property", "og:title", title),
        ("property", "og:description", description),
        ("property", "og:site_name", app.config.project),
        ("property", "og:type", "website" if is_root or doctree is None else "article"),
    ]
    context["pageurl"] = address_of(app, pagename) if top(app) and pagename != "404" else None
    if context["pageurl"]:
        pairs.append(("property", "og:url", context["pageurl"]))
        pairs += picture(app, pagename if doctree is not None else app.config.root_doc, title)
    if doctree is not None:
        place = part_of(app, pagename)
        number = app.env.toc_secnumbers.get(pagename, {}).get("", ())
        if number:
            place += " · " + ".".join(map(str, number))
        write_card(
            Path(app.outdir) / CARDS / card_name(pagename),
            title,
            question_of(doctree, description),
            place,
            SUBTITLE if is_root else app.config.project,
        )
    lines = [f'<meta {kind}="{key}" content="{html.escape(value)}">' for kind, key, value in pairs]
    context["metatags"] = "\n".join([tags.rstrip(), *lines]) + "\n"


def card_name(pagename: str) -> str:
    """The file of a page's card."""
    return pagename.removeprefix("book/").replace("/", "-") + ".png"


def picture(app: Sphinx, pagename: str, title: str) -> list[tuple[str, str, str]]:
    """The tags that name a page's card; where a page has no card, the landing page's."""
    return [
        ("property", "og:image", f"{top(app)}{CARDS}/{card_name(pagename)}"),
        ("property", "og:image:width", str(SIZE[0])),
        ("property", "og:image:height", str(SIZE[1])),
        ("property", "og:image:alt", f"{title}: title and question on a white card"),
        ("name", "twitter:card", "summary_large_image"),
    ]


def missing_page(app: Sphinx):
    """The page that GitHub Pages shows for an address that leads nowhere."""
    tags = (
        f'<meta content="This address leads nowhere in {html.escape(app.config.project)}; '
        'the contents and the search lead on." name="description" />\n'
        '<meta content="noindex" name="robots" />\n'
    )
    yield "404", {"title": "Not found", "body": MISSING, "metatags": tags}, "page.html"


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Leave one viewport per page, lead the 404 page's links from the top, list all pages."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in sorted(out.rglob("*.html")):
        if {"_static", "_sources", "_images"} & set(page.relative_to(out).parts):
            continue
        before = page.read_text(encoding="utf-8")
        after = one_viewport(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
    missing = out / "404.html"
    folder = urlsplit(top(app)).path or "/"
    missing.write_text(moved_to_top(missing.read_text(encoding="utf-8"), folder), encoding="utf-8")
    (out / "robots.txt").write_text(robots(top(app)), encoding="utf-8")
    if top(app):
        addresses = sorted(address_of(app, name) for name in app.env.found_docs)
        (out / "sitemap.xml").write_text(sitemap(addresses), encoding="utf-8")


def one_viewport(text: str) -> str:
    """Keep the first of the viewports that the theme, its parent and docutils write."""
    first = VIEWPORT.search(text)
    if first is None:
        return text
    return text[: first.end()] + VIEWPORT.sub("", text[first.end() :])


def robots(address: str) -> str:
    """robots.txt: everything may be read, and the map lies here."""
    lines = ["User-agent: *", "Allow: /"]
    return "\n".join(lines + ([f"Sitemap: {address}sitemap.xml"] if address else [])) + "\n"


def sitemap(addresses: list[str]) -> str:
    """sitemap.xml with one entry per page."""
    entries = "".join(f"  <url><loc>{html.escape(one)}</loc></url>\n" for one in addresses)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{entries}</urlset>\n"
    )


def setup(app: Sphinx) -> dict:
    """Connect the events: after the site's own on each page, before them at the end."""
    app.connect("html-page-context", share, priority=910)
    app.connect("html-collect-pages", missing_page)
    app.connect("build-finished", finish, priority=90)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
