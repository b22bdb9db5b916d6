"""Cut the icon fonts down to the icons that the site shows: 270 kB a page become about 5."""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

# A rule of a style sheet, and an icon's place in the private use area.
RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
ICON = re.compile(r"\\([ef][0-9a-f]{3})\b")


def shrink(out: Path) -> None:
    """Rewrite each Font Awesome .woff2 below `out` from the full .ttf that lies beside it."""
    codes = used_icons(out)
    for full in sorted((out / "_static/vendor/fontawesome/webfonts").glob("*.ttf")):
        font = TTFont(full)
        options = subset.Options(flavor="woff2", layout_features=[], notdef_outline=True)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=codes)
        cutter.subset(font)
        subset.save_font(font, str(full.with_suffix(".woff2")), options)


def used_icons(out: Path) -> set[int]:
    """The code points of the icons that a page, a script or the theme's own rules name."""
    scripts = [*(out / "_static").glob("*.js"), *(out / "_static/scripts").glob("*.js")]
    scripts = [path for path in scripts if path.name != "fontawesome.js"]
    pages = [path for path in out.rglob("*.html") if "_sources" not in path.parts]
    named: set[str] = set()
    for path in [*pages, *scripts]:
        named.update(re.findall(r"\bfa-[a-z0-9-]+", path.read_text(encoding="utf-8")))
    codes: set[int] = set()
    for sheet in (out / "_static").rglob("*.css"):
        for selector, body in RULE.findall(sheet.read_text(encoding="utf-8")):
            defined = re.findall(r"\.(fa-[a-z0-9-]+)", selector)
            if not defined or named.intersection(defined):
                codes.update(int(code, 16) for code in ICON.findall(body))
    return codes
