"""Drawing the data of a flow: by pointer and by keyboard; the page computes what Python does."""

import json

import pytest
import torch
from torch.testing import assert_close

from attnoise.figures.draw_flow import REACH, particles_at

pytestmark = pytest.mark.in_browser

PAGE = "book/diffusion/flow-matching.html"
FIGURE = ".pan-fig:has(.pan-fig-pad)"


def state(page):
    figure = page.locator(FIGURE)
    return json.loads(figure.get_attribute("data-drawn")), json.loads(
        figure.get_attribute("data-numbers")
    )


def test_particles_flow_into_what_is_drawn(open_page):
    page = open_page(PAGE)
    pad = page.locator(".pan-fig-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for x, y in ((0.2, 0.3), (0.8, 0.7)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + (x + 0.1) * box["width"], box["y"] + y * box["height"], steps=6)
        page.mouse.up()
    drawn, found = state(page)
    assert 4 <= len(drawn) <= 12 and all(max(map(abs, point)) <= REACH for point in drawn)
    data = page.locator(FIGURE + " script.pan-fig-data").text_content()
    noise = torch.tensor(json.loads(data)["data"]["noise"], dtype=torch.float64)
    points = torch.tensor(drawn, dtype=torch.float64)
    expected = particles_at(points, noise, 0.0, 8, "Euler")
    assert_close(torch.tensor(found["x"]).double(), expected.flatten(), atol=1e-5, rtol=1e-5)
    assert page.faults == []
    page.get_by_role("button", name="Clear my drawing").click()
    assert state(page)[0] == []


def test_the_keyboard_draws(open_page):
    page = open_page(PAGE)
    page.locator(".pan-fig-pad").focus()
    for key in ["ArrowRight"] * 3 + ["Space"] + ["ArrowUp"] * 4 + ["Space", "ArrowUp"]:
        page.keyboard.press(key)
    drawn, _ = state(page)
    assert len(drawn) == 5
    assert drawn[0] == pytest.approx([0.45, 0.0]) and drawn[-1] == pytest.approx([0.45, 0.6])
    page.keyboard.press("Escape")
    assert state(page)[0] == []
