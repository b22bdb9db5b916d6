"""How formulas are set when the site is built: by KaTeX, or the build stops and says why."""

import re
import subprocess
import sys

import font_cutter
import formula_styles
import formulas
import pytest
from fontTools.ttLib import TTFont
from site_tools import ROOT, SITE, page_file
from sphinx.errors import ExtensionError

PROJECT = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["myst_parser", "formulas"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_update_mathjax = False
html_math_renderer = "katex"
html_static_path = [{static!r}]
html_css_files = ["css/formulas.css"]
html_theme = "basic"
"""


@pytest.fixture(scope="module")
def typesetter():
    running = formulas.Typesetter()
    yield running
    running.stop()


@pytest.fixture
def build(tmp_path):
    """Build a site of one page, and return what Sphinx said and the page."""

    def built(page):
        web = ROOT / "web"
        names = {"extensions": str(web / "sphinx_site"), "static": str(web / "static")}
        (tmp_path / "conf.py").write_text(PROJECT.format(**names))
        (tmp_path / "index.md").write_text(page)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", ".", "out"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return done, (tmp_path / "out" / "index.html").read_text("utf8")

    return built


def test_a_formula_becomes_html_for_the_eye_and_mathml_for_a_reader(typesetter):
    html = typesetter.set(r"\sqrt{k}", display=False)
    assert html.count("<msqrt><mi>k</mi></msqrt>") == 1
    assert html.count('<span class="katex-html" aria-hidden="true">') == 1
    assert "annotation" not in html and "\\sqrt" not in html
    assert html.count("<span") == html.count("</span>")


@pytest.mark.parametrize("macro", formulas.IDEAS)
def test_each_idea_has_a_macro_that_gives_its_class(typesetter, macro):
    _, named = formulas.IDEAS[macro]
    assert f'class="enclosing {named}"' in typesetter.set(rf"\{macro}{{x}} + y", display=False)
    assert f".{named} {{" in (ROOT / "web/static/css/palette.css").read_text("utf8")


def test_clauses_of_a_display_may_stand_below_each_other(typesetter):
    html = typesetter.set(r"a = \left(b \qquad c\right), \qquad {d \qquad e} = f", display=True)
    assert html.count('<span class="pan-clause">') == 2
    assert html.count("<math") == 1, "one formula for a screen reader"
    alone = typesetter.set(r"\begin{gathered} a \qquad b \\ c \end{gathered}", display=True)
    assert "pan-clause" not in alone


def test_a_line_may_break_between_the_parts_of_an_inline_formula_only(typesetter):
    assert typesetter.set("a = b + c", display=False).count("<wbr/>") == 2
    assert "<wbr" not in typesetter.set("a = b + c", display=True)


@pytest.mark.parametrize("tex", [r"\frac{a", r"\nosuch", "é", r"\begin{aligned} a"])
def test_what_katex_cannot_read_is_refused_and_the_process_lives_on(typesetter, tex):
    with pytest.raises(ValueError):
        typesetter.set(tex, display=True)
    assert typesetter.set("a", display=False)


@pytest.mark.parametrize("gone", ["node", "katex.min.js"])
def test_without_node_or_katex_the_build_stops_and_names_the_remedy(monkeypatch, tmp_path, gone):
    if gone == "node":
        monkeypatch.setattr(formulas.shutil, "which", lambda *a, **k: None)
    running = formulas.Typesetter(formulas.KATEX if gone == "node" else tmp_path)
    with pytest.raises(ExtensionError, match=rf"(?s){gone} is missing.*tools/vendor\.py"):
        running.set("a", display=False)


def test_a_bad_formula_fails_the_build_at_its_line(build):
    done, _ = build("# Title\n\nGood $a$.\n\nBad $\\nosuch$.\n")
    assert done.returncode == 1
    assert re.search(r"index\.md:5: WARNING: KaTeX cannot read a formula: .*nosuch", done.stderr)


def test_numbers_links_and_punctuation(build):
    page = "# Title\n\nIn {eq}`square` ($a$, $b$-axis) and $c$ alone.\n\n$$a^2$$ (square)\n"
    done, text = build(page)
    assert (done.returncode, done.stderr) == (0, "")
    assert '<span class="eqno"><a href="#equation-square" title=' in text
    assert re.search(
        r'<div class="math notranslate nohighlight" id="equation-square">\s*<span', text
    )
    assert '<a class="reference internal" href="#equation-square">(1)</a>' in text
    wrapped = re.findall(r'<span class="pan-whole">(.*?)<span class="math.*?</math>', text)
    assert wrapped == ["(", ""], "the bracket belongs to a, nothing to b"
    assert re.search(r"</span>,</span> <span", text) and "</span>-</span>axis)" in text


def test_pages_need_no_script_for_formulas():
    for name in ("book/index", "book/attention/attention"):
        text = page_file(f"{name}.html").read_text("utf8")
        assert "mathjax" not in text.lower()
    assert not list(SITE.rglob("*mathjax*"))


def test_the_sheet_names_the_fonts_that_are_there_and_no_other_kind():
    sheets = (SITE / "_static" / "css").glob("joined-*.css")
    text = "".join(sheet.read_text("utf8") for sheet in sheets)
    faces = set(re.findall(r"@font-face{[^}]*KaTeX_.*?}", text))
    fonts = SITE / "_static" / "vendor" / "katex"
    addresses = [re.search(r"src:url\(([^)]*)\) format", face)[1] for face in faces]
    beside = {re.fullmatch(r"\.\./vendor/katex/([\w-]+\.woff2)\?v=\w+", one) for one in addresses}
    inside = [one for one in addresses if one.startswith("data:font/woff2;base64,")]
    assert {path.name for path in fonts.iterdir()} == {
        *(one[1] for one in beside - {None}),
        "LICENSE",
    }
    assert len(addresses) == len(beside - {None}) + len(inside)
    kept = set(re.findall(r"KaTeX_\w+", " ".join(faces)))
    assert "KaTeX_Main" in kept and "KaTeX_Fraktur" not in kept, "no formula is set in Fraktur"
    assert sum(path.stat().st_size for path in fonts.iterdir()) < 80_000


def test_fonts_are_cut_to_the_signs_of_the_pages(tmp_path):
    cut = tmp_path / "cut.woff2"
    font = formulas.KATEX / "fonts" / "KaTeX_Main-Regular.woff2"
    cut.write_bytes(font_cutter.cut(font, set("a=∑")))
    assert set(map(chr, TTFont(cut).getBestCmap())) == set("a=∑") & set(
        map(chr, TTFont(font).getBestCmap())
    )


def test_signs_are_collected_by_the_classes_around_them(typesetter):
    page = f"<p>not this</p>{typesetter.set('x < 1', display=False)}<p>nor this</p>"
    shown = formula_styles.characters_by_class(page)
    assert {sign for signs in shown.values() for sign in signs} == set("x<1")
    assert shown[frozenset("katex katex-html base mord mathnormal".split())] == {"x"}
