"""A chapter's first screen: its question, its figure, what to expect; and its card."""

import io

import pytest
from PIL import Image
from site_tools import chapters, parsed
from thumbnails import thumbnail

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


def test_a_thumbnail_keeps_the_whole_picture():
    wide, buffer = Image.new("RGB", (1000, 100), (9, 99, 199)), io.BytesIO()
    wide.save(buffer, "PNG")
    card = thumbnail(buffer.getvalue())
    assert card.size == (480, 300)
    assert card.getpixel((240, 150)) == card.getpixel((20, 150)) == (9, 99, 199)
    assert card.getpixel((240, 10)) == (255, 255, 255)
