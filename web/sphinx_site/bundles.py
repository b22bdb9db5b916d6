"""One style sheet and one script for each kind of page, made when the site is finished.

A theme brings a dozen files, and most of what they hold no page of ours needs. Here the sheets that
a page names become one, without the rules for what no page shows, and its scripts become one that
runs when the page has been read. Pages that name the same files share them.
"""

import base64
import posixpath
import re
import shutil
from collections.abc import Callable, Set
from pathlib import Path

from font_cutter import digest
from sphinx.application import Sphinx
from used_rules import names_in, used

OWN = "css/"  # below _static; of all other sheets, unused rules are dropped
# What the theme and extensions bring for folding boxes, tabs, searched words and shortcuts, which
# no page has, and for menus, which are js/menus.js's.
DROPPED = {
    "scripts/bootstrap.js", "doctools.js", "sphinx_highlight.js", "togglebutton.js",
    "design-tabs.js", "togglebutton.css", "sphinx-design.min.css",
}  # fmt: skip
LEFT_OVERS = (
    "**/*.map", "**/*.ttf", "scripts", "styles", "locales", "searchtools.js", "language_data.js",
    "sphinx-thebe.*", "*webpack-macros.html", "basic.css",
)  # fmt: skip
INLINE_BYTES = 4_000  # a smaller font stands in the sheet itself: a request costs more

# A sheet for print alone stays apart: no page waits for it.
SHEET = re.compile(
    r'[ \t]*<link\b(?=[^>]*\brel="stylesheet")(?![^>]*\bmedia=)[^>]*\bhref="([^"]+)"[^>]*>\n?'
)
SCRIPT = re.compile(r'[ \t]*<script\b(?![^>]*\btype=)[^>]*\bsrc="([^"]+)"[^>]*></script>\n?')
PRELOAD = re.compile(r'[ \t]*<link rel="preload" as="script"[^>]*>\n?')
SETTINGS = re.compile(
    r"[ \t]*<script>(?:let toggle\w+ = |var togglebutton|DOCUMENTATION_OPTIONS\.)[^<]*</script>\n?"
)
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
ADDRESS = re.compile(r"url\((?!data:)[\"']?([^\"')#]+)[\"']?\)")
IMPORT = re.compile(r"@import (?:url\()?[\"']?([^\"')]+)[\"']?\)?;")
OLDER_FORMATS = re.compile(r",\s*url\([^)]*\.ttf[^)]*\)\s*format\([^)]*\)")
# The theme asks for its marks with no care: where a browser lets pages keep nothing, it fails. So
# its scripts ask `themeStorage`, which there forgets.
THEME = "scripts/pydata-sphinx-theme.js"
FIRST = re.compile(r'(<script data-cfasync="false">)(.*?</script>)', re.DOTALL)
STORAGE = """
    var themeStorage = { getItem: () => null, setItem() {} };
    try { themeStorage = localStorage ?? themeStorage; } catch {}"""
MAP = re.compile(r"//# sourceMappingURL=\S*|/\*# sourceMappingURL=.*?\*/")


def write(out: Path) -> None:
    """Join the files that the pages below `out` name, and remove what no page names any more."""
    pages = {path: SETTINGS.sub("", PRELOAD.sub("", path.read_text("utf8"))) for path in htmls(out)}
    static = out / "_static"
    names = shown(static, list(pages.values()))
    joins = {"css": (SHEET, Joiner(static, "css", lambda name: sheet(static, name, names))),
             "js": (SCRIPT, Joiner(static, "js", lambda name: script(static, name)))}  # fmt: skip
    for path, page in pages.items():
        page = FIRST.sub(lambda one: one[1] + STORAGE + theirs(one[2]), page)
        for found, joiner in joins.values():
            page = joiner.page(page, found)
        path.write_text(page, "utf8")
    joined = {name for _, joiner in joins.values() for files in joiner.made for name in files}
    for name in joined | DROPPED:
        (static / name).unlink(missing_ok=True)
    for path in [path for pattern in LEFT_OVERS for path in static.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def htmls(out: Path) -> list[Path]:
    """Return the site's pages."""
    others = {"_static", "_sources", "_images"}
    return [p for p in sorted(out.rglob("*.html")) if not others & set(p.relative_to(out).parts)]


def shown(static: Path, pages: list[str]) -> set[str]:
    """Return the classes and ids that pages show, or that a script may give to something."""
    files = {name for page in pages for name in map(name_of, SCRIPT.findall(page))} - DROPPED
    files |= {path.relative_to(static).as_posix() for path in static.glob("js/**/*.js")}
    scripts = [script(static, name) for name in sorted(files)]
    return names_in(pages, [*scripts, *{text for page in pages for text in INLINE.findall(page)}])


def name_of(address: str) -> str:
    """Return a file's name below _static."""
    return address.partition("_static/")[2].partition("?")[0]


class Joiner:
    """Joins files of one kind; the same list of files is joined once.

    Args:
        static: The site's folder _static.
        kind: "css" or "js": the ending, and the folder below _static.
        content: Gives what a file adds.
    """

    def __init__(self, static: Path, kind: str, content: Callable[[str], str]) -> None:
        self.static, self.kind, self.content = static, kind, content
        self.made: dict[tuple[str, ...], str] = {}

    def page(self, page: str, found: re.Pattern) -> str:
        """Return a page that names one file in the place of the first that it named."""
        addresses = [one for one in found.findall(page) if "_static/" in one]
        files = tuple(name for name in map(name_of, addresses) if name not in DROPPED)
        if not files:
            return page
        if files not in self.made:
            text = "\n".join(map(self.content, files)) + "\n"
            self.made[files] = f"{self.kind}/joined-{digest(text)}.{self.kind}"
            (self.static / self.made[files]).write_text(text, "utf8")
        address = f"{addresses[0].partition('_static/')[0]}_static/{self.made[files]}"
        tag = {
            "css": f'<link rel="stylesheet" href="{address}">\n',
            "js": f'<script defer src="{address}"></script>\n',
        }[self.kind]
        tags = iter([tag])
        return found.sub(lambda one: next(tags, "") if "_static/" in one[1] else one[0], page)


def script(static: Path, name: str) -> str:
    """Return a script as a part of a longer one."""
    text = MAP.sub("", (static / name).read_text("utf8")).strip() + "\n;"
    return theirs(text) if name == THEME else text


def theirs(text: str) -> str:
    """Return a script of the theme that asks for what it keeps with care."""
    return text.replace("localStorage.", "themeStorage.")


def sheet(static: Path, name: str, names: Set[str]) -> str:
    """Return a sheet as a part of one in the folder css, with its small fonts inside."""
    text = MAP.sub("", (static / name).read_text("utf8"))
    first = "".join(sheet(static, beside(name, one), names) for one in IMPORT.findall(text))
    text = OLDER_FORMATS.sub("", IMPORT.sub("", text))
    text = text if name.startswith(OWN) else used(text, names)

    def led(match: re.Match) -> str:
        path = beside(name, match[1])
        file = static / path.partition("?")[0]
        if file.suffix == ".woff2" and file.stat().st_size < INLINE_BYTES:
            return f"url(data:font/woff2;base64,{base64.b64encode(file.read_bytes()).decode()})"
        return f"url({posixpath.relpath(path, 'css')})"

    return first + ADDRESS.sub(led, text)


def beside(name: str, address: str) -> str:
    """Return the name of the file that an address in another file means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Join the files of the finished site, once nothing writes sheets any more."""
    if exception is None and app.builder.format == "html":
        write(Path(app.outdir))


def setup(app: Sphinx) -> dict:
    """Connect the event."""
    app.connect("build-finished", finish, priority=800)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
