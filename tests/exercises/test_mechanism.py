"""The mechanism of the exercises: whatever a reader hands in, a sentence comes back."""

import pytest
import torch

from attnoise.errors import ConfigError
from attnoise.exercises import exercises_of
from attnoise.exercises.mechanism import call, draw, exercise, expect, reject, reject_if


@exercise(3, "Double", level="code", minutes=5)
def double(my_double):
    x = draw(2, 3)
    got = call(my_double, x)
    reject(got, x, "That is x itself.")
    reject_if(torch.is_tensor(got) and got.shape == (3, 2), "You turned it.")
    expect(got, 2 * x, "Each number should be doubled.")
    return "Doubled."


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda x: 2 * x, "✓ Doubled."),
        (lambda x: x, "✗ That is x itself."),
        (lambda x: (2 * x).T, "✗ You turned it."),
        (lambda x: 3 * x, "✗ Each number should be doubled."),
        (lambda x: (2 * x)[0], "✗ Expected shape (2, 3), got (3,). Each number should be doubled."),
        (lambda x: 0 * x / 0, "✗ Your result holds NaN or infinity"),
        (lambda x: None, "✗ Your function returns None. Did you forget `return`?"),
        (lambda x: "two", "✗ Expected a tensor of shape (2, 3), got 'two', a str."),
        (lambda: 1, "✗ Your function should take the arguments in the stub, but: too many"),
        (lambda x: x.nothing, "✗ Your code stopped with AttributeError"),
        (lambda x: [][1], "✗ Your code stopped with IndexError: list index out of range"),
        (lambda x: torch.linalg.inv(x), "✗ Your code stopped with"),
        (
            torch.ones(2),
            "✗ The check needs your function itself, but it got a tensor of shape (2,)",
        ),
        (None, "✗ Exercise 3 has no answer yet."),
        (..., "✗ Exercise 3 has no answer yet."),
    ],
)
def test_every_answer_gets_a_verdict(answer, line):
    verdict = double(answer)
    assert repr(verdict).startswith(line)
    assert bool(verdict) == line.startswith("✓")


def test_a_stub_is_not_written_yet():
    def stub(x):
        raise NotImplementedError("your turn")

    assert repr(double(stub)) == "✗ Exercise 3 is not written yet."


def test_the_answer_cannot_change_the_question():
    def spoil(x):
        x.zero_()
        return x

    assert not double(spoil)


def test_booleans_must_be_booleans():
    @exercise(1, "Mask", level="code", minutes=1)
    def mask(answer):
        expect(answer, torch.tensor([True, False]), "First only.")
        return "Yes."

    assert "Expected a boolean tensor, got torch.float32" in repr(mask(torch.tensor([1.0, 0.0])))
    assert mask(torch.tensor([True, False]))


def test_exercises_are_listed_by_number_with_points():
    class Chapter:
        pass

    @exercise(1, "First", level="trace", minutes=2)
    def first(answer):
        return "Yes."

    Chapter.double, Chapter.first = double, first
    assert [(e.number, e.name, e.points, e.minutes) for e in exercises_of(Chapter)] == [
        (1, "first", 1, 2),
        (3, "double", 2, 5),
    ]


def test_unknown_level_is_named():
    with pytest.raises(ConfigError, match="level must be one of 'trace', 'code'.*'coed'"):
        exercise(1, "x", level="coed", minutes=1)


def test_draws_are_the_same_each_time():
    assert torch.equal(draw(2, 3), draw(2, 3))
    assert not torch.equal(draw(2, 3), draw(2, 3, seed=1))
