"""Formulas as words: each says what stands there, and where something long ends."""

import pytest
from bs4 import BeautifulSoup
from formula_words import words


def said(inside: str) -> str:
    return words(BeautifulSoup(f"<math>{inside}</math>", "html.parser").math)


def mi(text: str) -> str:
    return f"<mi>{text}</mi>"


def upright(text: str) -> str:
    return "".join(f'<mi mathvariant="normal">{letter}</mi>' for letter in text)


X_T = "<msub><mi>x</mi><mi>t</mi></msub>"
LONG = "<mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow>"


@pytest.mark.parametrize(
    "inside, expected",
    [
        (X_T, "x sub t"),
        (f"<msub><mi>x</mi>{LONG}</msub><mo>=</mo><mn>0</mn>", "x sub a plus b, end sub, equals 0"),
        ("<msup><mi>σ</mi><mn>2</mn></msup>", "sigma squared"),
        (f"<msup><mi>e</mi>{LONG}</msup>", "e to the power a plus b, end power"),
        ("<msup><mi>e</mi><mi>λ</mi></msup>", "e to the power lambda"),
        ("<msubsup><mi>W</mi><mi>Q</mi><mi>i</mi></msubsup>", "capital w sub capital q super i"),
        ("<msup><mi>A</mi><mi mathvariant='normal'>⊤</mi></msup>", "capital a transposed"),
        ("<msup><mi>t</mi><mo>′</mo></msup>", "t prime"),
        ("<mover accent='true'><mi>x</mi><mo>^</mo></mover>", "x hat"),
        ("<msub><mover accent='true'><mi>α</mi><mo>ˉ</mo></mover><mi>t</mi></msub>", "alpha bar sub t"),
        ("<mfrac><mi>h</mi><mn>2</mn></mfrac>", "h over 2"),
        (f"<mfrac>{LONG}<mn>2</mn></mfrac>", "fraction, a plus b, over, 2, end fraction"),
        ("<msqrt><mi>n</mi></msqrt><mi>x</mi>", "square root of n x"),
        (f"<msqrt>{LONG}</msqrt><mi>x</mi>", "square root of a plus b, end root, x"),
        (
            "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>m</mi></munderover><mi>x</mi>",
            "sum from i equals 1 to m of x",
        ),
        ("<munder><mo>∑</mo><mi>i</mi></munder><mi>x</mi>", "sum over i of x"),
        ("<munder><mi>max</mi><mi>i</mi></munder><mi>x</mi>", "maximum over i of x"),
        (f"{upright('SNR')}<mo>(</mo><mi>t</mi><mo>)</mo>", "SNR open paren t close paren"),
        ('<mi mathvariant="double-struck">E</mi><mo>[</mo><mi>x</mi><mo>]</mo>', "expectation open bracket x close bracket"),
        ("<mi>ε</mi><mo>∼</mo><mi mathvariant='script'>N</mi>", "epsilon is distributed as normal distribution"),
        ("<mi>p</mi><mo>∣</mo><mi>q</mi>", "p given q"),
        (f"{upright('∣')}<mi>C</mi>{upright('∣')}", "magnitude of capital c end magnitude"),
        ("<mo>∥</mo><mi>x</mi><msup><mo>∥</mo><mn>2</mn></msup>", "norm of x end norm squared"),
        ("<mi>q</mi><mo>∥</mo><mi>p</mi>", "q relative to p"),
        ("<mtext>\u2009head\xa0of\u2009</mtext><mspace width='2em'/><mi>x</mi>", "head of, x"),
        ("<mi>x</mi><mo>,</mo><mspace width='2em'/><mi>y</mi><mi mathvariant='normal'>.</mi>", "x, y"),
        ("<mi>a</mi><mo>⊕</mo><mi>b</mi>", "a circled plus b"),
    ],
)  # fmt: skip
def test_words(inside, expected):
    assert said(inside) == expected


def table(*rows: tuple[str, ...]) -> str:
    cells = ("".join(f"<mtd>{mi(cell)}</mtd>" for cell in row) for row in rows)
    return f"<mtable>{''.join(f'<mtr>{row}</mtr>' for row in cells)}</mtable>"


def test_tables_are_matrices_columns_cases_or_lines():
    square, column = table(("a", "b"), ("c", "d")), table(("u",), ("v",))
    assert said(f"<mrow><mo>(</mo>{square}<mo>)</mo></mrow>") == (
        "matrix, row 1: a, b; row 2: c, d; end matrix"
    )
    assert said(f"<mrow><mo>(</mo>{column}<mo>)</mo></mrow>") == "column of u, v, end column"
    assert said(f"<mrow><mo>{{</mo>{column}<mo></mo></mrow>") == "either u; v, end of cases"
    assert said(square) == "a b; c d"


def test_a_brace_says_what_stands_under_it():
    brace = f"<munder><munder>{LONG}<mo>⏟</mo></munder><mtext>the same</mtext></munder>"
    assert said(f"{brace}<mo>+</mo><mi>c</mi>") == "a plus b, which is the same, plus c"


def test_what_is_unknown_is_an_error():
    with pytest.raises(ValueError, match="cannot say <mphantom>"):
        said("<mphantom><mi>x</mi></mphantom>")
