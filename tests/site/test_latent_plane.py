"""The decoder on the page: loaded when asked for, equal to torch, and able to fail."""

import functools
import json

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from site_tools import changed_by, present

from attnoise.evaluation.picture_parser import parse_pictures
from attnoise.figures import between
from attnoise.figures.latent_plane import read_out
from attnoise.training.checkpoints import load_checkpoint

pytestmark = pytest.mark.in_browser

PAGE = "book/latent/latent-space.html"
HEAVY = ("/vendor/ort/", "/_static/models/", "/_static/js/shapes.js")
FIGURE = ".pan-fig:has(canvas)"
RAN = f"() => document.querySelector('{FIGURE}').dataset.ran"
DATA = f"() => document.querySelector('{FIGURE} script.pan-fig-data').textContent"


def figure_of(page):
    return page.locator(FIGURE)


def heavy(page):
    return [url for _, url in page.loaded if any(part in url for part in HEAVY)]


def run(page):
    figure_of(page).get_by_role("button", name="Run the decoder").click()
    present(page, RAN)


def test_before_the_button_everything_is_recorded(open_page):
    page = open_page(PAGE)
    words = figure_of(page).locator("output")
    figure_of(page).get_by_role("slider").first.focus()
    page.keyboard.press("End")
    assert words.inner_text().startswith("At (1.00, 0.50), nearest recorded: the parser")
    assert heavy(page) == [] and page.faults == []


def test_the_page_paints_what_torch_paints(open_page):
    page = open_page(PAGE)
    run(page)
    corners = torch.tensor(json.loads(page.evaluate(DATA))["data"]["corners"]).view(4, 4, 8, 8)
    autoencoder, _ = load_checkpoint("shapes-autoencoder")
    slider = figure_of(page).get_by_role("slider").first
    for key in ("Home", "ArrowRight", "End"):
        slider.focus()
        found = json.loads(changed_by(page, functools.partial(page.keyboard.press, key), RAN))
        with torch.no_grad():
            image = autoencoder.decode(between(corners, found["u"], found["v"])[None])
        torch.testing.assert_close(
            torch.tensor(found["image"]), image.flatten(), atol=1e-3, rtol=1e-3
        )
        assert found["words"] == read_out(parse_pictures(image)[0])
    assert found["u"] == 1 and len(heavy(page)) == 4 and page.faults == []


def test_the_mark_can_be_dragged(open_page):
    page = open_page(PAGE)
    figure_of(page).scroll_into_view_if_needed()
    box = figure_of(page).locator("canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] - 2, steps=4)
    page.mouse.up()
    assert figure_of(page).locator("output").inner_text().startswith("At (0.00, 1.00)")


@pytest.mark.parametrize("missing", HEAVY)
def test_without_the_decoder_the_recorded_pictures_stand(open_page, missing):
    page = open_page(PAGE)
    page.route(f"**{missing}*", lambda route: route.abort())
    figure_of(page).get_by_role("button", name="Run the decoder").click()
    words = figure_of(page).locator("output")
    words.filter(has_text="could not be loaded").wait_for()
    assert json.loads(figure_of(page).get_attribute("data-numbers"))["latent"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_passes_axe(open_page, scheme):
    page = open_page(PAGE, width=360, color_scheme=scheme)
    run(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    found = Axe().run(page, context=FIGURE).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
