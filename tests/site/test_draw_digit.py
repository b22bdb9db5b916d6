"""The first model that runs in a page: loaded when asked for, equal to torch, and able to fail."""

import json

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from site_tools import present

from attnoise.figures import mnist_like
from attnoise.training.checkpoints import load_checkpoint
from attnoise.transformers import attention_rollout

pytestmark = pytest.mark.in_browser

PAGE = "book/transformers/vit.html"
HEAVY = ("/vendor/ort/", "/_static/models/")
FOUR = ([(10, 4), (6, 16), (22, 16)], [(18, 4), (17, 25)])
RAN = "() => document.querySelector('.pan-fig:has(.pan-fig-pad)').dataset.ran"


def figure_of(page):
    return page.locator(".pan-fig:has(.pan-fig-pad)")


def recorded(page):
    """The pressed button in the row of recorded digits."""
    return figure_of(page).get_by_role("radio", checked=True)


def draw(page, lines):
    pad = page.locator(".pan-fig-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for line in lines:
        for i, (x, y) in enumerate(line):
            at = box["x"] + x * box["width"] / 28, box["y"] + y * box["height"] / 28
            page.mouse.move(*at, steps=1 if i == 0 else 6)
            if i == 0:
                page.mouse.down()
        page.mouse.up()


def heavy(page):
    return [url for _, url in page.loaded if any(part in url for part in HEAVY)]


def test_nothing_heavy_is_loaded_before_the_first_stroke(open_page):
    page = open_page(PAGE)
    figure_of(page).scroll_into_view_if_needed()
    recorded(page).focus()
    page.keyboard.press("ArrowRight")
    assert "Test digit 1: the model reads 1" in figure_of(page).locator("output").inner_text()
    assert heavy(page) == []


def test_a_drawing_is_read_as_torch_reads_it(open_page):
    page = open_page(PAGE)
    draw(page, FOUR)
    words = figure_of(page).locator("output")
    words.filter(has_text="Your drawing: the model reads 4").wait_for()
    ran = json.loads(present(page, RAN))
    image = mnist_like(ran["strokes"])
    torch.testing.assert_close(image.flatten(), torch.tensor(ran["image"]), atol=1e-5, rtol=0)
    model, _ = load_checkpoint("vit-mnist")
    with torch.no_grad():
        logits = model(image[None, None])[0]
    sources = attention_rollout(model, image[None, None]).mean(dim=1)[0]
    torch.testing.assert_close(torch.tensor(ran["logits"]), logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(torch.tensor(ran["sources"]), sources, atol=1e-5, rtol=1e-3)
    assert len(heavy(page)) == 3 and page.faults == []


def test_recorded_results_are_what_the_page_computes(open_page):
    page = open_page(PAGE)
    figure = figure_of(page)
    recorded = json.loads(figure.get_attribute("data-numbers"))
    figure.get_by_role("button", name="Run the model").click()
    found = json.loads(present(page, RAN))
    for name in ("logits", "sources"):
        ours, theirs = torch.tensor(found[name]), torch.tensor(recorded[name])
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("missing", HEAVY)
def test_without_the_model_the_recorded_results_stand(open_page, missing):
    page = open_page(PAGE)
    page.route(f"**{missing}*", lambda route: route.abort())
    draw(page, FOUR)
    words = figure_of(page).locator("output")
    words.filter(has_text="could not be loaded").wait_for()
    recorded(page).focus()
    page.keyboard.press("ArrowRight")
    assert "Test digit 1: the model reads 1" in words.inner_text()


def test_without_webassembly_the_recorded_results_stand(open_page):
    page = open_page(PAGE)
    page.evaluate("() => { delete window.WebAssembly; }")
    draw(page, FOUR)
    words = figure_of(page).locator("output")
    words.filter(has_text="could not be loaded").wait_for()
    figure_of(page).get_by_role("button", name="Clear").click()
    assert "Test digit 0: the model reads 0" in words.inner_text()


def test_the_keyboard_draws(open_page):
    page = open_page(PAGE)
    page.locator(".pan-fig-pad").focus()
    for key in ["ArrowUp"] * 8 + ["Space"] + ["ArrowDown"] * 17 + ["Space"]:
        page.keyboard.press(key)
    words = figure_of(page).locator("output")
    words.filter(has_text="Your drawing: the model reads 1").wait_for()
    page.keyboard.press("Escape")
    assert "Test digit 0" in words.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_passes_axe(open_page, scheme):
    page = open_page(PAGE, width=360, color_scheme=scheme)
    draw(page, FOUR)
    present(page, RAN)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    found = Axe().run(page, context=".pan-fig:has(.pan-fig-pad)").response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
