"""Where tensors are made."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def on_cpu(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function make its tensors on the CPU, whatever the reader's default device is.

    For what computes on the CPU alone: `torch.set_default_device("mps")` would put half of its
    tensors elsewhere.
    """

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with torch.device("cpu"):
            return function(*args, **kwargs)

    return wrapped
