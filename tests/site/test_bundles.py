"""A page names one style sheet and one script, and they hold what it needs."""

import bundles
import pytest
import used_rules
from site_tools import SITE, changed_by, pages, parsed

STATIC = SITE / "_static"


@pytest.mark.parametrize("page", pages())
def test_page_names_one_sheet_and_one_script(page):
    sheets = parsed(page).select("link[rel=stylesheet]:not([media=print])")
    scripts = [tag for tag in parsed(page).select("script[src]") if tag.get("type") != "module"]
    assert [len(sheets), len(scripts)] == [1, 1]
    assert scripts[0].has_attr("defer"), "a page is shown before its script has come"
    assert "preload" not in {value for tag in parsed(page).select("link") for value in tag["rel"]}


def test_nothing_is_left_that_no_page_names():
    for pattern in ("**/*.map", "scripts/*", "styles/*", "**/*.ttf"):
        assert not list(STATIC.glob(pattern)), pattern
    joined = {path.name for path in (STATIC / "css").iterdir()}
    assert all(name.startswith("joined-") for name in joined - {"print.css"})


def test_what_was_dropped_is_not_needed():
    """Folding boxes, tabs and shortcuts of the theme and its extensions: no page has any."""
    for page in pages():
        found = parsed(page).select(".toggle, .admonition.dropdown, .sd-tab-set, .sd-card")
        assert found == [], f"{page} needs what web/sphinx_site/bundles.py drops"


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("p{a:b}", "p{a:b}"),
        (".seen{a:b}", ".seen{a:b}"),
        (".gone{a:b}", ""),
        (".seen .gone,.seen>p{a:b}", ".seen>p{a:b}"),
        ("p:not(.gone){a:b}", "p:not(.gone){a:b}"),
        (":is(.gone,p) em{a:b}", ":is(.gone,p) em{a:b}"),
        ('a[href$=".gone"]{a:b}', 'a[href$=".gone"]{a:b}'),
        ("@media print{.gone{a:b}}", ""),
        ("@media print{.gone{a:b}p{c:d}}", "@media print{p{c:d}}"),
        ("@font-face{a:b}", "@font-face{a:b}"),
        ("@keyframes turn{from{a:b}to{c:d}}", "@keyframes turn{from{a:b}to{c:d}}"),
        ("/* .gone{} */p{a:b}", "p{a:b}"),
        (".by-script{a:b}", ".by-script{a:b}"),
    ],
)
def test_rules_are_kept_when_they_can_match(rule, kept):
    names = used_rules.names_in(['<p class="seen other" id="x">'], ['add("by-script")'])
    assert used_rules.used(rule, names) == kept


def test_addresses_and_imports_lead_to_the_same_files_from_the_joined_sheet(tmp_path):
    files = {
        "styles/theme.css": '@import "../basic.css";.a{background:url(../img/a.png)}',
        "basic.css": ".b{background:url(img/b.png)}.gone{c:d}",
        "css/own.css": ".kept{src:url(../fonts/big.woff2?v=1)} .x{src:url('../fonts/small.woff2')}",
        "fonts/big.woff2": "x" * bundles.INLINE_BYTES,
        "fonts/small.woff2": "x",
    }
    for name, text in files.items():
        (tmp_path / "_static" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "_static" / name).write_text(text)
    links = "".join(
        f'<link rel="stylesheet" href="../_static/{name}?v=1">\n'
        for name in ("styles/theme.css", "css/own.css")
    )
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.html").write_text(f'{links}<p class="a b">')
    bundles.write(tmp_path)
    (made,) = (tmp_path / "_static" / "css").glob("joined-*.css")
    page = (tmp_path / "book" / "page.html").read_text()
    assert page == f'<link rel="stylesheet" href="../_static/css/{made.name}">\n<p class="a b">'
    text = made.read_text()
    assert ".b{background:url(../img/b.png)}" in text and ".gone" not in text
    assert text.index(".b{") < text.index(".a{background:url(../img/a.png)}")
    assert "url(../fonts/big.woff2?v=1)" in text
    assert "url(data:font/woff2;base64,eA==)" in text and ".kept" in text


MENU = ".dropdown-download-buttons"
OPEN = "() => document.querySelector('.dropdown-download-buttons .dropdown-menu').checkVisibility()"
FOCUS = "() => document.activeElement.textContent.trim()"


@pytest.mark.in_browser
def test_menu_opens_by_pointer_and_keyboard_and_closes(open_page):
    page = open_page("book/attention/attention.html")
    button = page.locator(f"{MENU} > button")
    assert changed_by(page, button.click, OPEN) is True
    assert button.get_attribute("aria-expanded") == "true"
    assert changed_by(page, lambda: page.keyboard.press("ArrowDown"), FOCUS) == ".ipynb"
    assert changed_by(page, lambda: page.keyboard.press("ArrowUp"), FOCUS) == ".pdf"
    assert changed_by(page, lambda: page.keyboard.press("Escape"), OPEN) is False
    assert button.evaluate("button => button === document.activeElement")
    changed_by(page, lambda: page.keyboard.press("Enter"), OPEN)
    assert changed_by(page, page.locator("article h1").click, OPEN) is False
    assert button.get_attribute("aria-expanded") == "false"
    assert page.faults == []


@pytest.mark.in_browser
def test_code_is_copied_with_the_keyboard(open_page):
    page = open_page("book/attention/attention.html", color_scheme="light")
    copy = page.locator("button.copybtn:visible").first
    assert copy.get_attribute("data-tooltip") == "Copy"
    copy.focus()
    said = """() => [...document.querySelectorAll("button.copybtn")]
        .map((button) => button.dataset.tooltip).find((text) => text !== "Copy") ?? null"""
    assert changed_by(page, lambda: copy.press("Enter"), said) in {"Copied!", "Failed to copy"}
    assert page.faults == []
