"""How a chapter's exercises are checked: in the notebook, at once, and with the reason.

A checker is a function that takes the reader's answer, compares it with what known
misunderstandings would give, then with what is right, and returns a sentence of praise that says
what was shown. See any chapter's module beside this one.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import choose
from .fields import Field
from .inputs import draw as draw
from .inputs import pick as pick
from .values import described, number_of
from .values import tensor_of as tensor_of

LEVELS = {"trace": 1, "code": 2, "derive": 2, "explore": 3}  # points that a grader gives


@dataclass(frozen=True)
class Verdict:
    """What a check found. True if the answer is right; shown as one line in the notebook."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.message}"


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter: its number there, its title, level, minutes and checker."""

    name: str
    number: int
    title: str
    level: str
    minutes: int
    check: Callable[[Any], Verdict] = field(repr=False)
    asks: tuple[Field, ...] = ()  # for an answer of a few numbers: what each of them is
    build: Callable[..., Any] | None = field(default=None, repr=False)

    @property
    def points(self) -> int:
        """What a right answer is worth: 1 for tracing, 2 for code and derivations, 3 to explore."""
        return LEVELS[self.level]

    def answer(self, *numbers: Any) -> Any:
        """Return what the check is given for one number per field: alone, or as a tuple."""
        if self.build is not None:
            return self.build(*numbers)
        return numbers if len(numbers) > 1 else numbers[0]


@dataclass(frozen=True)
class Comparison:
    """What a checker compared: a value with one of its own, and how near they must be."""

    got: Any
    value: Any
    tolerance: float


_RECORD: ContextVar[list[Comparison] | None] = ContextVar("record", default=None)


@contextmanager
def recorded() -> Iterator[list[Comparison]]:
    """List all that the checkers called within compare; meanwhile nothing counts as wrong."""
    found: list[Comparison] = []
    token = _RECORD.set(found)
    try:
        yield found
    finally:
        _RECORD.reset(token)


class Wrong(Exception):
    """Raised inside a checker: the answer is wrong, and this says what was misunderstood."""


def exercise(
    number: int,
    title: str,
    *,
    level: str,
    minutes: int,
    asks: tuple[Field, ...] = (),
    build: Callable[..., Any] | None = None,
) -> Callable[[Callable[[Any], str]], Callable[[Any], Verdict]]:
    """Turn a checker into a check that returns a `Verdict`, whatever the reader's answer does.

    Args:
        number: The exercise's number in its chapter, from 1.
        title: Its title there.
        level: "trace", "code", "derive" or "explore".
        minutes: How long it takes.
        asks: Where numbers answer, a field for each: a page can ask for them.
        build: What makes the answer of those numbers; without it, one alone or a tuple of them.

    Returns:
        A decorator. The decorated function never raises for a wrong answer: mistakes, exceptions
        in the reader's code and answers not yet written all become verdicts. It carries its
        `Exercise` as the attribute `exercise`.

    Raises:
        ConfigError: The level is unknown.
    """
    choose("level", level, LEVELS)

    def decorate(checker: Callable[[Any], str]) -> Callable[[Any], Verdict]:
        @functools.wraps(checker)
        def check(answer: Any) -> Verdict:
            if answer is None or answer is ...:
                return Verdict(False, f"Exercise {number} has no answer yet.")
            if len(asks) == 1 and build is None and not asks[0].options:
                answer = number_of(answer)
            try:
                return Verdict(True, checker(answer))
            except Wrong as wrong:
                return Verdict(False, str(wrong))
            except Exception as error:  # whatever the reader's code raises, the notebook goes on
                stub = isinstance(error, NotImplementedError)  # torch raises it, too, with a text
                if stub and (not str(error) or "your turn" in str(error)):
                    return Verdict(False, f"Exercise {number} is not written yet.")
                return Verdict(
                    False,
                    f"Your code stopped with {type(error).__name__}: {error}. "
                    "Call it yourself on a small input to see where.",
                )

        name = checker.__name__
        record = Exercise(name, number, title, level, minutes, check, asks, build)
        check.exercise = record  # type: ignore[attr-defined]
        return check

    return decorate


def exercises_of(module: Any) -> list[Exercise]:
    """List a chapter's exercises in the order of their numbers."""
    found = [f.exercise for f in vars(module).values() if hasattr(f, "exercise")]
    return sorted(found, key=lambda exercise: exercise.number)


def call(function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call the reader's function on copies of the arguments, and look whether anything came back.

    Raises:
        Wrong: The answer is no function, takes other arguments, or returns None.
    """
    if not callable(function):
        raise Wrong(
            f"The check needs your function itself, but it got {described(function)}; "
            "pass its name without brackets."
        )
    copies = [x.clone() if isinstance(x, Tensor) else x for x in arguments]
    try:
        inspect.signature(function).bind(*copies, **options)
    except TypeError as error:
        raise Wrong(
            f"Your function should take the arguments in the stub, but: {error}."
        ) from error
    result = function(*copies, **options)
    if result is None:
        raise Wrong("Your function returns None. Did you forget `return`?")
    return tensor_of(result) if isinstance(result, np.ndarray) else result


def reject(got: Any, wrong: Any, why: str, *, tolerance: float = 1e-4) -> None:
    """Recognise a misunderstanding: if the answer is what it would give, say why it is wrong."""
    if not _noted(got, wrong, tolerance) and _close(got, wrong, tolerance):
        raise Wrong(why)


def reject_if(condition: Any, why: str) -> None:
    """Recognise a misunderstanding by a condition instead of by its exact result."""
    if bool(condition) and _RECORD.get() is None:
        raise Wrong(why)


def expect(got: Any, right: Any, otherwise: str, *, tolerance: float = 1e-4) -> None:
    """Demand the right answer: of the right kind and shape, free of NaN, and close.

    Args:
        got: The reader's answer.
        right: The right one.
        otherwise: What to say if the answer has the right shape but other numbers.
        tolerance: Largest absolute difference, and largest relative one.
    """
    if _noted(got, right, tolerance):
        return
    if isinstance(right, Tensor) and right.ndim:
        got = tensor_of(got)
        if not isinstance(got, Tensor):
            raise Wrong(f"Expected a tensor of shape {tuple(right.shape)}, got {described(got)}.")
        if got.shape != right.shape:
            raise Wrong(f"Expected shape {tuple(right.shape)}, got {tuple(got.shape)}. {otherwise}")
        if right.dtype == torch.bool and got.dtype != torch.bool:
            raise Wrong(f"Expected a boolean tensor, got {got.dtype}.")
        if got.dtype.is_floating_point and not bool(torch.isfinite(got).all()):
            raise Wrong("Your result holds NaN or infinity: look for 0 / 0, log 0 or a full mask.")
    if not _close(got, right, tolerance):
        raise Wrong(otherwise)


def _noted(got: Any, value: Any, tolerance: float) -> bool:
    record = _RECORD.get()
    if record is not None:
        record.append(Comparison(got, value, tolerance))
    return record is not None


def _close(got: Any, right: Any, tolerance: float) -> bool:
    try:
        a, b = (torch.as_tensor(x, dtype=torch.float64) for x in (got, right))
    except (TypeError, ValueError, RuntimeError):
        return False
    if b.ndim == 0 and a.numel() == 1:
        a = a.reshape(())  # [22] is 22
    return a.shape == b.shape and torch.allclose(a, b, atol=tolerance, rtol=tolerance)
