"""A formula in MathML as words that a person can listen to: the alternative text in the PDF.

What has a beginning and an end says both ("square root of ..., end root"), but for a single sign
("square root of n"), so that a listener can write the formula down. A sign or word that is not
listed here is said by its Unicode name; a part of MathML that is not known is an error.
"""

import re
import unicodedata
from collections.abc import Iterable

from bs4 import Tag

SIGNS = {
    "=": "equals", "+": "plus", "−": "minus", "⋅": "dot", "×": "times", "±": "plus or minus",
    "∗": "star", "⊙": "times, element by element,", "/": "over", "∼": "is distributed as",
    "≈": "is about", "≤": "is at most", "≥": "is at least", "<": "is less than",
    ">": "is greater than", "≠": "is not", "∈": "in", "∝": "is proportional to",
    "←": "becomes", "→": "to", "∣": "given", "∥": "relative to", "′": "prime", "⊤": "transposed",
    "(": "open paren", ")": "close paren", "[": "open bracket", "]": "close bracket",
    "{": "open brace", "}": "close brace", "…": "and so on", "⋯": "and so on",
    "∑": "sum of", "∏": "product of", "∫": "integral of", "∇": "gradient", "∂": "partial",
    "∞": "infinity", "ϵ": "epsilon", "ε": "epsilon", "λ": "lambda", "\u2061": "", "\u2062": "",
    "\u2063": "",
}  # fmt: skip
NAMES = {
    "sin": "sine", "cos": "cosine", "tanh": "hyperbolic tangent", "ln": "natural log",
    "exp": "exponential", "arctan": "arc tangent", "max": "maximum", "min": "minimum",
}  # fmt: skip
BARS = {"∥": "norm", "∣": "magnitude"}  # as letters, they open and close; as operators they relate
LARGE = {"∑": "sum", "∏": "product", "∫": "integral"}
ACCENTS = {"^": "hat", "ˉ": "bar", "~": "tilde", "˙": "dot", "→": "vector"}
POWERS = {
    "2": "squared",
    "3": "cubed",
    "prime": "prime",
    "transposed": "transposed",
    "star": "star",
}
WORDS = {"E": "expectation", "N": "normal distribution", "U": "uniform distribution", "Tr": "trace"}
ROWS = {"math", "mrow", "mstyle", "mpadded", "semantics", "mtd"}


def words(formula: Tag) -> str:
    """Return what a reader hears for a <math> element.

    Raises:
        ValueError: A part of the formula is not known.
    """
    text = " ".join(Listener().row(formula.find_all(True, recursive=False)).split())
    text = re.sub(r"(?: ?[,;])+(?= ?[,;.])", "", text)  # a pause beside a pause
    return re.sub(r"\s+([,;.])", r"\1", text).strip(" ,;.")


class Listener:
    """Goes through one formula, and knows which bars are open."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.paired = True  # whether the double bars of this row belong together, as in a norm

    def row(self, parts: Iterable[Tag]) -> str:
        """Say parts that stand side by side; upright letters in a row are one word."""
        said, word, parts = [], "", list(parts)
        outer, self.paired = self.paired, sum(is_norm(part) for part in parts) % 2 == 0
        for part in parts:
            text = part.get_text()
            if upright(part) and len(text) == 1 and text.isalpha():
                word += text
                continue
            said += [WORDS.get(word) or name_of(word), self.say(part)]
            word = ""
        self.paired = outer
        return " ".join(filter(None, [*said, WORDS.get(word) or name_of(word)]))

    def say(self, part: Tag) -> str:
        """Say one part."""
        inside = part.find_all(True, recursive=False)
        match part.name:
            case name if name in ROWS:
                return self.fenced(inside)
            case "mi" | "mo" if part.get_text() == "∥":
                return self.bar("∥") if self.paired else sign("∥")
            case "mi":
                return self.letter(part)
            case "mn":
                return part.get_text()
            case "mo":
                return sign(part.get_text())
            case "mtext":
                return re.sub(r"[\s\u2063]+", " ", part.get_text()).strip()
            case "mspace":
                return "," if part.get("width") == "2em" else ""
            case "mfrac":
                return self.fraction(*inside)
            case "msqrt":
                under = self.row(inside)
                return f"square root of {under}" + ("" if simple(under) else ", end root,")
            case "msub" | "msup" | "msubsup" | "munder" | "mover" | "munderover":
                return self.scripts(part, inside)
            case "mtable":
                return self.lines(part)
        raise ValueError(f"formula_words.py cannot say <{part.name}>: {str(part)[:120]}")

    def letter(self, part: Tag) -> str:
        """Say a variable, a function's name, or a bar that opens or closes."""
        text = part.get_text()
        if text in BARS:
            return self.bar(text)
        if part.get("mathvariant") == "script":
            return WORDS.get(text, f"script {name_of(text)}")
        if part.get("mathvariant") == "double-struck":
            return WORDS.get(text, f"double-struck {name_of(text)}")
        if not text.isalpha():
            return sign(text)
        return WORDS.get(text, name_of(text)) if upright(part) else name_of(text)

    def bar(self, text: str) -> str:
        """Open a pair of bars, or close the one that is open."""
        if self.open and self.open[-1] == text:
            self.open.pop()
            return f"end {BARS[text]},"
        self.open.append(text)
        return f"{BARS[text]} of"

    def fraction(self, above: Tag, below: Tag) -> str:
        """Say a fraction; a short one as it is read aloud."""
        top, bottom = self.say(above), self.say(below)
        if simple(top) and simple(bottom):
            return f"{top} over {bottom}"
        return f"fraction, {top}, over, {bottom}, end fraction,"

    def scripts(self, part: Tag, inside: list[Tag]) -> str:
        """Say a base with what stands below and above it."""
        base, *others = inside
        large = LARGE.get(base.get_text())
        under = part.name in {"msub", "msubsup", "munder", "munderover"}
        low = self.say(others[0]) if under else ""
        high = self.say(others[-1]) if len(others) == 2 or not under else ""
        if large:
            limits = f"from {low} to {high}" if high else f"over {low}"
            return f"{large} {limits} of"
        text = self.say(base)
        if part.name == "mover":
            accent = ACCENTS.get(others[0].get_text())
            return f"{text} {accent}" if accent else f"{text} with {high} above"
        if part.name == "munder":
            if not low:
                return text  # a brace
            if base.get_text().endswith("⏟"):
                return f"{text}, which is {low},"
            return f"{text} over {low} of" if simple(text) else f"{text} with {low} below"
        text = text.rstrip(",")  # the pause comes behind the power
        text += f" sub {closed(low, 'sub')}" if low else ""
        if not high:
            return text
        label = base.name == "mi" and text != "e" and re.fullmatch("[a-z]+", high)
        return f"{text} {POWERS.get(high) or (f'super {high}' if label else power(high))}"

    def fenced(self, inside: list[Tag]) -> str:
        """Say a row; a table between fences is a matrix, behind one brace it is cases."""
        if len(inside) == 3 and inside[1].name == "mtable":
            if inside[2].get_text():
                return self.matrix(inside[1])
            return f"either {self.lines(inside[1])}, end of cases,"
        return self.row(inside)

    def matrix(self, table: Tag) -> str:
        """Say a matrix row by row, a column as its entries."""
        rows = [[self.say(cell) for cell in row.find_all("mtd")] for row in table.find_all("mtr")]
        if all(len(row) == 1 for row in rows):
            return f"column of {', '.join(row[0] for row in rows)}, end column,"
        said = [f"row {i}: {', '.join(row)};" for i, row in enumerate(rows, 1)]
        return f"matrix, {' '.join(said)} end matrix,"

    def lines(self, table: Tag) -> str:
        """Say equations that stand below each other."""
        return "; ".join(
            " ".join(self.say(cell) for cell in row.find_all("mtd", recursive=False))
            for row in table.find_all("mtr", recursive=False)
        )


def sign(text: str) -> str:
    """Say a sign; several in one element one after the other."""
    if text in {",", ";", ".", "", "⏟"}:
        return text.replace("⏟", "")
    if len(text) == 1:
        known = SIGNS.get(text)
        return unicodedata.name(text).lower() if known is None else known
    return text if text.isascii() else " ".join(map(sign, text))


def name_of(text: str) -> str:
    """Say a name: a Greek letter by its name, a capital as one, a function in full."""
    if text in NAMES or text in SIGNS:
        return NAMES.get(text) or SIGNS[text]
    if len(text) == 1 and text.isalpha():
        name = text.lower() if text.isascii() else unicodedata.name(text).split()[-1].lower()
        return f"capital {name}" if text.isupper() else name
    return text


def is_norm(part: Tag) -> bool:
    """Whether a part is a double bar, or one with a power."""
    first = part.find(True) if part.name in {"msup", "msub", "msubsup"} else part
    return first is not None and first.get_text() == "∥"


def upright(part: Tag) -> bool:
    """Whether a part is a letter of an upright word, as KaTeX writes it."""
    return part.name == "mi" and part.get("mathvariant") == "normal"


def simple(text: str) -> bool:
    """Whether what is said is one sign, with its mark or its number, that needs no end."""
    return re.fullmatch(r"(capital )?[\w.]+( (hat|bar|tilde|sub \w+|squared))?", text) is not None


def closed(text: str, name: str) -> str:
    """Say where something long ends."""
    return text if simple(text) else f"{text}, end {name},"


def power(text: str) -> str:
    """Say an exponent."""
    return f"to the power {closed(text, 'power')}"
