"""Coefficients, times and noise that fit a sample, and what may be trained on."""

import math

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import append_dims, check_samples, noise_like
from attnoise.diffusion.numerics import batch_of, float_dtype, network_time, widen
from attnoise.errors import DataError, ShapeError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_append_dims_fits_the_sample():
    x = torch.zeros(2, 3, 4, 5, dtype=torch.float16)
    fitted = append_dims(torch.tensor([0.5, 2.0], dtype=torch.float64), x)
    assert fitted.shape == (2, 1, 1, 1) and fitted.dtype == torch.float16


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_noise_of_half_precision_is_that_of_float32_rounded(dtype):
    x = torch.zeros(50, 3)
    ours, wanted = noise_like(x.to(dtype), seeded()), noise_like(x, seeded())
    assert ours.dtype == dtype
    assert torch.equal(ours, wanted.to(dtype))


def test_half_precision_is_widened_and_the_rest_left():
    for given, wide in (("bfloat16", "float32"), ("float16", "float32"), ("float64", "float64")):
        x = torch.tensor([0.5, 3.0], dtype=getattr(torch, given))
        assert widen(x).dtype == getattr(torch, wide) and widen(x).tolist() == [0.5, 3.0]


def test_float64_is_used_where_a_device_is_known_to_have_it():
    kinds = [float_dtype(torch.device(name)) for name in ("cpu", "cuda", "mps")]
    assert kinds == [torch.float64, torch.float64, torch.float32]


def test_times_are_whole_if_the_number_is():
    x = torch.zeros(3, 2)
    assert batch_of(7, x).dtype == torch.int64
    assert batch_of(7.5, x).tolist() == [7.5] * 3 and batch_of(7.5, x).dtype == torch.float64


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_networks_are_given_times_in_float32_at_least(dtype, wanted):
    time = network_time(torch.tensor([857]), 1000, torch.zeros(1, 2, dtype=dtype))
    assert time.dtype == wanted
    assert_close(time.item(), 0.857, atol=1e-7, rtol=0)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("x", "message", "error"),
    [
        (torch.zeros(2, 8, 8, 1, dtype=torch.uint8), r"dtype is torch.uint8; .* x0.float\(\) / 127.5 - 1", ShapeError),
        (torch.tensor([[1, 2]]), "x0 must be floating-point.* torch.int64", ShapeError),
        (torch.tensor([0.0, math.nan]), "x0 must be finite", DataError),
        (torch.tensor([0.0, -math.inf]), "x0 must be finite", DataError),
        (torch.tensor([0.0, math.inf]), "x0 must be finite", DataError),
        (torch.tensor([0.0, 20.5]), "ranges from 0 to 20.5", DataError),
        (torch.tensor([0.0, 255.0]), "ranges from 0 to 255; .* x0 / 127.5 - 1", DataError),
        (torch.tensor([0.0, -255.0]), "ranges from -255 to 0", DataError),
        (torch.zeros(0, 2), "at least one sample", DataError),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_named(x, message, error):
    with pytest.raises(error, match=message):
        check_samples("x0", x)


def test_latents_and_points_may_be_larger_than_images():
    check_samples("x0", torch.tensor([[-20.0, 20.0]]))


@pytest.mark.bad_input
def test_bad_coefficients_and_samples_are_named():
    with pytest.raises(ShapeError, match="coefficient must hold one number per sample"):
        append_dims(torch.ones(3), torch.zeros(2, 2))
    with pytest.raises(ShapeError, match="x must be floating-point"):
        noise_like(torch.zeros(2, dtype=torch.long))
