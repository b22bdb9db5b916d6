"""Denoising networks: the one for points, the time's embedding, the checks that all share."""

import math

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import PointDenoiser, time_features
from attnoise.diffusion.networks import check_classes, check_denoiser_input
from attnoise.errors import ConfigError, DataError, ShapeError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_point_denoiser_sees_time_and_place():
    torch.manual_seed(0)
    model, x = PointDenoiser(d=16, depth=2), draw(5, 2)
    before = model(x, torch.full((5,), 0.3))
    assert before.shape == (5, 2)
    assert not torch.allclose(model(x, torch.full((5,), 0.4)), before)
    assert not torch.allclose(model(x + 1, torch.full((5,), 0.3)), before)


def test_time_features_tell_neighbouring_steps_apart():
    features = time_features(torch.arange(1001) / 1000, 64)
    assert_close(features[0], torch.cat([torch.ones(32), torch.zeros(32)]))
    assert_close(features[250, 32], torch.tensor(250.0).sin(), atol=1e-3, rtol=0)
    assert (features[1:] - features[:-1]).norm(dim=-1).min() > 0.5


def test_time_features_of_half_precision_are_those_of_float32():
    time = torch.tensor([0.875, 0.25])  # exact in bfloat16
    assert_close(time_features(time.bfloat16(), 64), time_features(time, 64), atol=0, rtol=0)
    assert time_features(time.half(), 64).dtype == torch.float32


def test_time_features_are_the_papers():
    time = torch.tensor([0.0, 0.003, 0.5, 1.0], dtype=torch.float64)
    angles = 1000 * time[:, None] * 10_000 ** (-torch.arange(3) / 3)
    expected = torch.cat([angles.cos(), angles.sin()], dim=1)
    assert_close(time_features(time, 6), expected, atol=1e-4, rtol=0)
    assert time_features(time, 2).shape == (4, 2)


@pytest.mark.parametrize("axes", [2, 3])
def test_point_denoiser_by_hand(axes):
    torch.manual_seed(0)
    model, x_t, time = PointDenoiser(axes, d=16, depth=2), draw(5, axes), torch.rand(5)
    condition = model.time(time_features(time, 16))
    x = model.read(x_t)
    for norm, widen, activation, narrow in model.layers:
        x = x + narrow(activation(widen(norm(x + condition))))
    norm, write = model.write
    assert_close(model(x_t, time), write(norm(x)))
    assert model.layers[0][2](torch.ones(1)) == torch.sigmoid(torch.ones(1))  # SiLU
    assert model(x_t[:0], time[:0]).shape == (0, axes)


def test_defaults_are_for_the_plane():
    model = PointDenoiser()
    assert model.read.weight.shape == (128, 2) and len(model.layers) == 3


class Shape:
    image_size, channels, classes, null_class = 8, 1, 10, False


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda: PointDenoiser(d=0), "^d must be a whole number", ConfigError),
        (lambda: time_features(torch.rand(2), 0), "at least 2, but it is 0", ConfigError),
        (lambda: PointDenoiser(d=8)(draw(2), torch.rand(2)), r"its shape is \(2,\)", ShapeError),
        (lambda: check(draw(1, 8, 8)), r"its shape is \(1, 8, 8\)", ShapeError),
        (lambda: check(time=torch.tensor([0.1, -0.1])), r"it ranges from -0.1 to 0.1", ConfigError),
        (lambda: check(label=torch.tensor([0, 11]), null_class=True), "between 0 and 10, but", DataError),
        (lambda: check(label=torch.arange(2), classes=0), "0 classes, but a label was given", ShapeError),
        (lambda: check_classes(-1, False), "they are False and -1", ConfigError),
        (lambda: PointDenoiser(d=15), "d must be even", ConfigError),
        (lambda: PointDenoiser(depth=0), "depth must be a whole number of at least 1", ConfigError),
        (lambda: PointDenoiser(0), "axes must be a whole number of at least 1", ConfigError),
        (lambda: PointDenoiser(d=8)(draw(2, 3), torch.rand(2)), r"\(batch, 2\), but its shape is \(2, 3\)", ShapeError),
        (lambda: PointDenoiser(d=8)(draw(2, 2), torch.rand(1)), r"time must have shape \(2,\)", ShapeError),
        (lambda: PointDenoiser(d=8)(draw(2, 2), torch.tensor([0.5, 500.0])), r"in \[0, 1\], but it ranges from 0.5 to 500; networks take t / T", ConfigError),
        (lambda: time_features(torch.rand(2), 7), "width must be even and at least 2, but it is 7", ConfigError),
        (lambda: check(draw(2, 1, 9, 8)), r"\(batch, 1, 8, 8\), but its shape is \(2, 1, 9, 8\)", ShapeError),
        (lambda: check(draw(2, 8, 8, 1)), "channels first", ShapeError),
        (lambda: check(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)), "dtype is torch.uint8; .* / 127.5 - 1", ShapeError),
        (lambda: check(time=torch.tensor([0.1, 1.5])), r"time must lie in \[0, 1\]", ConfigError),
        (lambda: check(time=torch.tensor([0.1, math.nan])), r"time must lie in \[0, 1\]", ConfigError),
        (lambda: check(time=torch.tensor([0, 1])), "dtype torch.int64", ShapeError),
        (lambda: check(time=torch.tensor(0.5)), r"time must have shape \(2,\).* has shape \(\)", ShapeError),
        (lambda: check(label=None), "10 classes, but no label", ShapeError),
        (lambda: check(label=torch.tensor([2])), r"label must have shape \(2,\).* shape \(1,\)", ShapeError),
        (lambda: check(label=torch.rand(2)), "dtype torch.float32", ShapeError),
        (lambda: check(label=torch.tensor([0, 10])), "between 0 and 9, but it ranges from 0 to 10", DataError),
        (lambda: check(label=torch.tensor([-1, 3])), "between 0 and 9, but it ranges from -1", DataError),
        (lambda: check_classes(0, True), "null_class must be False", ConfigError),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message, error):
    with pytest.raises(error, match=message):
        call()


def check(x_t=None, time=None, label=0, **config):
    """Check the input of a network for 8 x 8 images in 10 classes; what is not given is right."""
    x_t = draw(2, 1, 8, 8) if x_t is None else x_t
    time = torch.rand(2) if time is None else time
    label = torch.arange(2) if isinstance(label, int) else label
    shape = Shape()
    vars(shape).update(config)
    check_denoiser_input(shape, x_t, time, label)


def test_good_input_passes():
    check()
    check(time=torch.tensor([0.0, 1.0]), label=torch.tensor([0, 9]))
    check(label=torch.tensor([0, 10]), null_class=True)
    check(label=None, classes=0)
    check(draw(0, 1, 8, 8), torch.rand(0), torch.arange(0))
    check_classes(0, False)
    check_classes(1, True)
