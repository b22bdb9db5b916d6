"""The wire between examiner and student: frames of JSON and bytes, and values in them.

A frame is two big-endian u32, the lengths of its JSON and of its bytes, then both. A value is

    null | bool | number | text | {"l": [..]} | {"t": [..]} | {"s": [..]} | {"d": [[key, value]..]}
    {"i": "hex"} a long integer | {"n": "nan"} | {"c": [re, im]}
    {"T": [dtype, shape, offset, mark]} a tensor, whose numbers are among the frame's bytes
    {"A": [dtype, shape, offset]} a numpy array

and, through the hooks of each side, functions and things that are no data. Whatever comes in
counts as written by an adversary: sizes, depth, types and offsets are checked before they are used.
"""

import math
from collections.abc import Callable, Iterator, KeysView, ValuesView
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

MAX_JSON, MAX_BYTES = 2 * 1024**2, 64 * 1024**2
MAX_DEPTH, MAX_PARTS, MAX_BITS = 12, 100_000, 4096
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    )
}
ARRAYS = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64") + (
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)


class ProtocolError(Exception):
    """What came over the wire is no frame, or no value, of this protocol."""


class Encoder:
    """Writes values as JSON, and collects the bytes of their tensors.

    Args:
        special: What to write for anything that is no plain data.
        mark: The number under which a tensor's gradient can be asked for; None for none.
    """

    def __init__(
        self,
        special: Callable[[Any], Any],
        mark: Callable[[Tensor], int | None] = lambda tensor: None,
    ) -> None:
        self.special, self.mark = special, mark
        self.blob = bytearray()
        self.parts = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Return a value as JSON can hold it."""
        self.parts += 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str(value[: MAX_JSON // 16])
        if depth > MAX_DEPTH or self.parts > MAX_PARTS:
            return self.special(value)
        if isinstance(value, Tensor | np.ndarray | np.generic):
            return self.numbers(value)
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            return self.special(value)
        if isinstance(value, int | float | complex):
            return number(value)
        for kind, letter in ((list, "l"), (tuple, "t"), (set | frozenset, "s")):
            if isinstance(value, kind):
                return {letter: [self.encode(part, depth + 1) for part in list(value)]}
        if isinstance(value, dict):
            return {"d": [[self.encode(x, depth + 1) for x in pair] for pair in value.items()]}
        if isinstance(value, KeysView | ValuesView | Iterator | range):
            parts = islice(value, MAX_PARTS)
            return {"l": [self.encode(part, depth + 1) for part in parts]}
        return self.special(value)

    def numbers(self, value: Any) -> Any:
        """Write a tensor or an array: its type, its shape and the place of its bytes."""
        if isinstance(value, Tensor):
            name, mark = str(value.dtype).removeprefix("torch."), self.mark(value)
            if name not in DTYPES or value.layout != torch.strided:
                return self.special(value)
            flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
            data = flat.view(torch.uint8).numpy().tobytes()
            if len(self.blob) + len(data) > MAX_BYTES:
                return self.special(value)
            written = {"T": [name, list(value.shape), len(self.blob), mark]}
        else:
            array = np.asarray(value)
            data = np.ascontiguousarray(array).tobytes()
            if array.dtype.name not in ARRAYS or len(self.blob) + len(data) > MAX_BYTES:
                return self.special(value)
            scalar = isinstance(value, np.generic)
            written = {"A": [array.dtype.name, list(array.shape), len(self.blob), scalar]}
        self.blob += data
        return written


def number(value: complex) -> Any:
    """Write a number of Python's."""
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else {"i": hex(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"n": repr(float(value))}
    return {"c": [number(value.real), number(value.imag)]}


class Decoder:
    """Reads values that `Encoder` has written, and nothing else.

    Args:
        blob: The frame's bytes.
        special: What to make of the letters that only this side knows, given letter and content.
        marked: What to do with a tensor that carries a mark.
    """

    def __init__(
        self,
        blob: bytes,
        special: Callable[[str, Any], Any],
        marked: Callable[[Tensor, int], Tensor] = lambda tensor, mark: tensor,
    ) -> None:
        self.blob, self.special, self.marked = blob, special, marked
        self.parts = 0

    def decode(self, value: Any, depth: int = 0) -> Any:
        """Return the value that JSON holds.

        Raises:
            ProtocolError: It is none.
        """
        self.parts += 1
        demand(depth <= MAX_DEPTH + 2 and self.parts <= 2 * MAX_PARTS, "too deep or too long")
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            demand(-(2**63) <= value < 2**63, "a long integer")
            return value
        if isinstance(value, str):
            return clean(value)
        demand(isinstance(value, dict) and len(value) == 1, "no value")
        ((letter, content),) = value.items()
        demand(len(letter) == 1, "no value")
        if letter in "ltsd":
            return self.container(letter, content, depth)
        if letter == "T":
            return self.tensor(content)
        if letter == "A":
            return self.array(content)
        if letter in "inc":
            return long_or_odd(letter, content)
        return self.special(letter, content)

    def container(self, letter: str, content: Any, depth: int) -> Any:
        demand(isinstance(content, list), "no list")
        if letter == "d":
            demand(all(isinstance(pair, list) and len(pair) == 2 for pair in content), "no pairs")
        try:
            if letter == "d":
                return {self.decode(k, depth + 1): self.decode(v, depth + 1) for k, v in content}
            parts = [self.decode(part, depth + 1) for part in content]
            return {"l": list, "t": tuple, "s": set}[letter](parts)
        except TypeError as error:  # a list as a key
            raise ProtocolError(f"unhashable: {error}") from error

    def tensor(self, content: Any) -> Tensor:
        demand(isinstance(content, list) and len(content) == 4, "no tensor")
        name, shape, offset, mark = content
        demand(isinstance(name, str) and name in DTYPES, "unknown type of numbers")
        dtype = DTYPES[name]
        data = self.bytes_of(shape, offset, dtype.itemsize)
        if name == "bool":
            demand(set(data) <= {0, 1}, "neither true nor false")
        flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0).to(dtype)
        tensor = flat.reshape(shape)
        if mark is None:
            return tensor
        demand(type(mark) is int and dtype.is_floating_point, "no mark")
        return self.marked(tensor, mark)

    def array(self, content: Any) -> Any:
        demand(isinstance(content, list) and len(content) == 4, "no array")
        name, shape, offset, scalar = content
        demand(isinstance(name, str) and name in ARRAYS, "unknown type of numbers")
        data = self.bytes_of(shape, offset, np.dtype(name).itemsize)
        if name == "bool":
            demand(set(data) <= {0, 1}, "neither true nor false")
        array = np.frombuffer(data, dtype=name).reshape(shape).copy()
        return array[()] if scalar is True and not shape else array

    def bytes_of(self, shape: Any, offset: Any, size: int) -> bytes:
        """Return the bytes of a tensor, if what is said of them is true."""
        demand(isinstance(shape, list) and len(shape) <= 12, "no shape")
        demand(all(type(n) is int and 0 <= n <= 2**32 for n in shape), "no shape")
        length = math.prod(shape) * size
        demand(type(offset) is int and 0 <= offset <= len(self.blob), "no offset")
        demand(length <= len(self.blob) - offset, "fewer bytes than its shape says")
        return self.blob[offset : offset + length]


def long_or_odd(letter: str, content: Any) -> Any:
    """Read a number that JSON has no form for: long, not finite, or complex."""
    if letter == "i":
        demand(isinstance(content, str) and len(content) <= MAX_BITS // 4 + 4, "a long integer")
        try:
            return int(content, 16)
        except ValueError as error:
            raise ProtocolError("no integer") from error
    if letter == "n":
        demand(content in ("nan", "inf", "-inf"), "no number")
        return float(content)
    demand(isinstance(content, list) and len(content) == 2, "no complex number")
    parts = [long_or_odd("n", x["n"]) if isinstance(x, dict) and "n" in x else x for x in content]
    demand(all(isinstance(x, float) for x in parts), "no complex number")
    return complex(*parts)


def clean(text: str) -> str:
    """Return text that can be written as UTF-8: half characters become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def demand(condition: bool, what: str) -> None:
    """Raise ProtocolError if a condition does not hold."""
    if not condition:
        raise ProtocolError(what)
