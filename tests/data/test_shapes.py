"""Pictures show what their captions say: placed without touching, drawn with the right area."""

import math

import pytest
import torch

from attnoise.data.captions import SHAPES, all_captions, load_captions, parse_caption
from attnoise.data.shapes import (
    BACKGROUND,
    PALETTE,
    RADIUS,
    SIDE,
    Scene,
    coverage,
    draw,
    draw_captions,
    place,
)
from attnoise.errors import ConfigError, DataError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one(shape, radius, x=16.0, y=16.0):
    return Scene(
        torch.tensor([[SHAPES.index(shape)]]),
        torch.tensor([[0]]),
        torch.tensor([[radius]]),
        torch.tensor([[[x, y]]]),
    )


AREAS = {
    "circle": math.pi,
    "square": 1.76**2,
    "triangle": 3 * math.sqrt(3) / 4 * 1.15**2,  # equilateral, circumradius 1.15
    "cross": 2 * 2 * 0.64 - 0.64**2,
    "ring": math.pi * (1 - 0.25),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_the_area_of_its_formula(shape):
    radius = 9.0
    area = float(coverage(one(shape, radius), fine=16).sum())
    assert area == pytest.approx(AREAS[shape] * radius**2, rel=0.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_moving_a_shape_by_whole_pixels_moves_its_picture(shape):
    here, there = coverage(one(shape, 4.2, 12.3, 14.6)), coverage(one(shape, 4.2, 15.3, 12.6))
    torch.testing.assert_close(here.roll((-2, 3), dims=(-2, -1)), there, atol=0.07, rtol=0)


def test_a_triangle_points_up():
    covered = coverage(one("triangle", 8.0))[0, 0]
    assert covered[12].sum() < covered[18].sum()


def test_colours_are_those_of_the_palette():
    image = draw_captions([parse_caption("a large yellow square")], generator())[0]
    pixels = ((image + 1) / 2).flatten(1).T
    for colour in (PALETTE["yellow"], BACKGROUND):
        assert (pixels - torch.tensor(colour)).abs().sum(dim=1).min() < 1e-5


def test_everything_lies_inside_and_apart_and_as_the_caption_says():
    captions = all_captions()[::7]
    scene = place(captions, generator(1))
    first, second = scene.centre.unbind(1)
    right, down = (second - first).unbind(-1)
    for k, caption in enumerate(captions):
        half = [1.15 * float(r) for r in scene.radius[k]]
        for h, centre in zip(half, scene.centre[k].tolist(), strict=True):
            assert all(h <= c <= SIDE - h for c in centre)
        if caption.relation is None:
            assert half[1] == 0
            continue
        x, y = float(right[k]), float(down[k])
        along, across = {
            "above": (y, x), "below": (-y, x), "left of": (x, y), "right of": (-x, y),
        }[caption.relation]  # fmt: skip
        assert along >= sum(half) + 2 - 1e-4
        assert abs(across) <= along / 2 + 1e-4


def test_no_two_objects_cover_one_pixel():
    covered = coverage(place(load_captions("train")[::9], generator(2)))
    assert float(covered.min(dim=1).values.max()) == 0


def test_sizes_vary_by_five_per_cent_and_places_by_much():
    scene = place([parse_caption("a small red circle")] * 300, generator(3))
    radius = scene.radius[:, 0] / RADIUS["small"]
    assert 0.95 <= float(radius.min()) < 0.96
    assert 1.04 < float(radius.max()) <= 1.05
    assert float(scene.centre[:, 0].std(dim=0).min()) > 5


def test_the_same_seed_draws_the_same_picture_and_another_another():
    captions = load_captions("two")[:3]
    same = draw_captions(captions, generator(4)), draw_captions(captions, generator(4))
    assert torch.equal(*same)
    assert not torch.equal(same[0], draw_captions(captions, generator(5)))


def test_pixels_lie_between_minus_one_and_one():
    images = draw(place(load_captions("two"), generator(6)))
    assert images.shape == (320, 3, SIDE, SIDE)
    assert -1 <= float(images.min()) < float(images.max()) <= 1


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ConfigError, match="captions must hold one"):
        draw_captions([], generator())


@pytest.mark.bad_input
def test_texts_are_read_first():
    with pytest.raises(DataError, match="captions must be a list of Caption"):
        draw_captions(["a large red circle"], generator())
