"""What the examiner holds of a student's: functions called over the wire, and stand-ins."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .wire import ProtocolError, clean

KINDS = {kind.name: kind for kind in inspect._ParameterKind}
Ask = Callable[[int, tuple, dict], Any]  # number of a function, its arguments, its options


class Opaque:
    """Something of the student's that is no data: only its type's name and its text are known."""

    _text = ""

    def __repr__(self) -> str:
        return self._text


class Proxy:
    """A function of the student's."""

    _text = ""

    def __init__(self, ask: Ask, handle: int) -> None:
        self._ask, self._handle = ask, handle

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._ask(self._handle, arguments, options)

    def __repr__(self) -> str:
        return self._text


def proxy(ask: Ask, handle: int, parameters: Any, kind: Any, text: Any) -> Proxy:
    """Make a proxy with the signature and the text of the function that it stands for."""
    if not isinstance(kind, str) or not isinstance(text, str):
        raise ProtocolError("no function")
    made = type(identifier(kind), (Proxy,), {"_text": clean(text[:2000])})(ask, handle)
    if parameters is not None:
        vars(made)["__signature__"] = signature(parameters)
    return made


def stand_in(kind: Any, text: Any) -> Opaque:
    """Make something whose type has a name, and which shows a text."""
    if not isinstance(kind, str) or not isinstance(text, str):
        raise ProtocolError("no value")
    return type(identifier(kind), (Opaque,), {"_text": clean(text[:2000])})()


def signature(parameters: Any) -> inspect.Signature:
    """Read a signature."""
    try:
        made = [
            inspect.Parameter(name, KINDS[kind], default=None if has else inspect.Parameter.empty)
            for name, kind, has in parameters[:100]
        ]
        return inspect.Signature(made)
    except Exception as error:
        raise ProtocolError("no signature") from error


def identifier(name: str) -> str:
    """Return a type's name as it can be shown."""
    return name[:80] if name.isidentifier() else "object"


def write_back(argument: Any, value: Any) -> None:
    """Change a list or a tensor as the student's function has changed its copy."""
    if isinstance(argument, Tensor) and isinstance(value, Tensor):
        if argument.shape == value.shape and argument.dtype == value.dtype:
            with torch.no_grad():
                argument.copy_(value)
    elif isinstance(argument, list) and isinstance(value, list):
        argument[:] = value
    elif isinstance(argument, dict) and isinstance(value, dict):
        argument.clear()
        argument.update(value)
