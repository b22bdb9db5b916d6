"""The site's two typefaces: Literata for text, JetBrains Mono for code, cut to what is needed.

`tools/vendor.py` fetches them. They are put below `_static/fonts` with their licences, and the
rules that name them in front of the site's own in `_static/css/typefaces.css`. Where they could not
be fetched, the rules are left out, and the faces that stand next in the sheet's lists are shown.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import font_cutter
from sphinx.application import Sphinx

PACKAGES = Path(__file__).resolve().parents[1] / "vendor" / "dist" / "@fontsource-variable"
SHEET = "css/typefaces.css"
CHARACTERS = (
    "".join(map(chr, range(0x20, 0x7F)))
    + "ÄÅÉÖÜßàáâäåçèéêëíïñóôöøúüÿæœ"
    + "\N{NO-BREAK SPACE}§©«°±²³´·»½×÷–—‘’“”„•…€\N{MINUS SIGN}⁄"
)

# Above and below the line, as much as letters take: Literata itself asks for a third more, and two
# lines of a label would lie on each other.
LINE = "ascent-override: 93%; descent-override: 24%; line-gap-override: 0%"


@dataclass(frozen=True)
class Face:
    """One file of a typeface."""

    family: str
    package: str
    style: str
    weights: tuple[int, int] | int
    features: tuple[str, ...]

    @property
    def file(self) -> str:
        """Its path below the packages."""
        return f"{self.package}/files/{self.package}-latin-wght-{self.style}.woff2"


FACES = (
    Face("Literata", "literata", "normal", (400, 700), ("kern", "tnum")),
    Face("Literata", "literata", "italic", 400, ("kern",)),
    Face("JetBrains Mono", "jetbrains-mono", "normal", (400, 700), ()),
)


def write(out: Path, packages: Path = PACKAGES) -> None:
    """Put the fonts and the rules that name them into a built site, if they are there."""
    sources = [packages / face.file for face in FACES]
    if not all(source.exists() for source in sources):
        return
    target, rules = out / "_static" / "fonts", []
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for face, source in zip(FACES, sources, strict=True):
        shutil.copy(packages / face.package / "LICENSE", target / f"{face.package}-LICENSE.txt")
        font = font_cutter.cut(
            source,
            CHARACTERS,
            features=face.features,
            names=font_cutter.COPYRIGHT,
            weights=face.weights,
        )
        name = f"{face.package}-{face.style}.woff2"
        (target / name).write_bytes(font)
        rules.append(rule(face, f"../fonts/{name}?v={font_cutter.digest(font)}"))
    own = (Path(__file__).parents[1] / "static" / SHEET).read_text("utf8")
    (out / "_static" / SHEET).write_text("\n".join(rules) + "\n" + own, "utf8")


def rule(face: Face, address: str) -> str:
    """Return the rule that names a font's file."""
    weights = face.weights if isinstance(face.weights, tuple) else (face.weights,)
    return (
        f'@font-face {{ font-family: "{face.family}"; font-style: {face.style}; '
        f"font-weight: {' '.join(map(str, weights))}; font-display: swap; {LINE}; "
        f'src: url({address}) format("woff2"); }}'
    )


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Give the finished site its typefaces."""
    if exception is None and app.builder.format == "html":
        write(Path(app.outdir))


def setup(app: Sphinx) -> dict:
    """Connect the event."""
    app.connect("build-finished", finish, priority=110)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
