"""A matplotlib figure as vectors for a page: its colours follow the page, its width the column.

Each colour of the palette is written as the page's own variable, with the printed colour behind it
for whoever shows the drawing alone. An image whose pixels differ in opacity alone becomes a mask,
so that it follows too; a cloud of dots becomes one path. The same figure gives the same text.
"""

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from PIL import Image

from .palette import CARD, EDGE, IDEAS, NEUTRALS, ON_DEEP, ON_PALE, RULE

SVG = "{http://www.w3.org/2000/svg}"
PAGE = {
    **IDEAS,
    **NEUTRALS,
    "rule": RULE,
    "edge": EDGE,
    "figure": CARD,
    "paper": "#FFFFFF",
    "on-pale": ON_PALE,
    "on-deep": ON_DEEP,
}
VARIABLES = {shade.lower(): f"var(--pan-{name}, {shade})" for name, shade in PAGE.items()}
MANY = 40  # markers of one kind that become one path
CIRCLE = re.compile(r"M 0 ([\d.]+)\s+C(?:[^CLz]*C){7}[^CLz]*z\s*$")
ROOT_STYLE = (
    "font-family: var(--pan-font-figure, 'DejaVu Sans', sans-serif); "
    "stroke-linejoin: round; stroke-linecap: butt"
)


def to_svg(figure: Figure) -> str:
    """Return the figure as an svg element without ids that nothing refers to."""
    buffer = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "attnoise"}
    with mpl.rc_context({**settings, "image.composite_image": False}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    ET.register_namespace("", SVG[1:-1])
    root = ET.fromstring(buffer.getvalue().replace("xlink:href", "href"))
    for part in root.iter():  # places to two decimals; what is written stays as it is
        rounded = {k: re.sub(r"(\d\.\d\d)\d+", r"\1", v) for k, v in part.attrib.items()}
        part.attrib.update(rounded if part.tag != SVG + "image" else {})
    width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
    size = {"width": f"{width * 96 / 72:.0f}", "height": f"{height * 96 / 72:.0f}"}
    root.attrib = {"viewBox": root.attrib["viewBox"], **size, "style": ROOT_STYLE}
    for child in [part for part in root if part.tag in (SVG + "metadata", SVG + "defs")]:
        if child.tag == SVG + "metadata" or child.find(SVG + "style") is not None:
            root.remove(child)
    for place, image in enumerate(list(root.iter(SVG + "image"))):
        image.attrib["id"] = f"image-{place}"  # the same picture may stand there twice
        follow_the_page(image)
    gather_dots(root)
    drop_idle(root)
    worn = ET.Element(SVG + "metadata")
    worn.text = json.dumps(worn_ideas(figure), sort_keys=True)
    root.insert(0, worn)
    text = ET.tostring(root, encoding="unicode")
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)  # matplotlib before 3.10
    text = re.sub(r"font-family: (?!var)[^;\"]*;? ?", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda found: VARIABLES.get(found[0], found[0]), text)
    return re.sub(r">\s+<", "><", re.sub(r" {2,}", " ", text))


def follow_the_page(image: ET.Element) -> None:
    """Turn an image of one colour, more or less opaque, into that colour behind a mask."""
    data = base64.b64decode(image.attrib["href"].split(",")[1])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    seen = pixels[pixels[..., 3] > 0][:, :3]
    opaque = bool((pixels[..., 3] == 255).all())
    if opaque or not len(seen) or np.ptp(seen, axis=0).max() > 0:
        image.attrib["href"] = address(Image.fromarray(pixels), "RGB" if opaque else "RGBA")
        return
    shade, name = to_hex(seen[0] / 255), image.attrib.pop("id")
    white = np.dstack([np.full_like(pixels[..., 0], 255), pixels[..., 3]])
    inner = ET.Element(SVG + "image", {**image.attrib, "href": address(Image.fromarray(white))})
    box = {key: image.attrib.get(key, "0") for key in ("x", "y", "width", "height")}
    place = {"transform": inner.attrib.pop("transform", "")}
    opacity = inner.attrib.pop("opacity", "1")
    mask = ET.Element(SVG + "mask", {"id": name, "maskUnits": "userSpaceOnUse", **box})
    mask.append(inner)
    paint = {**box, **place, "style": f"fill: {shade}; opacity: {opacity}"}
    paint["mask"] = f"url(#{name})"
    image.tag, image.attrib = SVG + "g", {}
    image.extend([mask, ET.Element(SVG + "rect", paint)])


def address(picture: Image.Image, mode: str = "LA") -> str:
    """Return a picture as a data address, as small as it gets without loss."""
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, format="png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def gather_dots(root: ET.Element) -> None:
    """Draw many round markers of one look as one path of points with round ends, in tenths."""
    marks = {e.attrib["id"]: e for e in root.iter(SVG + "path") if "id" in e.attrib}
    for group in reversed(list(root.iter(SVG + "g"))):
        uses = list(group.iter(SVG + "use"))
        looks = {(e.attrib["href"], e.attrib.get("style", "")) for e in uses}
        if len(uses) < MANY or len(looks) != 1 or not only_markers(group):
            continue
        name, style = looks.pop()
        mark = marks[name[1:]]
        circle = CIRCLE.match(mark.attrib["d"])
        fill, faint = (re.search(rf"\b{key}: ([^;]+)", style) for key in ("fill", "opacity"))
        if circle is None or fill is None:
            continue
        edge = "stroke: #" in mark.attrib.get("style", "")
        look = {
            "fill": "none",
            "stroke": fill[1],
            "stroke-linecap": "round",
            "stroke-width": f"{10 * (2 * float(circle[1]) + edge):.1f}",
            "opacity": faint[1] if faint else "1",
        }
        places = [tuple(round(10 * float(e.attrib[axis])) for axis in "xy") for e in uses]
        moves = zip(places, [(0, 0), *places], strict=False)
        points = "".join(f"m{x - left} {y - top}h0" for (x, y), (left, top) in moves)
        cut = {key: value for part in group.iter() for key, value in part.attrib.items()
               if key == "clip-path"}  # fmt: skip
        group.clear()
        group.attrib = cut
        written = "; ".join(f"{key}: {value}" for key, value in look.items())
        path = {"d": points.replace(" -", "-"), "style": written, "transform": "scale(0.1)"}
        ET.SubElement(group, SVG + "path", path)


def only_markers(group: ET.Element) -> bool:
    """Say whether a group holds markers and nothing else."""
    inside = {part for defs in group.iter(SVG + "defs") for part in defs.iter()}
    return all(e in inside or e.tag in (SVG + "use", SVG + "g") for e in group.iter())


def drop_idle(root: ET.Element) -> None:
    """Drop the names to which nothing refers."""
    text = ET.tostring(root, encoding="unicode")
    called = set(re.findall(r"#([\w-]+)[\")]", text))
    for part in root.iter():
        if part.attrib.get("id") not in called:
            part.attrib.pop("id", None)


def worn_ideas(figure: Figure) -> dict[str, list[str]]:
    """Return which ideas' colours a figure wears, each with the words that stand at them."""
    names = {shade.lower(): idea for idea, shade in IDEAS.items()}
    worn: dict[str, set[str]] = {}
    for axes in figure.axes:
        for artist, words in named_parts(axes):
            for shade in shades(artist) if artist.get_visible() else ():
                if shade in names:
                    worn.setdefault(names[shade], set()).add(words)
    return {idea: sorted(words) for idea, words in worn.items()}


def named_parts(axes: Axes) -> Iterator[tuple[Artist, str]]:
    """Yield what is drawn in axes, each with its words.

    A text has its own; the numbers at an axis have the axis's name; lines, areas, points and images
    have their label, and without one what the axes say.
    """
    labels = {part: box.get_label() for box in axes.containers for part in box.get_children()}
    said = (axes.get_title("left"), axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
    for artist in (*axes.lines, *axes.patches, *axes.collections, *axes.images):
        label = str(labels.get(artist) or artist.get_label() or "_")
        yield artist, " | ".join(filter(None, said)) if label.startswith("_") else label
    for text in axes.get_children():
        if isinstance(text, Text):  # its titles, too
            yield text, text.get_text()
    for axis in (axes.xaxis, axes.yaxis):
        yield axis.label, axis.label.get_text()
        for text in axis.get_ticklabels():
            yield text, axis.label.get_text() or text.get_text()


def shades(artist: Artist) -> set[str]:
    """Return the colours that an artist wears, as hex numbers."""
    if isinstance(artist, Line2D):
        found = [artist.get_color(), artist.get_markerfacecolor(), artist.get_markeredgecolor()]
    elif isinstance(artist, Text):
        found = [artist.get_color()] if artist.get_text() else []
    elif isinstance(artist, AxesImage):
        found = [artist.get_cmap()(1.0)] if np.ndim(np.asarray(artist.get_array())) == 2 else []
    elif isinstance(artist, Patch):
        found = [artist.get_facecolor(), artist.get_edgecolor()]
    elif isinstance(artist, Collection):
        found = [*artist.get_facecolor(), *artist.get_edgecolor()]
    else:
        found = []
    return {to_hex(c) for c in found if not (isinstance(c, str) and c.lower() == "none")}
