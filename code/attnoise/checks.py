"""Checks of what models are handed: free where they read shapes, and values on the CPU alone.

On a GPU, reading a value makes the processor wait for everything that is still being computed.
So values are looked at only where that costs nothing: on the CPU, outside of compilation. Who
trains on another device checks a first batch before it is moved there.
"""

import math
from numbers import Integral, Real

import torch
from torch import Tensor

from .errors import ConfigError, DataError, ShapeError

WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def values_may_be_read(tensor: Tensor) -> bool:
    """Say whether looking at a tensor's values costs no wait for a device and breaks no graph."""
    return (
        tensor.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        # inside torch.func.vmap a tensor has no single value
        and not torch._C._are_functorch_transforms_active()
    )


def check_tokens(name: str, tokens: Tensor, vocab: int) -> None:
    """Check that tokens are whole numbers in [0, vocab).

    The numbers themselves are looked at where `values_may_be_read`. For a model on another device
    call this once, on the CPU, for the data set or the first batch.

    Args:
        name: The name of the argument, for the message.
        tokens: Of any shape.
        vocab: Number of tokens.

    Raises:
        ShapeError: The tokens are no whole numbers.
        DataError: A token lies outside [0, vocab).

    >>> check_tokens("tokens", torch.tensor([[0, 4]]), vocab=5)
    """
    fix = "encode the text with the tokenizer that the model was built for"
    check_indices(name, tokens, vocab, fix=fix)


def check_indices(name: str, indices: Tensor, size: int, *, fix: str = "") -> None:
    """Check that indices are whole numbers in [0, size), where `values_may_be_read`.

    Args:
        name: The name of the argument, for the message.
        indices: Of any shape.
        size: How many things there are to point at.
        fix: What to do about it, for the message.

    Raises:
        ShapeError: The indices are no whole numbers.
        DataError: One lies outside [0, size).
    """
    end = f"; {fix}." if fix else "."
    if indices.dtype not in WHOLE:
        raise ShapeError(f"{name} must be whole numbers, but their dtype is {indices.dtype}{end}")
    if not indices.numel() or not values_may_be_read(indices):
        return
    low, high = (int(bound) for bound in indices.aminmax())
    if low < 0 or high >= size:
        raise DataError(
            f"{name} must lie between 0 and {size - 1}, but they range from {low} to {high}{end}"
        )


def check_shape(name: str, tensor: Tensor, **axes: int | None) -> None:
    """Check a tensor's shape, axis by axis; None is an axis of any length.

    Args:
        name: The name of the argument, for the message.
        tensor: What is checked.
        axes: The name and the length of each axis, in their order.

    Raises:
        ShapeError: The number of axes or a length is another.

    >>> check_shape("x", torch.ones(2, 3, 8), batch=2, positions=None, width=8)
    """
    shape, wanted = tensor.shape, tuple(axes.values())
    if len(shape) != len(wanted) or any(
        length is not None and length != own for length, own in zip(wanted, shape, strict=True)
    ):
        words = (axis if length is None else f"{axis} = {length}" for axis, length in axes.items())
        raise ShapeError(
            f"{name} must have shape ({', '.join(words)}), but its shape is {tuple(shape)}."
        )


def check_images(name: str, images: Tensor, shape: tuple[int, ...]) -> None:
    """Check a batch of images: shape, floating point, and pixels of about [-1, 1].

    Noised images go beyond 1, so that only what must be a mistake is refused: pixels beyond 10
    (0 to 255, for instance), NaN and infinity, where `values_may_be_read`.

    Args:
        name: The name of the argument, for the message.
        images: The batch.
        shape: (channels, height, width) that the model takes.

    Raises:
        ShapeError: The shape is another, or the dtype is not floating.
        DataError: A pixel is NaN, infinite, or far outside [-1, 1].
    """
    if images.ndim != 4 or images.shape[1:] != shape:
        raise ShapeError(
            f"{name} must have shape (batch, {', '.join(map(str, shape))}), but their shape "
            f"is {tuple(images.shape)}; resize them, or build the model for that size. "
            "Channels come first."
        )
    if not images.is_floating_point():
        raise ShapeError(
            f"{name} must be floating-point numbers in [-1, 1], but their dtype is "
            f"{images.dtype}; for 0 to 255 pass images / 127.5 - 1."
        )
    if not images.numel() or not values_may_be_read(images):
        return
    low, high = (end.item() for end in images.detach().aminmax())
    if not -10 <= low <= high <= 10:  # NaN fails every comparison
        raise DataError(
            f"{name} must have pixels in [-1, 1], but they range from {low:g} to {high:g}; "
            "for 0 to 255 pass images / 127.5 - 1."
        )


def check_sizes(**sizes: int | None) -> None:
    """Check that sizes are whole numbers of at least 1; None passes.

    Raises:
        ConfigError: One is not.

    >>> check_sizes(depth=3, heads=None)
    """
    for name, size in sizes.items():
        if size is not None and not (_is_whole(size) and size >= 1):
            raise ConfigError(f"{name} must be a whole number of at least 1, but it is {size!r}.")


def check_counts(**counts: int) -> None:
    """Check that counts are whole numbers of at least 0.

    Raises:
        ConfigError: One is not.
    """
    for name, count in counts.items():
        if not (_is_whole(count) and count >= 0):
            raise ConfigError(f"{name} must be a whole number of at least 0, but it is {count!r}.")


def check_positive(**numbers: float) -> None:
    """Check that numbers are above 0 and finite.

    Raises:
        ConfigError: One is not.
    """
    for name, number in numbers.items():
        if not (isinstance(number, Real) and number > 0 and math.isfinite(number)):
            raise ConfigError(f"{name} must be above 0 and finite, but it is {number!r}.")


def _is_whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
