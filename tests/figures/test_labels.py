"""Names at the ends of lines: each once, in its line's colour, none on another."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnoise.figures.labels import label_lines, spread_out
from attnoise.figures.palette import GUIDE, method


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_lines_are_named_at_their_ends():
    figure, ax = plt.subplots(figsize=(4.5, 3))
    for place, end in enumerate((5.0, 5.01, 1.0)):
        ax.plot([0, 1], [0, end], **method(place), label=f"line {place}")
    ax.plot([0, 1], [2, 2])
    ax.axhline(3, **GUIDE, label="chance")
    label_lines(ax)
    names = {text.get_text(): text for text in ax.texts}
    assert list(names) == ["line 0", "line 1", "line 2", "chance"]
    assert names["line 1"].get_color() == method(1)["color"]
    assert all(text.xy[0] >= 0.9 for text in ax.texts)
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    for below, above in zip(boxes, boxes[1:], strict=False):
        assert below.y1 <= above.y0 + 2


@given(st.lists(st.floats(-1, 2), max_size=8), st.floats(0.01, 0.3))
def test_numbers_are_moved_apart_and_keep_their_order(heights, least):
    moved = spread_out(heights, least)
    order = np.argsort(heights, kind="stable")
    assert all(np.diff(np.array(moved)[order]) >= least - 1e-6)
    np.testing.assert_allclose(sum(moved), sum(heights), atol=1e-6)


def test_what_is_apart_stays():
    assert spread_out([0.5, 0.1, 0.9], 0.2) == [0.5, 0.1, 0.9]
    assert spread_out([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])
