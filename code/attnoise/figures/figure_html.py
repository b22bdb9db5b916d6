"""The html of a figure that moves: one block that needs nothing else, and works without scripts.

The block holds no id and no date, so that it may stand twice on a page and the same figure always
gives the same bytes. Its styles and scripts lie in the folder `figures`; what a script imports, one
module per algorithm, lies in `figures/js` and is written into the block before it.
"""

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .controls import Control

FOLDER = Path(__file__).parent
RUNTIME = "runtime"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?:js/)?(\w+)\.js";\n', re.M)


def script_names() -> list[str]:
    """Return the names of the scripts that a figure can run on a page."""
    return sorted(path.stem for path in FOLDER.glob("*.js") if path.stem != RUNTIME)


def render(
    *,
    title: str,
    alt: str,
    sentence: str,
    still: str,
    size: tuple[int, int],
    controls: Mapping[str, Control],
    script: str,
    data: Any,
    play: dict | None,
) -> str:
    """Return the block.

    Args:
        title: The visible title.
        alt: What the figure shows.
        sentence: What it says at first.
        still: Address of the picture that stands there until the script runs, and without it.
        size: Its width and height on the page, in pixels.
        controls: The sliders.
        script: The name of the script in `figures`.
        data: What the script works with.
        play: The play button's settings: control, seconds, auto, loop. None makes no button.

    Raises:
        ConfigError: The data cannot be written as json.
    """
    page = {
        "alt": alt,
        "controls": [
            {"name": name, "values": c.values, "texts": [c.text(value) for value in c.values]}
            for name, c in controls.items()
        ],
        "data": data,
        "play": play,
    }
    button = '<button type="button" class="pan-fig-play" hidden>Play</button>' if play else ""
    image = f'<img src="{still}" alt="{escape(alt)}" width="{size[0]}" height="{size[1]}">'
    sliders = "\n".join(slider(control) for control in controls.values())
    return f"""<figure class="pan-fig">
<figcaption class="pan-fig-title">{escape(title)}</figcaption>
<style>{read("figure.css")}{styles_of(script)}</style>
<div class="pan-fig-stage">{image}</div>
<div class="pan-fig-controls">
{sliders}
{button}</div>
<output class="pan-fig-words" aria-live="polite">{escape(sentence)}</output>
<script type="application/json" class="pan-fig-data">{as_json(page)}</script>
<script>(() => {{
"use strict";
{read(RUNTIME + ".js")}
{bundle(read(script + ".js"))}}})();</script>
</figure>"""


def bundle(script: str, done: set[str] | None = None) -> str:
    """Return a script behind the modules that it imports, each once, as one scope without imports.

    Args:
        script: The text of an ES module that imports from `figures/js` alone, by name.
        done: The modules that already stand before it.
    """
    done, parts = set() if done is None else done, []
    for name in IMPORT.findall(script):
        if name not in done:
            done.add(name)
            parts.append(bundle(read(f"js/{name}.js"), done))
    return "".join(parts) + re.sub(r"^export ", "", IMPORT.sub("", script), flags=re.M)


def slider(control: Control) -> str:
    """Return one range input inside its label; the script wakes it up."""
    text = escape(control.text(control.start))
    return (
        f'<label class="pan-fig-control pan-idea-{control.idea}">'
        f"<span>{escape(control.label)}</span>"
        f'<span class="pan-fig-value" aria-hidden="true">{text}</span>'
        f'<input type="range" min="0" max="{len(control.values) - 1}" step="1" '
        f'value="{control.index(control.start)}" aria-valuetext="{text}" '
        'autocomplete="off" disabled></label>'
    )


def as_json(page: dict) -> str:
    """Return json that may stand inside a script element."""
    try:
        text = json.dumps(page, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "data must be finite numbers, strings, lists and dicts, so that the page can read "
            f"them; json says: {error}. Turn tensors into lists with rounded()."
        ) from None
    return text.replace("<", "\\u003c")


def rounded(values: Any, digits: int = 4) -> Any:
    """Return a tensor, array or list as nested lists of rounded numbers, short and stable.

    >>> rounded([0.123456, 1])
    [0.1235, 1.0]
    """
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits) for value in values]
    return round(float(values), digits) + 0.0  # no -0.0


def styles_of(script: str) -> str:
    """Return a script's own styles; most have none."""
    return read(f"{script}.css") if (FOLDER / f"{script}.css").exists() else ""


def read(name: str) -> str:
    """Return a style sheet or script of the folder `figures`."""
    return (FOLDER / name).read_text(encoding="utf-8")
