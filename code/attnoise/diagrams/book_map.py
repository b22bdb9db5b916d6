"""The map of the book: its five parts, what each makes, and which later parts use it."""

import ast
from functools import cache

from .geometry import Box
from .scene import Part, Scene
from .source import PACKAGE, Line
from .words import Maker, begin

# Room of the package, its part's numeral, and the piece by which later parts know it best.
PARTS = (
    ("attention", "I", "MultiHeadAttention"),
    ("transformers", "II", "Block"),
    ("diffusion", "III", "flow_loss"),
    ("latent", "IV", "Autoencoder"),
    ("together", "V", "TextToImage"),
)
ROOMS = tuple(room for room, *_ in PARTS)
CHARACTERS = 32  # in a line of a box


@cache
def imports(room: str) -> dict[str, list[Line]]:
    """Return, for each earlier room, the lines with which a room imports from it."""
    found: dict[str, list[Line]] = {}
    for path in sorted((PACKAGE / room).glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf8")).body:
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                other = (node.module or "").split(".")[0]
                if other in ROOMS and other != room:
                    line = Line(ast.unparse(node), f"{room}/{path.name}", path.stem)
                    found.setdefault(other, []).append(line)
    return found


def names(room: str, other: str) -> list[str]:
    """Return the names that a room imports from another, each once."""
    lines = [line.text.split(" import ")[1] for line in imports(room)[other]]
    return sorted({name for line in lines for name in line.split(", ")})


def users(room: str) -> list[str]:
    """Return the rooms that import from a room."""
    return [later for later in ROOMS if room in imports(later)]


def numerals(rooms: list[str]) -> str:
    """Return the numerals of rooms as a text."""
    return ", ".join(numeral for room, numeral, _ in PARTS if room in rooms)


def draw_book_map() -> Scene:
    """Draw the five parts from top to bottom, and what flows from one to another."""
    scene, part = begin("book-map", 500)
    boxes, y = [], 6.0
    for room, *_ in PARTS:
        said = f"Used in {numerals(users(room))}." if users(room) else "Here all comes together."
        shown = part(room, users=said)
        boxes.append(_chapters(scene, shown, y))
        y += boxes[-1].h + 24
    for i, (room, *_) in enumerate(PARTS[:-1]):
        _bus(scene, part, i, boxes, [ROOMS.index(user) for user in users(room)])
    return scene


def _chapters(scene: Scene, part: Part, y: float) -> Box:
    """Draw the box of a part with its chapters in short lines."""
    lines = [""]
    for word in part.note.removeprefix("Chapters: ").split(".")[0].split():
        if len(lines[-1]) + len(word) >= CHARACTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    last = part.title.startswith("Part V ")
    box = scene.box(102, y, "", part, w=196, h=92 if last else max(60, 45 + 15 * len(lines)))
    number = scene.part(part)
    scene.text(16, y + 19, part.title, anchor="start", part=number)
    for row, line in enumerate(lines):
        scene.text(16, y + 39 + 15 * row, line, kind="note", anchor="start", part=number)
    return box


def _bus(scene: Scene, part: Maker, i: int, boxes: list[Box], to: list[int]) -> None:
    """Draw the line that leaves a part, and its arrows into those that use it."""
    x, right, leave = 332 - 14 * i, 200.0, boxes[i].y + boxes[i].h - 14
    for j in to:
        port = 14 + 21 * (3 - i) if j == len(boxes) - 1 else 14 + 14 * (j - i - 1)
        y = boxes[j].y + port
        scene.arrow((right, leave), (x, leave), (x, y), (right, y))
    room, numeral, piece = PARTS[i]
    line = next(line for line in imports(ROOMS[to[0]])[room] if piece in line.text)
    taken = "; ".join(f"Part {PARTS[j][1]} takes {', '.join(names(ROOMS[j], room))}" for j in to)
    title = f"What Part {numeral} gives"
    number = scene.part(Part(title=title, note=f"{taken}.", axes="", sizes=(), line=line))
    scene.add("hit", number, box=Box(204, leave - 32, 80, 44))
    label = "attention" if room == "attention" else piece
    scene.text(206, leave - 10, label, kind="shape", anchor="start", part=number)
