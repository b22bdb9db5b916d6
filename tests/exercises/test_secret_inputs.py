"""Under a grader's secret inputs right functions pass, and answers learnt from public ones do not."""

import importlib
import re

import pytest
import torch
from tests.exercises.proof import ROOT, answers, run

from attnoise.exercises import exercises_of
from attnoise.exercises.inputs import draw, pick, secret_inputs

SEEDS = range(1000, 1020)
CHAPTERS = sorted(
    p.relative_to(ROOT / "book").as_posix() for p in (ROOT / "book").glob("*/*.ipynb")
)


def functions_of(chapter):
    """Yield the exercises that ask for a function, each with the book's own."""
    name = chapter.split("/")[-1].removesuffix(".ipynb").replace("-", "_")
    module = importlib.import_module(f"attnoise.exercises.{name}")
    masters = answers(chapter)
    for exercise in exercises_of(module):
        source, answer = masters[exercise.name]
        if re.search(rf"^def {answer}\(", source, re.MULTILINE):
            yield exercise, run(source, answer, {"check": module})


FUNCTIONS = [
    pytest.param(exercise, function, id=f"{chapter.removesuffix('.ipynb')}-{exercise.name}")
    for chapter in CHAPTERS
    for exercise, function in functions_of(chapter)
]


def learnt(exercise, function):
    """Return what the function gave in the public check, call by call."""
    given = []

    def watched(*arguments, **options):
        given.append(function(*arguments, **options))
        return given[-1]

    watched.__wrapped__ = function  # its signature
    assert exercise.check(watched)
    return given


def playing(given):
    """Return a function that plays a recording, call by call, again and again."""
    calls = iter(range(10**9))
    return lambda *arguments, **options: given[next(calls) % len(given)]


def passes(exercise, make):
    """Say whether an answer passes as a grader asks it: in public, then with two secret seeds."""
    answer = make()
    for seed in SEEDS[:2]:
        with secret_inputs(seed):
            if not exercise.check(answer):
                return False
    return True


def test_the_book_asks_for_sixty_functions():
    assert len(FUNCTIONS) == 60


@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS)
def test_the_right_function_passes_under_all_but_few_seeds(exercise, function):
    failed = []
    for seed in SEEDS:
        with secret_inputs(seed):
            verdict = exercise.check(function)
        if not verdict:
            failed.append(f"{seed}: {verdict}")
    assert len(failed) <= 1, failed  # chance: a mistake that comes near; graders skip such seeds


@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS)
def test_neither_a_constant_nor_a_recording_passes(exercise, function):
    given = learnt(exercise, function)
    assert not passes(exercise, lambda: lambda *arguments, **options: given[0])
    assert not passes(exercise, lambda: playing(given))


def test_secret_inputs_are_others_the_same_each_time_and_gone_afterwards():
    public = draw(5), pick(3, (4, 5))
    with secret_inputs(7):
        first = draw(5), pick(3, (4, 5))
        again = draw(5), pick(3, (4, 5))
    with secret_inputs(8):
        other = draw(5)
    assert torch.equal(first[0], again[0])
    assert first[1] == again[1] != public[1] == 3
    assert not torch.equal(first[0], public[0])
    assert not torch.equal(first[0], other)
    assert torch.equal(draw(5), public[0])
