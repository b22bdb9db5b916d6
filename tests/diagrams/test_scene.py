"""The drawing's parts: shapes that agree, arrows with heads, texts that are filled in."""

import math

import pytest

from attnoise.diagrams.geometry import rounded_path
from attnoise.diagrams.scene import Part, Scene
from attnoise.diagrams.source import Line
from attnoise.diagrams.words import begin
from attnoise.errors import ConfigError

LINE = Line("x = 1", "file.py", "function")


def part(axes, sizes, title="Part"):
    return Part(title=title, note="what it is for", axes=axes, sizes=sizes, line=LINE)


def scene(**options):
    return Scene("name", "Title", "Caption", "Alt", 100, **options)


def test_a_shape_names_its_axes():
    assert part("b n d", (1, 5, 12)).shape == "b n d = 1 × 5 × 12"
    assert part("", ()).shape == ""


def test_axes_and_lengths_must_be_as_many():
    with pytest.raises(ConfigError, match="axes of 'Part' must name 2 axes"):
        part("b n d", (1, 5))


def test_an_axis_keeps_its_length_unless_it_is_of_a_stage():
    one = scene()
    one.part(part("b n", (1, 5)))
    with pytest.raises(ConfigError, match="n must be 5 in 'Other'"):
        one.part(part("b n", (1, 7), "Other"))
    staged = scene(stages="n")
    staged.part(part("b n", (1, 5)))
    assert staged.part(part("b n", (1, 7), "Other")) == 1


def test_a_part_drawn_twice_is_one_part():
    one = scene()
    assert one.part(part("b", (1,))) == one.part(part("b", (1,))) == 0
    assert len(one.parts) == 1


def test_an_arrow_ends_at_its_last_point():
    path, head = rounded_path([(0, 0), (50, 0), (50, 80)], 7)
    assert head[0] == (50, 80) and path[0] == ("M", 0, 0)
    assert math.isclose(path[-1][2], 73)
    assert [step[0] for step in path] == ["M", "L", "Q", "L"]


def test_an_unknown_tone_is_refused():
    with pytest.raises(ConfigError, match="tone must be one of"):
        scene().box(10, 10, "x", tone="pink")


def test_texts_are_filled_in_and_unknown_parts_refused():
    drawing, make = begin("block", 10, depth=7)
    assert "7 times" in drawing.alt
    assert make("mlp", (1, 2, 3), d=3, hidden=9).note.startswith("Works on each token alone: 3")
    with pytest.raises(ConfigError, match="key must be one of .*second_sum"):
        make("title")
