"""A chapter's first screen: its question, its figure, what to expect; and its card."""

import io

import pytest
from PIL import Image
from site_tools import chapters, parsed
from thumbnails import SIZE, thumbnail

TOP = "e => e.getBoundingClientRect().top + scrollY"
VISIBLE_CODE = """() => [...document.querySelectorAll("article .cell_input")]
    .filter((code) => code.checkVisibility())
    .reduce((sum, code) => sum + code.getBoundingClientRect().height, 0)
    / document.querySelector("article").getBoundingClientRect().height"""
CODE_AT_MOST = 0.26


@pytest.mark.in_browser
@pytest.mark.parametrize("name", chapters())
@pytest.mark.parametrize(("width", "height", "screens"), [(1280, 900, 1), (360, 740, 2)])
def test_the_figure_stands_in_the_first_screens(open_page, name, width, height, screens):
    page = open_page(f"{name}.html", width=width, height=height)
    figure = page.locator("#opening-figure figure").first
    picture = figure.locator("svg, img, canvas, textarea, input").first
    assert figure.evaluate(TOP) < 0.5 * height
    assert picture.evaluate(TOP) < screens * height - 200
    assert page.locator("#opening-figure").count() == 1
    assert page.locator(".pan-question").evaluate(TOP) < figure.evaluate(TOP)


@pytest.mark.in_browser
@pytest.mark.parametrize("name", chapters())
def test_code_is_not_most_of_what_is_seen(open_page, name):
    page = open_page(f"{name}.html", width=1280, height=900)
    part = page.evaluate(VISIBLE_CODE)
    assert 0.05 < part <= CODE_AT_MOST


@pytest.mark.parametrize("name", chapters())
def test_objectives_prerequisites_and_time_are_one_box(name):
    page = parsed(f"{name}.html")
    (box,) = page.select(".pan-brief")
    text = box.get_text(" ", strip=True)
    assert "You will" in text and "Know before" in text and "minutes" in text
    assert box.select_one("a.pan-run-colab")
    (link,) = page.select(".pan-figure-above a")
    assert link["href"] == "#opening-figure"


def test_the_section_on_the_cache_leads_to_the_playground():
    page = parsed("book/transformers/gpt.html")
    (link,) = page.select('section#the-cache > p a[href="#opening-figure"]')
    assert link.get_text() == "The playground"
    assert page.select_one("#opening-figure .pan-fig")["data-script"] == "playground"


def test_every_chapter_has_a_card_with_picture_question_and_minutes():
    cards = parsed("index.html").select(".pan-card")
    assert len(cards) == len(chapters())
    for card, name in zip(cards, chapters(), strict=True):
        assert card["href"] == f"book/{name.removeprefix('book/')}.html"
        assert card.select_one("img")["src"].endswith(f"{name.split('/')[-1]}.webp")
        assert card.select_one(".pan-minutes").get_text().split()[0].isdecimal()
        question = parsed(f"{name}.html").select_one(".pan-question").get_text()
        assert question in card.get_text()


@pytest.mark.parametrize("name", chapters())
def test_what_is_folded_is_named_by_its_own_words(name):
    page = parsed(f"{name}.html")
    folded = page.select(".cell details > summary")
    assert folded
    assert not any(summary.get("aria-label") for summary in folded)


def test_a_thumbnail_is_a_window_as_wide_as_the_figure():
    tall, buffer = Image.new("RGB", (800, 2000), "white"), io.BytesIO()
    tall.paste((9, 99, 199), (0, 1000, 800, 1500))  # exactly the window that begins in the middle
    tall.save(buffer, "PNG")
    card = thumbnail(buffer.getvalue(), 0.5)
    assert card.size == SIZE
    width, height = SIZE
    for corner in ((2, 2), (width - 3, 2), (2, height - 3), (width - 3, height - 3)):
        assert card.getpixel(corner) == (9, 99, 199)
    for begins in (0.0, 1.0):
        assert thumbnail(buffer.getvalue(), begins).getpixel((9, 9)) == (255, 255, 255)


@pytest.mark.in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_shows_the_picture_of_the_page_s_scheme(open_page, scheme):
    page = open_page("index.html", color_scheme=scheme)
    shown = page.locator(".pan-card").evaluate_all(
        "all => all.map((card) => [...card.querySelectorAll('img')]"
        ".filter((image) => image.checkVisibility()).map((image) => image.getAttribute('src')))"
    )
    assert len(shown) == len(chapters())
    assert all(len(card) == 1 for card in shown)
    assert all(card[0].endswith("-dark.webp") == (scheme == "dark") for card in shown)
