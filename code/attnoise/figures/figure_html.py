"""The html of a figure that moves: one block that needs nothing else, and works without scripts.

The block holds no id and no date, so that it may stand twice on a page and the same figure always
gives the same bytes. Its styles and scripts lie in the folder `figures`; what a script imports, one
module per algorithm, lies in `figures/js` and is written into the block before it. All else stands
in the block as data, so that `restyle` can make a stored block anew when styles or scripts change.
"""

import json
import re
from collections.abc import Mapping
from html import escape, unescape
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .controls import Control

FOLDER = Path(__file__).parent
RUNTIME = "runtime"
STILL = "The controls of this figure need JavaScript, which is off here."
STORED = re.compile(
    r'<figure class="pan-fig" data-script="(?P<script>\w+)">.*?'
    r'class="pan-fig-title">(?P<title>.*?)</figcaption>.*?'
    r'class="pan-fig-stage">(?P<image><img [^>]*>)</div>.*?'
    r"<output [^>]*>(?P<sentence>.*?)</output>.*?"
    r'class="pan-fig-data">(?P<page>.*?)</script>',
    re.S,
)
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
            {
                "name": name,
                "values": c.values,
                "texts": [c.text(value) for value in c.values],
                "label": c.label,
                "idea": c.idea,
                "start": c.index(c.start),
                "choice": c.choice,
            }
            for name, c in controls.items()
        ],
        "data": data,
        "play": play,
    }
    image = f'<img src="{still}" alt="{escape(alt)}" width="{size[0]}" height="{size[1]}">'
    return block(script, title, image, sentence, page)


def block(script: str, title: str, image: str, sentence: str, page: dict) -> str:
    """Put the block together from its parts."""
    button = (
        '<button type="button" class="pan-fig-play" hidden>Play</button>' if page["play"] else ""
    )
    controls = "\n".join(
        buttons(control) if control["choice"] else slider(control) for control in page["controls"]
    )
    return f"""<figure class="pan-fig" data-script="{script}">
<figcaption class="pan-fig-title">{escape(title)}</figcaption>
<style>{read("figure.css")}{styles_of(script)}</style>
<div class="pan-fig-stage">{image}</div>
<form class="pan-fig-controls" autocomplete="off">
{controls}
{button}</form>
<noscript><p>{STILL}</p></noscript>
<output class="pan-fig-words" aria-live="polite">{escape(sentence)}</output>
<script type="application/json" class="pan-fig-data">{as_json(page)}</script>
<script>(() => {{
"use strict";
{code_of(script)}}})();</script>
</figure>"""


def restyle(text: str) -> str:
    """Return a stored block with today's styles, scripts and markup around what it shows.

    Raises:
        ConfigError: It is no block that `render` wrote, or its script is gone.
    """
    found = STORED.search(text)
    if found is None or found["script"] not in script_names():
        named = f"script {found['script']!r}" if found else f"block {text[:60]!r}"
        raise ConfigError(f"{named} is not of this package; run the cell that made it again.")
    title, sentence = unescape(found["title"]), unescape(found["sentence"])
    return block(found["script"], title, found["image"], sentence, json.loads(found["page"]))


def code_of(script: str) -> str:
    """Return what a figure runs: what all figures share, its script, and what these import."""
    done: set[str] = set()
    return f"{bundle(read(RUNTIME + '.js'), done)}\n{bundle(read(script + '.js'), done)}"


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


def slider(control: Mapping[str, Any]) -> str:
    """Return one range input inside its label; the script wakes it up."""
    text = escape(control["texts"][control["start"]])
    return (
        f'<label class="pan-fig-control pan-idea-{control["idea"]}">'
        f"<span>{escape(control['label'])}</span>"
        f'<span class="pan-fig-value" aria-hidden="true">{text}</span>'
        f'<input type="range" min="0" max="{len(control["values"]) - 1}" step="1" '
        f'value="{control["start"]}" aria-valuetext="{text}" '
        'autocomplete="off" disabled></label>'
    )


def buttons(control: Mapping[str, Any]) -> str:
    """Return a row of radio buttons, of which one is pressed; the script wakes them up.

    They are one group because they lie in one form, so that a figure may stand twice on a page.
    """
    row = "".join(
        f'<label><input type="radio" name="{escape(control["name"])}" value="{place}"'
        f"{' checked' if place == control['start'] else ''} disabled>"
        f"<span>{escape(text)}</span></label>"
        for place, text in enumerate(control["texts"])
    )
    return (
        f'<fieldset class="pan-fig-control pan-fig-choice pan-idea-{control["idea"]}" '
        f'role="radiogroup"><legend>{escape(control["label"])}</legend>{row}</fieldset>'
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
