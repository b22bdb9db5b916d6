"""Values cross the wire unchanged, and what is no value is refused."""

import json
import math
import socket
import struct

import numpy as np
import pytest
import torch

from attnoise.grading.channel import Channel, Closed, Late
from attnoise.grading.wire import MAX_JSON, Decoder, Encoder, ProtocolError


def refuse(letter, content):
    raise ProtocolError(letter)


def crossed(value):
    encoder = Encoder(lambda thing: {"o": [type(thing).__name__, ""]})
    text = json.dumps(encoder.encode(value), allow_nan=False)
    return Decoder(bytes(encoder.blob), lambda letter, content: (letter, content)).decode(
        json.loads(text)
    )


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -(2**63), 2**63, 2**4000, 0.1, -0.0, 1e300, math.inf, 1 + 2j),
        *("", "ü ✓", (1, [2, (3,)]), {1: "a", (2, 3): [None]}, {1, 2}, [], ()),
    ],
)
def test_plain_values_come_back(value):
    back = crossed(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (2, 1, 7)])
def test_tensors_come_back(dtype, shape):
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    back = crossed([tensor, tensor + 1])
    assert torch.equal(back[0], tensor)
    assert back[1].dtype == (tensor + 1).dtype
    assert back[0].shape == tensor.shape


def test_arrays_and_their_numbers_come_back():
    array = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(crossed(array), array)
    assert type(crossed(np.float32(2))) is np.float32
    assert crossed(iter([1, 2])) == [1, 2]
    assert math.isnan(crossed(math.nan))
    assert crossed("\ud800") == "\\ud800"


def test_what_is_no_data_becomes_its_name():
    assert crossed(object()) == ("o", ["object", ""])
    assert crossed(torch.eye(2).to_sparse()) == ("o", ["Tensor", ""])
    endless = []
    endless.append(endless)
    for _ in range(13):
        endless = crossed(endless)[0] if isinstance(endless, list) else endless


@pytest.mark.parametrize(
    "value",
    [
        {"T": ["float32", [2**31, 2**31], 0, None]},
        {"T": ["float32", [-1], 0, None]},
        {"T": ["float32", [2], 1, None]},
        {"T": ["float32", [True], 0, None]},
        {"T": ["float32", [1], -4, None]},
        {"T": ["float32", [1], 0, "mark"]},
        {"T": ["int64", [1], 0, 0]},
        {"T": ["bool", [8], 0, None]},
        {"T": ["object", [1], 0, None]},
        {"T": [["float32"], [1], 0, None]},
        {"T": "float32"},
        {"A": ["object", [1], 0, False]},
        {"A": ["float64", [2], 0, False]},
        {"i": "0x" + "f" * 5000},
        {"i": "__import__('os')"},
        {"n": "1"},
        {"c": [1.0]},
        {"d": [[1]]},
        {"d": [[{"l": []}, 1]]},
        {"s": [{"l": []}]},
        {"l": 5},
        {"p": "gASV"},
        {"ls": []},
        {"": []},
        {},
        [],
        2**64,
    ],
)
def test_false_values_are_refused(value):
    with pytest.raises(ProtocolError):
        Decoder(b"\xff" * 8, refuse).decode(value)


def test_depth_and_number_of_parts_are_bounded():
    deep = 1
    for _ in range(50):
        deep = {"l": [deep]}
    for value in (deep, {"l": [0] * 300_000}):
        with pytest.raises(ProtocolError):
            Decoder(b"", refuse).decode(value)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (struct.pack(">II", 2**32 - 1, 0), ProtocolError),
        (struct.pack(">II", 2, 2**32 - 1) + b"{}", ProtocolError),
        (struct.pack(">II", 2, 0) + b"[]", ProtocolError),
        (struct.pack(">II", 3, 0) + b"NaN", ProtocolError),
        (struct.pack(">II", 4, 0) + b"\xff\xff{}", ProtocolError),
        (struct.pack(">II", 100_000, 0) + b"[" * 100_000, ProtocolError),
        (struct.pack(">II", 100, 0) + b"{", Late),
        (b"", Late),
    ],
)
def test_false_frames_are_refused(sent, error):
    near, far = socket.socketpair()
    far.sendall(sent)
    with pytest.raises(error):
        Channel(near).receive(0.3)
    far.close()
    with pytest.raises((Closed, ProtocolError)):
        Channel(near).receive(0.3)
    near.close()


def test_frames_arrive_whole_and_too_long_ones_are_not_sent():
    near, far = socket.socketpair()
    Channel(near).send({"is": "x"}, b"bytes")
    assert Channel(far).receive(1.0) == ({"is": "x"}, b"bytes")
    with pytest.raises(ProtocolError):
        Channel(near).send({"is": "x" * MAX_JSON})
    near.close()
    far.close()
