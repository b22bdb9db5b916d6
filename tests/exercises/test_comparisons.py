"""The tables that pages hold: made of the checkers, and saying what the checkers say."""

import importlib
import random
from pathlib import Path

import pytest

import attnoise.exercises
from attnoise.exercises.comparisons import (
    Table,
    answerable,
    compared,
    grid_point,
    is_close,
    number_at,
    table_of,
)
from attnoise.exercises.fields import Field, numbers
from attnoise.exercises.mechanism import exercise, expect, recorded, reject, reject_if

NO_CHAPTERS = {"__init__", "mechanism", "fields", "inputs", "stops", "values", "comparisons"}
MODULES = sorted(
    path.stem
    for path in Path(attnoise.exercises.__file__).parent.glob("*.py")
    if path.stem not in NO_CHAPTERS
)
EXERCISES = [
    pytest.param(one, id=f"{name}-{one.number}")
    for name in MODULES
    for one in answerable(importlib.import_module(f"attnoise.exercises.{name}"))
]
OF_NUMBERS = [case for case in EXERCISES if not case.values[0].asks[0].options]


@exercise(1, "Two", level="trace", minutes=1, asks=numbers("first", "second"))
def two(my_answer):
    first, second = (float(x) for x in my_answer)
    reject(first, 3.0, "Three is too many.", tolerance=0.01)
    expect(first, 2.0, "Count again.", tolerance=0.01)
    reject((first, second), (2.0, 4.0), "The second is no square.")
    expect(second, 0.25, "A quarter.")
    return "Two, and a quarter."


def says(table: Table, *given: float | str) -> str:
    """What a page says by a table, before anything is sealed."""
    names = (grid_point(x, unit) if unit else x for x, unit in zip(given, table.units, strict=True))
    chosen = tuple(own.get(name, 0) for own, name in zip(table.classes, names, strict=True))
    return table.verdicts.get(chosen) or table.verdicts[(0,) * len(chosen)]


def test_a_table_says_what_the_check_says():
    table = table_of(two.exercise)
    for answer in (
        (2.0, 0.25),
        (2.01, 0.2500001),
        (3, 0.25),
        (3.0, 9.0),
        (2, 4),
        (2, 1),
        (7, 0.25),
    ):
        assert says(table, *answer) == repr(two(answer)), answer
    assert says(table, 2, 0.25) == "✓ Two, and a quarter."


def test_what_is_compared_is_listed_for_each_field():
    first, second = compared(two.exercise)
    assert first == [(3.0, 0.01), (2.0, 0.01), (2.0, 1e-4)]
    assert second == [(4.0, 1e-4), (0.25, 1e-4)]


def test_while_comparisons_are_noted_nothing_is_wrong():
    with recorded() as found:
        reject(1.0, 1.0, "Right.")
        reject_if(True, "Always.")
        expect(1.0, 2.0, "Not so.")
    assert [(c.got, c.value) for c in found] == [(1.0, 1.0), (1.0, 2.0)]
    with pytest.raises(Exception, match="Always"):
        reject_if(True, "Always.")


def test_a_number_that_no_field_holds_is_refused():
    @exercise(1, "Sum", level="trace", minutes=1, asks=numbers("first", "second"))
    def total(my_answer):
        expect(sum(my_answer), 3.0, "No.")
        return "Yes."

    with pytest.raises(RuntimeError, match="total compares 2023.0, which is no field's number"):
        table_of(total.exercise)


def test_a_field_that_is_compared_with_nothing_is_refused():
    @exercise(1, "First", level="trace", minutes=1, asks=numbers("first", "second"))
    def first(my_answer):
        expect(my_answer[0], 3.0, "No.")
        return "Yes."

    with pytest.raises(RuntimeError, match="first compares nothing with some field"):
        table_of(first.exercise)


def test_options_have_a_verdict_each():
    @exercise(1, "Pick", level="trace", minutes=1, asks=(Field("places", range(4), choose=2),))
    def pick(my_places):
        reject_if(0 in my_places, "Not the first.")
        expect(my_places, (2, 3), "Farther.")
        return "Yes."

    table = table_of(pick.exercise)
    assert len(table.verdicts) == 6
    assert [says(table, x) for x in ("0 3", "1 2", "2 3")] == [
        "✗ Not the first.",
        "✗ Farther.",
        "✓ Yes.",
    ]


@pytest.mark.parametrize(
    ("x", "unit", "point"),
    [
        (0.25, 0.01, "0:25"),
        (-0.25, 0.01, "0:-25"),
        (9.999, 0.01, "0:1000"),
        (10.0, 0.01, "1:100"),
        (65536, 0.01, "4:655"),
        (0.0, 0.5, "0:0"),
    ],
)
def test_grid(x, unit, point):
    assert grid_point(x, unit) == point
    assert number_at(point, unit) == pytest.approx(x, rel=0.01)


def test_some_twenty_exercises_can_be_answered_on_a_page():
    assert len(EXERCISES) >= 20
    assert len({case.id.rsplit("-", 1)[0] for case in EXERCISES}) == len(MODULES)


@pytest.mark.parametrize("one", OF_NUMBERS)
def test_page_and_check_agree_on_numbers_drawn_around_what_is_compared(one):
    """Apart from numbers within half a step of a tolerance's edge, which the grid may round over."""
    table, near, draw = table_of(one), compared(one), random.Random(0)
    kept = 0
    for _ in range(200):
        values = [draw.choice([*own, (7e3 * draw.random(), 0.01)]) for own in near]
        given = [v + t * (1 + abs(v)) * draw.uniform(-1.4, 1.4) for v, t in values]
        snapped = [
            number_at(grid_point(x, unit), unit) for x, unit in zip(given, table.units, strict=True)
        ]
        if any(
            is_close(x, v, t) != is_close(y, v, t)
            for x, y, own in zip(given, snapped, near, strict=True)
            for v, t in own
        ):
            continue
        kept += 1
        assert says(table, *given) == repr(one.check(one.answer(*given))), given
    assert kept > 60
