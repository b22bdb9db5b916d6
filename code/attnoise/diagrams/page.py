"""A diagram in a notebook and on a page: the drawing, and beside it what the reader points at."""

import base64
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .raster import to_png
from .scene import WIDTH, Scene
from .source import files
from .svg import to_svg

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Diagram:
    """A drawing whose parts tell their shape and the line of code that makes them.

    Args:
        scene: What is drawn.
    """

    scene: Scene

    def __repr__(self) -> str:
        return f"{self.scene.title}. {self.scene.caption}"

    def svg(self) -> str:
        """Return the drawing as a file of its own."""
        return to_svg(self.scene, style=read("drawing.css"))

    def html(self) -> str:
        """Return the figure: one block without ids, so that it may stand twice on a page."""
        scene = self.scene
        data = json.dumps(self.parts(), ensure_ascii=False, separators=(",", ":"))
        data = data.replace("<", "\\u003c")  # it stands inside a script element
        return f"""<figure class="pan-diagram" data-diagram="{scene.name}" \
data-files="{escape(files())}">
<style>{read("drawing.css")}{read("page.css")}</style>
<p class="pan-diagram-title">{escape(scene.title)}</p>
<div class="pan-diagram-body">
<div class="pan-diagram-stage">{to_svg(scene)}</div>
<div class="pan-diagram-strip" aria-live="polite" hidden></div>
</div>
<figcaption>{escape(scene.caption)}</figcaption>
<script type="application/json" class="pan-diagram-data">{data}</script>
<script>(() => {{
"use strict";
{read("page.js")}}})();</script>
</figure>"""

    def parts(self) -> list[dict[str, str]]:
        """Return what the page says of each part."""
        return [
            {
                "title": part.title,
                "note": part.note,
                "shape": part.shape,
                "text": part.line.text,
                "file": part.line.file,
                "where": part.line.where,
            }
            for part in self.scene.parts
        ]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        bundle = {
            "text/plain": repr(self),
            "text/html": self.html(),
            "image/png": base64.b64encode(to_png(self.scene)).decode(),
        }
        size = {"width": WIDTH, "height": round(self.scene.height)}
        return bundle, {"image/png": size}


def read(name: str) -> str:
    """Return a style sheet or script of this folder."""
    return (FOLDER / name).read_text(encoding="utf-8")
