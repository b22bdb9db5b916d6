"""What an exercise asks for, where a few numbers answer it: so a page can offer fields for them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One place of an answer: its label, and what may stand there.

    Args:
        label: What is asked for there, as in "output".
        options: All that may stand there; without any, every number may.
        choose: How many of the options are chosen, by pointing at them. With 0 one is typed.
    """

    label: str
    options: Sequence[int] = ()
    choose: int = 0


def numbers(*labels: str) -> tuple[Field, ...]:
    """Return a field for any number under each of the labels."""
    return tuple(Field(label) for label in labels)
