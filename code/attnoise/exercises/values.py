"""The value of an answer, in whatever form it comes, and what to call it in a sentence."""

from typing import Any

import torch
from torch import Tensor

LONGEST = 80  # characters of an answer in a sentence about it


def tensor_of(answer: Any) -> Any:
    """Return a numpy array or a list of numbers as a tensor, and everything else as it is."""
    if isinstance(answer, Tensor) or not hasattr(answer, "__len__") or isinstance(answer, str):
        return answer
    try:
        tensor = torch.tensor(answer)
    except (TypeError, ValueError, RuntimeError):
        return answer
    return tensor if hasattr(answer, "dtype") or tensor.dtype == torch.bool else tensor.double()


def number_of(answer: Any) -> Any:
    """Return the number in "22", [22] or a tensor of one number, and everything else as it is."""
    if isinstance(answer, str):
        try:
            return float(answer)
        except ValueError:
            return answer
    found = tensor_of(answer)
    return found.item() if isinstance(found, Tensor) and found.numel() == 1 else answer


def pair_of(answer: Any) -> tuple[float, float] | None:
    """Return two numbers, given as a tuple, list, array, tensor or text; None if it is no pair."""
    if isinstance(answer, str):
        answer = answer.strip("()[] ").replace(",", " ").split()
    found = tensor_of(answer)
    parts = found.flatten().tolist() if isinstance(found, Tensor) and found.ndim else answer
    if not isinstance(parts, (tuple, list)) or len(parts) != 2:
        return None
    first, second = (number_of(part) for part in parts)
    if isinstance(first, str) or isinstance(second, str):
        return None
    return float(first), float(second)


def described(value: Any) -> str:
    """Return what a value is, in few words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple) and any(isinstance(part, Tensor) for part in value):
        return f"a tuple of {len(value)}; return the one that is asked for"
    text = repr(value)
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{shown}, a {type(value).__name__}"
