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


class Shape:
    image_size, channels, classes, null_class = 8, 1, 10, False


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
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


def check(x_t=None, time=None, label=0):
    """Check the input of a network for 8 x 8 images in 10 classes; what is not given is right."""
    x_t = draw(2, 1, 8, 8) if x_t is None else x_t
    time = torch.rand(2) if time is None else time
    label = torch.arange(2) if isinstance(label, int) else label
    check_denoiser_input(Shape(), x_t, time, label)


def test_good_input_passes():
    check()
    check(time=torch.tensor([0.0, 1.0]), label=torch.tensor([0, 9]))
    check_classes(0, False)
    check_classes(1, True)
