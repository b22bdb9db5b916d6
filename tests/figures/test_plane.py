"""What figures refuse: points off the plane, too few or many, and numbers that json cannot hold."""

import math

import pytest
import torch

from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.figures import between, mnist_like, page_noise
from attnoise.figures.controls import check_value
from attnoise.figures.plane import check_finite, check_plane


@pytest.mark.parametrize("shape", [(2,), (3, 3), (0, 2), (1, 2, 2)])
def test_other_shapes_are_no_points(shape):
    with pytest.raises(ShapeError, match="keys must be 1 or more points in the plane"):
        check_plane("keys", torch.zeros(shape))


def test_too_few_and_too_many_points_are_told_how_many():
    for count in (1, 4):
        with pytest.raises(ShapeError, match="keys must be 2 to 3 points"):
            check_plane("keys", torch.zeros(count, 2), 2, 3)
    for count in (2, 3):
        check_plane("keys", torch.zeros(count, 2), 2, 3)
    check_plane("keys", torch.zeros(100, 2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_must_be_finite(value):
    with pytest.raises(DataError, match="values must be finite"):
        check_finite("values", torch.tensor([0.0, value]))
    with pytest.raises(DataError, match="points must be finite"):
        check_plane("points", torch.tensor([[0.0, value]]))


def test_a_value_off_the_slider_is_named_with_what_there_is():
    with pytest.raises(ConfigError, match=r"steps must be one of 1, 2, but it is 3"):
        check_value("steps", 3, (1, 2))
    with pytest.raises(
        ConfigError, match=r"steps must be one of 0, 1, .* 11, \.\.\., but it is -1"
    ):
        check_value("steps", -1, range(13))
    check_value("steps", 2, (1, 2))


@pytest.mark.bad_input
def test_places_lines_and_counts_are_checked():
    corners = torch.arange(4.0).reshape(4, 1, 1, 1)
    assert [between(corners, u, v).item() for v in (0, 1) for u in (0, 1)] == [0, 1, 2, 3]
    for u, v, name in ((1.01, 0, "u"), (0, -0.01, "v"), (math.nan, 0, "u")):
        with pytest.raises(ConfigError, match=f"{name} must lie between 0 and 1"):
            between(corners, u, v)
    with pytest.raises(ShapeError, match="corners must be four latents"):
        between(corners[:3], 0, 0)
    for strokes in ([], [[]], [[[1.0, 1.0]], []]):
        with pytest.raises(DataError, match="strokes must hold one line or more"):
            mnist_like(strokes)
    with pytest.raises(DataError, match="strokes must be finite"):
        mnist_like([[[1.0, math.nan]]])
    with pytest.raises(ConfigError, match="count must be a whole number of at least 1"):
        page_noise(1, 0)
