"""KaTeX's style sheet and fonts, cut down to what the site's formulas show.

KaTeX ships 20 fonts of 260 kB; the formulas need about 120 characters of a few of them. Its rules
go in front of the site's own in `_static/css/formulas.css`: one request. A small font stands in
the sheet itself, a larger one beside it as .woff2.
"""

import base64
import html
import re
import shutil
from collections import defaultdict
from pathlib import Path

from font_cutter import cut, digest

SHEET = "css/formulas.css"
INLINE_BYTES = 4_000  # a smaller font stands in the style sheet: a request costs more
FACE = re.compile(r"@font-face\{[^}]*?(KaTeX_\w+)[^}]*?url\(fonts/([\w-]+\.woff2)\)[^}]*\}")
SOURCES = re.compile(r"src:[^}]*")
RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
FORMULA = '<span class="katex">'
TAG = re.compile(r'<(/?)\w+(?:[^>]*?\bclass="([^"]*)")?[^>]*?(/?)>|([^<]+)')


def write(out: Path, katex: Path) -> None:
    """Write the site's formulas.css and fonts, and name the sheet by its content on every page."""
    pages = [path for path in out.rglob("*.html") if "_static" not in path.parts]
    shown: dict[frozenset, set[str]] = defaultdict(set)
    for path in pages:
        for classes, characters in characters_by_class(path.read_text("utf8")).items():
            shown[classes] |= characters
    fonts = out / "_static" / "vendor" / "katex"
    shutil.rmtree(fonts, ignore_errors=True)
    fonts.mkdir(parents=True)
    shutil.copy(katex / "LICENSE", fonts)
    sheet = cut_sheet((katex / "katex.min.css").read_text("utf8"), shown, katex / "fonts", fonts)
    sheet += "\n" + (Path(__file__).parents[1] / "static" / SHEET).read_text("utf8")
    (out / "_static" / SHEET).write_text(sheet, "utf8")
    for path in pages:
        text = path.read_text("utf8")
        path.write_text(re.sub(rf"{SHEET}\?v=\w+", f"{SHEET}?v={digest(sheet)}", text), "utf8")


def characters_by_class(page: str) -> dict[frozenset, set[str]]:
    """Collect the characters that a page's formulas show, by all classes that they stand in."""
    shown: dict[frozenset, set[str]] = defaultdict(set)
    start = page.find(FORMULA)
    while start >= 0:
        around: list[str] = []
        for match in TAG.finditer(page, start):
            closes, classes, empty, text = match.groups()
            if text is not None:
                shown[frozenset(" ".join(around).split())] |= set(html.unescape(text))
            elif closes:
                around.pop()
            elif not empty:
                around.append(classes or "")
            if not around:
                break
        start = page.find(FORMULA, match.end())
    return {classes: found for classes, found in shown.items() if "katex-mathml" not in classes}


def cut_sheet(sheet: str, shown: dict[frozenset, set[str]], source: Path, target: Path) -> str:
    """Return KaTeX's style sheet with only the fonts that are shown, each cut and in its place."""
    families: dict[str, set[str]] = defaultdict(set)
    for selectors, body in RULE.findall(FACE.sub("", sheet)):
        for family in re.findall(r"KaTeX_\w+", body):
            for selector in selectors.split(","):
                needed = set(re.findall(r"\.([\w-]+)", selector))
                families[family].update(*(shown[has] for has in shown if needed <= has))

    def kept(match: re.Match) -> str:
        family, name = match.groups()
        if not families[family]:
            return ""
        font = cut(source / name, families[family])
        address = f"data:font/woff2;base64,{base64.b64encode(font).decode()}"
        if len(font) >= INLINE_BYTES:
            (target / name).write_bytes(font)
            address = f"../vendor/katex/{name}?v={digest(font)}"
        return SOURCES.sub(f'src:url({address}) format("woff2")', match[0])

    return FACE.sub(kept, sheet)
