"""The controls of a figure that moves: which values each has, and how it names them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, choose
from .plots import COLOURS


def check_value(name: str, value: Any, values: Sequence[Any]) -> None:
    """Check that a control can take a value.

    Raises:
        ConfigError: It is none of the values; the message lists them.
    """
    if value not in values:
        shown = ", ".join(str(v) for v in values[:12])
        more = ", ..." if len(values) > 12 else ""
        raise ConfigError(f"{name} must be one of {shown}{more}, but it is {value!r}.")


@dataclass(frozen=True, kw_only=True)
class Control:
    """One slider or row of buttons: what it is called, and the values that it can take.

    Args:
        label: What the reader sees beside it, unit included.
        values: At least two different values, numbers or words, in the order of the control.
        start: The value shown first; the first of them if not given.
        digits: Digits after the point in the text of a number; as few as possible if not given.
        unit: Written after each value, as in "°".
        idea: Whose colour it wears, one of plots.COLOURS.
        choice: True for a row of buttons, False for a slider. If not given, words are a choice, and
            numbers lie on a slider.

    Raises:
        ConfigError: There are fewer than two values, two are the same, or start is none of them.
    """

    label: str
    values: Sequence[Any]
    start: Any = None
    digits: int | None = None
    unit: str = ""
    idea: str = "ink"
    choice: bool | None = None

    def __post_init__(self) -> None:
        plain = [value.item() if hasattr(value, "item") else value for value in self.values]
        object.__setattr__(self, "values", tuple(plain))
        if len(plain) < 2:
            raise ConfigError(
                f"control {self.label!r} must have at least two values, but it has {len(plain)}."
            )
        if len(set(plain)) < len(plain):
            raise ConfigError(f"control {self.label!r} must not hold the same value twice.")
        if self.start is None:
            object.__setattr__(self, "start", plain[0])
        check_value(f"start of control {self.label!r}", self.start, self.values)
        choose("idea", self.idea, COLOURS)
        if self.choice is None:
            object.__setattr__(self, "choice", all(isinstance(value, str) for value in plain))

    def index(self, value: Any) -> int:
        """Return the place of a value, or raise a ConfigError that lists the values."""
        check_value(f"control {self.label!r}", value, self.values)
        return self.values.index(value)

    def text(self, value: Any) -> str:
        """Return a value as the reader sees it."""
        if isinstance(value, str):
            return value + self.unit
        return (f"{value:g}" if self.digits is None else f"{value:.{self.digits}f}") + self.unit
