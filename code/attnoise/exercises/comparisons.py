"""What an exercise of numbers compares, as a table that a page can hold: read from its checker.

The checker runs once with the comparisons noted (`recorded`), then once for each set of answers
that they can tell apart. So the page says what the notebook says, from one source.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from .fields import Field
from .mechanism import Exercise, exercises_of, recorded

PROBE = 1009.5  # numbers that no exercise asks for; float32 holds them exactly
FAR = 12345.678  # added to the largest value: near to none of them
Near = tuple[float, float]  # a value, and the tolerance around it


@dataclass(frozen=True)
class Table:
    """What a page must know to answer as the checker does.

    Args:
        units: The grid on which each field's number is looked up (`grid_point`); 0 for options.
        classes: For each field the numbers that mean something, as text, each with its class from
            1. Numbers of one class are near the same values; every other number has class 0.
        verdicts: What the check says for one class per field. Where nothing stands, it says what
            stands for class 0 in all fields.
    """

    units: tuple[float, ...]
    classes: tuple[dict[str, int], ...]
    verdicts: dict[tuple[int, ...], str]


def grid_point(x: float, unit: float) -> str:
    """Return the point of the grid that is nearest to x, as "k:n": n units of 10^k.

    The grid is even up to 10 and ten times as wide in each further decade, as tolerances are that
    grow with the value.
    """
    decade, scale = 0, 1.0
    while abs(x) / scale >= 10:
        decade, scale = decade + 1, scale * 10
    return f"{decade}:{math.floor(x / (unit * scale) + 0.5)}"


def number_at(point: str, unit: float) -> float:
    """Return the number of a point of the grid."""
    decade, n = map(int, point.split(":"))
    return n * (unit * 10.0**decade)


def answerable(module: ModuleType) -> list[Exercise]:
    """List a chapter's exercises that fields can answer."""
    return [exercise for exercise in exercises_of(module) if exercise.asks]


def table_of(exercise: Exercise) -> Table:
    """Make the table of an exercise that asks for numbers."""
    near = [[] for _ in exercise.asks] if exercise.asks[0].options else compared(exercise)
    columns = [column(field, values) for field, values in zip(exercise.asks, near, strict=True)]
    verdicts: dict[tuple[int, ...], str] = {}
    for chosen in itertools.product(*(range(len(examples)) for _, _, examples in columns)):
        numbers = [examples[i] for i, (_, _, examples) in zip(chosen, columns, strict=True)]
        if any(number is None for number in numbers):
            continue  # an option must be chosen
        verdict = repr(exercise.check(exercise.answer(*numbers)))
        if verdict != verdicts.get((0,) * len(columns)):
            verdicts[chosen] = verdict
    units, classes, _ = zip(*columns, strict=True)
    return Table(units, classes, verdicts)


def compared(exercise: Exercise) -> list[list[Near]]:
    """List for each field the values that the checker compares its number with.

    Raises:
        RuntimeError: The checker compares numbers that are no field's, or none of some field.
    """
    probes = [PROBE + 4 * i for i in range(len(exercise.asks))]
    with recorded() as found:
        verdict = exercise.check(exercise.answer(*probes))
    near: list[list[Near]] = [[] for _ in probes]
    for comparison in found:
        got, value = (flat(x) for x in (comparison.got, comparison.value))
        for number, wanted in zip(got, value, strict=True):
            if number not in probes:
                raise RuntimeError(f"{exercise.name} compares {number}, which is no field's number")
            pair = (wanted, comparison.tolerance)
            if pair not in near[probes.index(number)]:
                near[probes.index(number)].append(pair)
    if not all(near):
        raise RuntimeError(f"{exercise.name} compares nothing with some field: {verdict}")
    return near


def flat(value: Any) -> list[float]:
    """Return a number, or the numbers of a list or tensor, as one list."""
    return torch.as_tensor(value, dtype=torch.float64).flatten().tolist()


def column(field: Field, near: list[Near]) -> tuple[float, dict[str, int], list[Any]]:
    """Return a field's unit, its numbers with their classes, and an example of each class.

    The example of class 0 is near no value, or None where one of the options must stand.
    """
    if field.options:
        size = max(field.choose, 1)
        chosen = list(itertools.combinations(field.options, size))
        names = {" ".join(map(str, some)): i for i, some in enumerate(chosen, start=1)}
        return 0.0, names, [None, *(some if field.choose > 1 else some[0] for some in chosen)]
    unit = min(tolerance for _, tolerance in near) / 2
    members: dict[frozenset[int], list[str]] = {}
    points = {point for value, around in near for point in points_near(value, around, unit)}
    for point in sorted(points):
        x = number_at(point, unit)
        close = (i for i, (value, around) in enumerate(near) if is_close(x, value, around))
        members.setdefault(frozenset(close), []).append(point)
    classes: dict[str, int] = {}
    examples = [2 * max(abs(value) for value, _ in near) + FAR]
    for number, alike in enumerate(members.values(), start=1):
        classes |= dict.fromkeys(alike, number)
        examples.append(number_at(alike[len(alike) // 2], unit))
    return unit, classes, examples


def points_near(value: float, tolerance: float, unit: float) -> Iterator[str]:
    """Yield the points of the grid that are close to a value."""
    reach = tolerance * (1 + abs(value))
    first, last = (int(grid_point(x, unit).split(":")[0]) for x in extent(value, reach))
    for decade in range(first, last + 1):
        step = unit * 10.0**decade
        for n in range(math.floor((value - reach) / step), math.ceil((value + reach) / step) + 1):
            if is_close(n * step, value, tolerance):
                yield f"{decade}:{n}"


def extent(value: float, reach: float) -> tuple[float, float]:
    """Return the smallest and the largest size of a number within reach of a value."""
    return max(abs(value) - reach, 0.0), abs(value) + reach


def is_close(x: float, value: float, tolerance: float) -> bool:
    """Compare as the checks do: by an absolute and a relative tolerance together."""
    return abs(x - value) <= tolerance * (1 + abs(value))
