"""Draw the picture that a shared link shows: a chapter's title and its question.

The colours are those of palette.css, the type is what matplotlib ships, so that every machine
draws the same card.
"""

import hashlib
import random
import re
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

SIZE = (1200, 630)
MARGIN = 84
TITLE = [(size, 1) for size in range(78, 52, -2)] + [(52, 2)]
QUESTION = [(42, 3), (38, 3), (34, 3), (30, 4), (26, 4)]
HIGHEST_DOT = 482  # no dot lies on the text
COLOURS = 48  # in the file's palette: enough for smooth edges, and small
PALETTE = Path(__file__).parents[1] / "static" / "css" / "palette.css"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def palette() -> dict[str, str]:
    """The light colours of palette.css by their short names."""
    light = PALETTE.read_text(encoding="utf-8").split("}")[0]
    return dict(re.findall(r"--pan-([\w-]+):\s*(#[0-9a-f]{6})", light))


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of matplotlib's fonts, laid out by Pillow alone: the same on every system."""
    return ImageFont.truetype(FONTS / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines that fit into `width` pixels."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def fitted(
    text: str, name: str, tries: list[tuple[int, int]]
) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """The first of the tries (a size, and how many lines it may take) that a text fits into."""
    width = SIZE[0] - 2 * MARGIN
    for size, most in tries:
        face = font(name, size)
        lines = wrapped(text, face, width)
        if len(lines) <= most and max(map(face.getlength, lines)) <= width:
            break
    return face, lines


def settling_dots(draw: ImageDraw.ImageDraw, seed: str, colours: dict[str, str]) -> None:
    """Along the foot, noise that becomes a grid of data from left to right."""
    chance = random.Random(hashlib.sha256(seed.encode()).digest())
    columns, rows, step = 60, 6, 20
    for column in range(columns):
        settled = min(1.0, column / (0.7 * columns))
        spread = 34 * (1 - settled)
        for row in range(rows):
            x = column * step + step / 2 + chance.gauss(0, spread)
            y = SIZE[1] - (rows - row - 0.5) * step + chance.gauss(0, spread)
            y = max(y, HIGHEST_DOT)
            colour = colours["data"] if chance.random() < settled else colours["noise"]
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)


def draw_card(title: str, question: str, place: str, book: str) -> Image.Image:
    """A card of 1200 by 630 pixels: where in the book, the title, the question, and dots."""
    colours = palette()
    card = Image.new("RGB", SIZE, colours["paper"])
    draw = ImageDraw.Draw(card)
    settling_dots(draw, title, colours)
    small = font("DejaVuSans", 27)
    draw.text((MARGIN, 62), book, font=font("DejaVuSans-Bold", 27), fill=colours["ink"])
    draw.text((SIZE[0] - MARGIN, 62), place, font=small, fill=colours["noise"], anchor="ra")
    draw.line((MARGIN, 116, SIZE[0] - MARGIN, 116), fill=colours["rule"], width=2)
    y = 152
    face, lines = fitted(title, "DejaVuSerif-Bold", TITLE)
    for line in lines:
        draw.text((MARGIN, y), line, font=face, fill=colours["ink"])
        y += round(face.size * 1.2)
    y += 20
    face, lines = fitted(question, "DejaVuSerif", QUESTION)
    for line in lines:
        draw.text((MARGIN, y), line, font=face, fill=colours["data"])
        y += round(face.size * 1.35)
    return card


def write_card(path: Path, title: str, question: str, place: str, book: str) -> None:
    """Draw a card into a PNG of few colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    card = draw_card(title, question, place, book)
    few = card.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(path, format="PNG", optimize=True)
