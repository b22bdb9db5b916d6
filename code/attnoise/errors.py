"""The errors that attnoise raises: each names the argument, what came, and the fix."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class ShapeError(ValueError):
    """A tensor has a shape or dtype that does not fit the others or the model."""


class ConfigError(ValueError):
    """A setting is out of range, unknown, or contradicts another."""


class DataError(ValueError):
    """Data are missing, damaged, or hold NaN or infinity."""


class CheckpointError(ValueError):
    """A checkpoint is missing, truncated, tampered with, or belongs to another model."""


def choose(argument: str, value: str, options: Mapping[str, T]) -> T:
    """Return options[value].

    Args:
        argument: The name of the argument, for the message.
        value: The name asked for.
        options: What may be asked for.

    Raises:
        ConfigError: The name is not among the options; the message lists them and the nearest.

    >>> choose("name", "linear", {"linear": 1, "cosine": 2})
    1
    """
    if isinstance(value, str) and value in options:
        return options[value]
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = ", ".join(repr(name) for name in options)
    raise ConfigError(f"{argument} must be one of {known}, but it is {value!r}{hint}")
