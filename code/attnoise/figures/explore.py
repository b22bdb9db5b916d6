"""Figures that move, in both homes: live widgets in a kernel, a script on the published page.

`live` makes a `MovingFigure` that the page's own script draws; `charts.chart` makes one of numbers.
As the last line of a cell it shows itself: Jupyter takes the widgets, the page takes the html with
its controls, a pdf takes the still picture, a terminal takes the sentence.
"""

import base64
import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from ..errors import ConfigError, choose
from .controls import Control
from .figure_html import render, rounded, script_names

__all__ = ["Control", "MovingFigure", "live", "rounded"]

HTML_LIMIT = 300_000  # bytes of html that one figure may cost a reader
WEBP_QUALITY = 82
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, kw_only=True)
class MovingFigure:
    """A figure with controls. Make it with `live`, `chart` or a builder of `figures`."""

    title: str
    alt: str
    controls: Mapping[str, Control]
    draw: Callable[..., Figure]
    describe: Callable[..., str]
    script: str
    data: Any
    numbers: Callable[..., dict] | None = None  # what `data-numbers` on the page must equal
    play: Mapping[str, Any] | None = None
    dpi: int = 144

    def __post_init__(self) -> None:
        for name, text in (("title", self.title), ("alt", self.alt)):
            if not text.strip():
                raise ConfigError(f"{name} must say what the figure shows, but it is empty.")
        if not self.controls:
            raise ConfigError("controls must name at least one control, but it is empty.")
        for name, control in self.controls.items():
            if not name.isidentifier() or not isinstance(control, Control):
                raise ConfigError(
                    f"controls must map an argument's name to a Control, but {name!r} maps to "
                    f"{control!r}; write Control(label=..., values=...)."
                )
        if self.play is not None:
            choose("play", self.play["control"], self.controls)

    def at(self, **values: Any) -> dict[str, Any]:
        """Return the value of every control, the start where none is given; check them all."""
        for name, value in values.items():
            choose("control", name, self.controls).index(value)
        return {name: values.get(name, control.start) for name, control in self.controls.items()}

    def sentence(self, **values: Any) -> str:
        """Return the sentence for these values of the controls."""
        text = self.describe(**self.at(**values))
        if not isinstance(text, str) or not text.strip() or "\n" in text:
            raise ConfigError(
                f"describe must return one sentence without line breaks, not {text!r}."
            )
        return text

    def png(self, **values: Any) -> bytes:
        """Return the picture for these values; the same values give the same bytes."""
        figure = self.draw(**self.at(**values))
        if not isinstance(figure, Figure):
            raise ConfigError(
                f"draw must return a matplotlib Figure, but it returned {type(figure).__name__}."
            )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=self.dpi, metadata={"Software": None})
        plt.close(figure)  # or Jupyter shows it once more below the cell
        return buffer.getvalue()

    def html(self) -> str:
        """Return the figure for a page: controls, still picture, data and script in one block.

        Raises:
            ConfigError: It is larger than HTML_LIMIT.
        """
        still = self.png()
        text = render(
            title=self.title,
            alt=self.alt,
            sentence=self.sentence(),
            still=webp(still),
            size=self.shown_size(still),
            controls=self.controls,
            script=self.script,
            data=self.data,
            play=None if self.play is None else dict(self.play),
        )
        if len(text.encode()) > HTML_LIMIT:
            raise ConfigError(
                f"the html of figure {self.title!r} must stay within {HTML_LIMIT:,} bytes, but it "
                f"has {len(text.encode()):,}; use fewer values or data."
            )
        return text

    def shown_size(self, png: bytes) -> tuple[int, int]:
        """Return the width and height in pixels at which a page shows the picture."""
        width, height = Image.open(io.BytesIO(png)).size
        return width * 96 // self.dpi, height * 96 // self.dpi

    def widget(self) -> Any:
        """Return live ipywidgets: a slider or buttons per control, the picture, the sentence."""
        import ipywidgets as widgets

        def make(control: Control) -> Any:
            kind = widgets.ToggleButtons if control.choice else widgets.SelectionSlider
            width = {"button_width": "auto"} if control.choice else {}
            return kind(
                options=[(control.text(value), value) for value in control.values],
                value=control.start,
                description=control.label,
                style={"description_width": "12em", **width},
                layout={"width": "95%", "max_width": "620px"},
            )

        moved = {name: make(control) for name, control in self.controls.items()}
        picture = widgets.Image(format="png", layout={"max_width": "640px"})
        words = widgets.HTML()

        def update(_change: Any = None) -> None:
            values = {name: widget.value for name, widget in moved.items()}
            picture.value = self.png(**values)
            words.value = f"<p>{escape(self.sentence(**values))}</p>"

        for widget in moved.values():
            widget.observe(update, names="value")
        update()
        return widgets.VBox([*moved.values(), picture, words])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        still = self.png()
        width, height = self.shown_size(still)
        bundle: dict[str, Any] = {
            "text/plain": self.sentence(),
            "image/png": base64.b64encode(still).decode(),
        }
        if "google.colab" not in sys.modules:  # there, only the widgets may be chosen
            bundle["text/html"] = self.html()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget().model_id}
        bundle[WIDGET_VIEW] = view
        return bundle, {"image/png": {"width": width, "height": height}}


def live(
    script: str,
    data: Any,
    controls: Mapping[str, Control],
    draw: Callable[..., Figure],
    describe: Callable[..., str],
    *,
    title: str,
    alt: str,
    numbers: Callable[..., dict] | None = None,
    play: Mapping[str, Any] | None = None,
    dpi: int = 144,
) -> MovingFigure:
    """Give a figure controls; the page's own script computes what they change.

    Args:
        script: The name of a file in figures, without ".js".
        data: What the script computes with: numbers, strings, lists and dicts.
        controls: A Control for each argument of draw and describe.
        draw: Called as draw(**values) for the still picture and in a kernel; returns a Figure, at
            most 6.4 inches wide.
        describe: Called as describe(**values); returns one sentence that says what is to be seen.
            It is compared when the notebook is tested, so round what it prints.
        title: The figure's visible title.
        alt: What the figure shows, for someone who cannot see it.
        play: {"control": name, "seconds": of one run} adds a play button.
        dpi: Dots per inch of the picture; 96 is the size on the page.
        numbers: Called as numbers(**values); the page must find the same numbers.

    Raises:
        ConfigError: There is no such script, a control is empty or unknown, data are no finite
            json, or the html passes 300,000 bytes.
    """
    return MovingFigure(
        script=choose("script", script, {name: name for name in script_names()}),
        data=data,
        controls=controls,
        draw=draw,
        describe=describe,
        numbers=numbers,
        title=title,
        alt=alt,
        play=play,
        dpi=dpi,
    )


def webp(png: bytes) -> str:
    """Return a png picture as the data address of a webp picture, a third as large."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(buffer, format="WEBP", quality=WEBP_QUALITY, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
