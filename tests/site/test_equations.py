"""Every equation in a real browser: none cut or covered, all reached by keyboard and screen reader."""

import pytest
from site_tools import MARKED, chapters, documents, eventually, present

pytestmark = pytest.mark.in_browser

WIDTHS = (820, 1280, 1440)  # on which nothing is cut; on a phone a wide equation scrolls
OPENED = "() => document.querySelectorAll('details').forEach((box) => { box.open = true; })"
FAULTS = """async () => {
    await document.fonts.ready;
    const faults = [];
    for (const block of document.querySelectorAll("div.math")) {
        const box = block.querySelector(".katex-display"), number = block.querySelector(".eqno");
        const parts = [...block.querySelectorAll(".katex-html .base")].map((e) => e.getBoundingClientRect());
        const right = Math.max(...parts.map((part) => part.right));
        const left = Math.min(...parts.map((part) => part.left));
        const frame = block.getBoundingClientRect(), name = number ? number.innerText : block.innerText;
        const say = (fault) => faults.push(`${name} ${fault} (room ${frame.width}, needs ${right - left})`);
        if (box.scrollWidth > box.clientWidth) say("is cut at its side");
        if (box.scrollHeight > box.clientHeight) say("is cut above or below");
        if (left < frame.left - 1 || right > frame.right + 1) say("stands out of the column");
        if (!number) continue;
        const place = number.getBoundingClientRect();
        const below = place.top >= Math.max(...parts.map((part) => part.bottom));
        if (!below && right > place.left) say("is covered by its number");
        if (place.right > frame.right + 1) say("has its number out of the column");
    }
    for (const formula of document.querySelectorAll("article span.math")) {
        let column = formula.parentElement;
        while (getComputedStyle(column).display === "inline") column = column.parentElement;
        const parts = [...formula.querySelectorAll(".base")].map((e) => e.getBoundingClientRect().right);
        const room = column.getBoundingClientRect().right;
        if (Math.max(...parts) > room + 1) faults.push(`${formula.innerText} stands out of its line`);
    }
    return faults;
}"""


@pytest.mark.parametrize("name", documents())
def test_no_equation_is_cut_or_covered(open_page, name):
    page = open_page(f"{name}.html")
    page.evaluate(OPENED)
    if name in chapters():
        assert page.locator("div.math").count() > 0, "a chapter without an equation"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(FAULTS) == [], f"at {width} px"


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("div.math > .eqno { margin-left: -20rem !important; z-index: 1 }", "is covered by its"),
        (".katex-display > .katex { font-size: 3em !important }", "is cut at its side"),
        ("div.math > .katex-display { padding: 0 !important; line-height: 0.5 }", "is cut above"),
        (
            "div.math > .katex-display { overflow: visible !important; translate: 20rem }",
            "stands out",
        ),
    ],
)
def test_each_fault_would_be_seen(open_page, rule, fault):
    page = open_page("book/attention/attention.html", width=820)
    assert page.evaluate(FAULTS) == []
    page.add_style_tag(content=rule)
    assert any(fault in line for line in page.evaluate(FAULTS))


@pytest.mark.parametrize("name", documents())
def test_on_a_phone_a_wide_equation_scrolls_and_shows_its_edge(open_page, name):
    page = open_page(f"{name}.html", width=360, height=740)
    page.evaluate(OPENED)
    present(page, MARKED)
    faults = [line for line in page.evaluate(FAULTS) if "is cut at its side" not in line]
    assert [line for line in faults if "stands out of the column" not in line] == []
    for box in page.locator(".katex-display").all():
        wide = box.evaluate("box => box.scrollWidth > box.clientWidth + 1")
        assert box.get_attribute("tabindex") == ("0" if wide else None)
        if not wide:
            continue
        assert "scrolls sideways" in box.get_attribute("aria-label")
        assert shaded_sides(box) == "right"
        box.focus()
        page.keyboard.press("ArrowRight")
        eventually(page, lambda box=box: "left" in shaded_sides(box), "an arrow key scrolls it")
        box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
        eventually(page, lambda box=box: shaded_sides(box) == "left", "its end shows no edge")


def shaded_sides(box) -> str:
    """The sides on which an equation's box says that more lies; it must draw them, too."""
    sides, shadow = box.evaluate(
        "box => [box.dataset.panCut || '', getComputedStyle(box).boxShadow.split('inset').length - 1]"
    )
    assert shadow == len(sides.split()), "an edge is not drawn"
    return sides


@pytest.mark.parametrize("name", documents())
def test_every_formula_is_set_and_there_for_a_screen_reader(open_page, name):
    """Without a script: formulas are set when the site is built."""
    page = open_page(f"{name}.html", java_script_enabled=False)
    formulas = page.locator("article .math")
    unread = formulas.evaluate_all(
        """all => all.filter((formula) => formula.querySelectorAll("math *").length < 1
            || formula.querySelectorAll("math").length !== 1
            || formula.querySelector("annotation")
            || formula.querySelector(".katex-html").ariaHidden !== "true")
            .map((formula) => formula.innerText)"""
    )
    assert unread == []
    text = page.locator("article").inner_text()
    assert "\\(" not in text and "$$" not in text and "\\textcolor" not in text
    assert formulas.count() > 0 or name not in chapters()


@pytest.mark.parametrize("name", chapters())
def test_ideas_keep_their_colours_in_both_schemes(open_page, name):
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(f"{name}.html", color_scheme=scheme)
        idea = page.locator(".katex-html [class*=pan-]:not([class*=clause])").first
        colours[scheme] = idea.evaluate("e => getComputedStyle(e).color")
    assert colours["light"] != colours["dark"]


@pytest.mark.parametrize("name", chapters())
def test_every_sign_comes_from_the_shipped_fonts(open_page, name):
    """The site cuts KaTeX's fonts to what it shows; a sign cut away would come from elsewhere."""
    page = open_page(f"{name}.html")
    page.evaluate(OPENED)
    page.evaluate("async () => { await document.fonts.ready; }")
    signs = page.evaluate(
        """() => {
            const seen = new Map();
            const leaves = document.querySelectorAll("article .katex-html *:not(:has(*))");
            for (const leaf of leaves) {
                const text = leaf.textContent.replaceAll("\\u200b", "").trim();
                if (!text || !leaf.getClientRects().length) continue;
                const style = getComputedStyle(leaf);
                const key = [leaf.textContent, style.fontFamily, style.fontStyle, style.fontWeight].join("|");
                if (!seen.has(key)) { seen.set(key, leaf); leaf.dataset.sign = key; }
            }
            return [...seen.keys()];
        }"""
    )
    assert signs
    cdp = page.context.new_cdp_session(page)
    cdp.send("DOM.enable")
    cdp.send("CSS.enable")
    root = cdp.send("DOM.getDocument")["root"]["nodeId"]
    found = cdp.send("DOM.querySelectorAll", {"nodeId": root, "selector": "[data-sign]"})["nodeIds"]
    assert len(found) == len(signs)
    for node in found:
        fonts = cdp.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        foreign = [font for font in fonts if not font["isCustomFont"]]
        assert fonts and not foreign, (cdp.send("DOM.getOuterHTML", {"nodeId": node}), foreign)


def test_no_line_parts_a_formula_from_its_punctuation(open_page):
    page = open_page("book/attention/attention.html")
    parted = """() => {
        const faults = [];
        const place = (text, at) => {
            const range = document.createRange();
            range.setStart(text, at);
            range.setEnd(text, at + 1);
            return range.getBoundingClientRect();
        };
        for (let width = 300; width < 700; width += 7) {
            document.querySelector("article").style.width = `${width}px`;
            for (const whole of document.querySelectorAll("article p .pan-whole")) {
                const parts = [...whole.querySelectorAll(".base")].map((e) => e.getBoundingClientRect());
                const [first, last] = [whole.firstChild, whole.lastChild];
                const torn = (first.nodeType === 3 && place(first, first.length - 1).left > parts[0].left)
                    || (last.nodeType === 3 && place(last, 0).left < parts.at(-1).left);
                if (torn) faults.push(`${width}: ${whole.innerText}`);
            }
        }
        return faults;
    }"""
    assert page.locator("article p .pan-whole").count() > 10
    assert page.evaluate(parted) == []
    page.add_style_tag(content=".pan-whole, .katex { white-space: normal !important; }")
    assert page.evaluate(parted) != [], "the test would not see it"


def test_a_long_formula_breaks_inside_its_line(open_page):
    """In a narrow column, whatever the words around the formulas are."""
    page = open_page("book/attention/attention.html", width=360)
    page.add_style_tag(content="article p { max-width: 7em; }")
    lines = """() => Math.max(...[...document.querySelectorAll("article p .katex-html")]
        .map((formula) => formula.getClientRects().length))"""
    assert page.evaluate(lines) > 1
    page.add_style_tag(content="article p { width: 400em; max-width: none !important; }")
    assert page.evaluate(lines) == 1, "where there is room, none does"
