"""The parser is exact on what was drawn, steady under noise, and strict with everything else."""

import pytest
import torch

from attnoise.data.captions import Caption, SceneObject, all_captions, parse_caption
from attnoise.data.shapes import SIDE, draw, draw_captions, place
from attnoise.errors import DataError, ShapeError
from attnoise.evaluation.picture_parser import (
    UNCLEAR,
    DetectedObject,
    _unmix,
    parse_pictures,
    score_caption,
    score_captions,
)


@pytest.fixture(scope="module")
def drawn():
    captions = [*all_captions()[:60], *all_captions()[60::13]]  # all single objects, 1,071 pairs
    scene = place(captions, torch.Generator().manual_seed(0))
    return captions, scene, draw(scene)


def test_clean_pictures_are_read_without_an_error(drawn):
    captions, _, images = drawn
    assert len(captions) > 1000
    assert all(score.exact for score in score_captions(captions, images))


def test_noise_of_eight_grey_levels_costs_less_than_one_per_cent(drawn):
    captions, _, images = drawn
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)) * 2 * 8 / 255
    scores = score_captions(captions, images + noise)
    assert sum(score.exact for score in scores) >= 0.99 * len(scores)


def test_other_pictures_captions_never_fit(drawn):
    captions, _, images = drawn
    shifted = captions[1:] + captions[:1]
    assert not any(score.exact for score in score_captions(shifted, images))


def test_centres_are_found_to_half_a_pixel(drawn):
    captions, scene, images = drawn
    for k, found in enumerate(parse_pictures(images[60:160]), start=60):
        for asked, centre in zip(captions[k].objects, scene.centre[k], strict=True):
            here = next(each for each in found if each.object == asked)
            assert abs(here.x - centre[0]) < 0.5
            assert abs(here.y - centre[1]) < 0.5


def test_an_empty_picture_has_nothing_in_it():
    assert parse_pictures(torch.full((2, 3, SIDE, SIDE), -0.8)) == [[], []]


def test_a_blot_is_no_shape():
    image = torch.full((1, 3, SIDE, SIDE), -0.8)
    image[:, 0, 4:8, 4:28] = 0.8  # a long red bar
    (bar,) = parse_pictures(image)[0]
    assert (bar.object.colour, bar.object.shape) == ("red", UNCLEAR)


def test_orange_is_neither_red_nor_yellow():
    image = draw_captions([parse_caption("a large red circle")], torch.Generator().manual_seed(2))
    image[:, 1] = torch.where(image[:, 0] > 0, 0.05, image[:, 1])
    (found,) = parse_pictures(image)[0]
    assert found.object == SceneObject("large", UNCLEAR, "circle")
    assert score_caption(parse_caption("a large red circle"), [found]).error == "colour"


def test_a_cut_shape_is_not_passed_off_as_whole():
    image = draw_captions([parse_caption("a large blue square")], torch.Generator().manual_seed(3))
    covered = (image[0, 2] > 0).nonzero()
    top, left = covered.min(dim=0).values.tolist()
    image[:, :, top : top + 5, left : left + 5] = -0.8  # a bite out of a corner
    (found,) = parse_pictures(image)[0]
    assert found.object.shape != "square"


RED, BLUE = SceneObject("small", "red", "ring"), SceneObject("large", "blue", "cross")


def at(detected, x, y):
    return DetectedObject(detected, float(x), float(y))


@pytest.mark.parametrize(
    ("found", "error"),
    [
        ([at(RED, 5, 9), at(BLUE, 20, 12)], ""),
        ([at(RED, 5, 9)], "count"),
        ([at(RED, 5, 9), at(BLUE, 20, 12), at(BLUE, 9, 25)], "count"),
        ([at(RED, 5, 9), at(SceneObject("large", "green", "cross"), 20, 9)], "colour"),
        ([at(RED, 5, 9), at(SceneObject("large", "blue", "circle"), 20, 9)], "shape"),
        ([at(RED, 5, 9), at(SceneObject("small", "blue", "cross"), 20, 9)], "size"),
        (
            [
                at(SceneObject("small", "blue", "ring"), 5, 9),
                at(SceneObject("large", "red", "cross"), 20, 9),
            ],
            "binding",
        ),
        ([at(RED, 20, 9), at(BLUE, 5, 12)], "relation"),
        ([at(RED, 5, 3), at(BLUE, 9, 25)], "relation"),
    ],
)
def test_each_error_has_its_name(found, error):
    score = score_caption(Caption((RED, BLUE), "left of"), found)
    assert score.error == error
    assert score.exact == (not error)


@pytest.mark.parametrize(
    ("relation", "x", "y"), [("above", 4, 20), ("below", -4, -20), ("right of", -20, 4)]
)
def test_relations_go_by_the_longer_axis(relation, x, y):
    found = [at(RED, 16, 16), at(BLUE, 16 + x, 16 + y)]
    assert score_caption(Caption((RED, BLUE), relation), found).exact
    assert not score_caption(Caption((BLUE, RED), relation), found).exact


def test_another_size_is_an_error():
    with pytest.raises(ShapeError, match=r"images must have shape \(batch, 3, 32, 32\)"):
        parse_pictures(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ShapeError, match="images must be floating-point"):
        parse_pictures(torch.zeros(2, 3, SIDE, SIDE, dtype=torch.uint8))
    with pytest.raises(DataError, match="images must have pixels in"):
        parse_pictures(torch.full((2, 3, SIDE, SIDE), float("nan")))
    with pytest.raises(DataError, match="images must have pixels in"):
        parse_pictures(torch.full((2, 3, SIDE, SIDE), 255.0))
    with pytest.raises(ShapeError, match="must be pairs, but there are 1 captions and 2 images"):
        score_captions([Caption((RED,))], torch.zeros(2, 3, SIDE, SIDE))
    assert parse_pictures(torch.zeros(0, 3, SIDE, SIDE)) == []


def test_half_precision_pictures_are_read(drawn):
    captions, _, images = drawn
    scores = score_captions(captions[:60], images[:60].bfloat16())
    assert all(score.exact for score in scores)


def test_an_object_takes_four_pixels(drawn):
    image = torch.full((1, 3, SIDE, SIDE), -0.8)
    image[:, 0, 9, 4:7] = 0.8
    assert parse_pictures(image) == [[]]
    image[:, 0, 9, 7] = 0.8
    (found,) = parse_pictures(image)[0]
    assert found.object.colour == "red"


def test_objects_are_listed_from_left_to_right(drawn):
    for found in parse_pictures(drawn[2][60:200]):
        assert [each.x for each in found] == sorted(each.x for each in found)


def test_a_size_counts_by_the_middle_of_both(drawn):
    small, large = (f"a {size} white circle" for size in ("small", "large"))
    for text in (small, large):
        images = draw_captions([parse_caption(text)] * 40, torch.Generator().manual_seed(4))
        assert {str(each.object) for found in parse_pictures(images) for each in found} == {text}


def empty():
    return torch.full((1, 3, SIDE, SIDE), -0.8)


def test_pixels_beyond_the_range_are_cut_off():
    captions = [parse_caption("a large red circle"), parse_caption("a small blue square")]
    images = draw_captions(captions, torch.Generator().manual_seed(4))
    for factor in (1.5, 3.0):
        far = factor * images
        assert parse_pictures(far) == parse_pictures(far.clamp(-1, 1))
    dark, light = empty(), empty()
    dark[:, :, :16], light[:, :, :16] = -5.0, 5.0
    assert parse_pictures(dark) == parse_pictures(dark.clamp(-1, 1))
    assert parse_pictures(light) == parse_pictures(light.clamp(-1, 1))


def test_abundances_lie_between_none_and_all():
    paint = torch.tensor([[0.8, 0.0, 0.0], [0.0, 0.0, 0.6]])
    light = torch.tensor([[2.0, 0.0, 0.0], [-1.0, 0.0, 0.3]]).T[None, :, None]  # 1 3 1 2
    abundances, best = _unmix(light, paint)
    torch.testing.assert_close(abundances[0, :, 0], torch.tensor([[1.0, 0.0], [0.0, 0.5]]))
    assert best[0, 0].tolist() == [0, 1]


def test_pixels_that_touch_at_a_corner_are_one_object_and_specks_are_none():
    image = empty()
    for start in (10, 12):  # two squares of four pixels that share a corner
        image[:, 0, start : start + 2, start : start + 2] = 0.8
    assert len(parse_pictures(image)[0]) == 1
    image[:, 0, 1, 1:4] = 0.8  # three pixels, read before the rest
    image[:, 2, 28:30, 2:4] = 0.8
    assert len(parse_pictures(image)[0]) == 2


def test_what_is_unclear_is_written_as_a_question_mark():
    image = empty()
    image[:, 0, 4:8, 4:28] = 0.8
    assert parse_pictures(image)[0][0].object.shape == "?"


@pytest.mark.parametrize(
    ("away", "relation"),
    [
        ((0.5, 0.0), "left of"),
        ((-0.5, 0.0), "right of"),
        ((0.0, 0.5), "above"),
        ((0.0, -0.5), "below"),
        ((3.0, 3.0), "left of"),  # as far on both axes: the horizontal one decides
        ((-3.0, 3.0), "right of"),
    ],
)
def test_a_relation_holds_however_near_the_two_are(away, relation):
    asked = parse_caption(f"a small red circle {relation} a large blue square")
    first, second = asked.objects
    found = [DetectedObject(first, 9.0, 9.0), DetectedObject(second, 9.0 + away[0], 9.0 + away[1])]
    assert score_caption(asked, found).relation
    opposite = {"left of": "right of", "above": "below"}
    other = {**opposite, **{b: a for a, b in opposite.items()}}[relation]
    wrong = parse_caption(f"a small red circle {other} a large blue square")
    assert not score_caption(wrong, found).relation
