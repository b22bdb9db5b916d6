"""The site's typefaces: its own, cut and small, shown on every page, and no loss where they lack."""

import json

import pytest
import typefaces
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from site_tools import ROOT, SITE, documents, page_file, pages

FONT_BYTES = 50_000  # all files of both typefaces
FONTS = SITE / "_static" / "fonts"
# The families that a page has loaded, and of some elements the first that is asked for.
SHOWN = """() => ({
    loaded: [...document.fonts].filter((face) => face.status === "loaded")
        .map((face) => face.family.replace(/"/g, "")),
    text: getComputedStyle(document.querySelector(".bd-article p, .bd-article li")).fontFamily,
    side: getComputedStyle(document.querySelector(".bd-sidebar-primary a")).fontFamily,
    code: [...document.querySelectorAll(".bd-article pre")].map((box) => {
        const style = getComputedStyle(box);
        return [style.fontFamily, parseFloat(style.fontSize), box.textContent.slice(0, 40),
                box.closest(".tag_check .cell_output") !== null];
    }),
})"""


def test_fonts_are_small_and_their_licences_lie_beside_them():
    files = {path.name: path for path in FONTS.iterdir()}
    fonts = [path for name, path in files.items() if name.endswith(".woff2")]
    assert len(fonts) == len(typefaces.FACES)
    assert sum(path.stat().st_size for path in fonts) <= FONT_BYTES
    for face in typefaces.FACES:
        assert "SIL OPEN FONT LICENSE" in files[f"{face.package}-LICENSE.txt"].read_text("utf8")
        font = TTFont(files[f"{face.package}-{face.style}.woff2"])
        assert font["name"].getDebugName(0).startswith("Copyright"), "its owners are named in it"


def test_whole_fonts_are_pinned_by_their_hash():
    pinned = json.loads((ROOT / "web" / "vendor" / "sha256.json").read_text("utf8"))
    for face in typefaces.FACES:
        needed = {f"{face.package}/LICENSE", face.file}
        assert {f"@fontsource-variable/{name}" for name in needed} <= pinned.keys()


def test_no_letter_of_the_prose_is_missing():
    whole = typefaces.PACKAGES / typefaces.FACES[0].file
    offered = set(map(chr, TTFont(whole).getBestCmap()))
    for name in documents():
        page = BeautifulSoup(page_file(f"{name}.html").read_text("utf8"), "html.parser")
        for other in page.select("pre, code, .katex, script, style"):
            other.decompose()
        text = {sign for sign in page.body.get_text() if sign.isprintable()}
        assert text & offered <= set(typefaces.CHARACTERS), f"{name} would mix two typefaces"


@pytest.mark.in_browser
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("page_path", pages())
def test_pages_are_set_in_them(open_page, page_path, width):
    page = open_page(page_path, width=width)
    shown = page.evaluate(SHOWN)
    assert "Literata" in shown["loaded"]
    assert shown["text"].startswith("Literata") and shown["side"].startswith("Literata")
    for family, size, text, prose in shown["code"]:
        assert family.startswith("Literata" if prose else '"JetBrains Mono"'), text
        assert size >= 14, f"{text!r} at {size} px"
    if any(not prose for *_, prose in shown["code"]):
        assert "JetBrains Mono" in shown["loaded"]


@pytest.mark.in_browser
def test_pages_from_disk_show_them_and_refuse_nothing(open_page):
    page = open_page("book/attention/attention.html", top=SITE.as_uri() + "/")
    assert {"Literata", "JetBrains Mono"} <= set(page.evaluate(SHOWN)["loaded"])
    assert page.faults == []


def test_without_the_packages_the_sheet_stays_as_it_is(tmp_path):
    typefaces.write(tmp_path, packages=tmp_path)
    assert list(tmp_path.iterdir()) == []
    own = (ROOT / "web" / "static" / typefaces.SHEET).read_text("utf8")
    assert "url(" not in own and 'local("Georgia")' in own, "machines without them have a face"
