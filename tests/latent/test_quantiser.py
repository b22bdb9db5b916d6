"""Finite scalar quantisation: the paper's equations, codes, straight-through gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.latent import FiniteScalarQuantiser


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (2, 3), (7,), (4, 4, 4)])
def test_codes_and_levels_are_one_to_one(levels):
    quantiser = FiniteScalarQuantiser(levels)
    codes = torch.arange(math.prod(levels)).reshape(1, 1, -1)
    values = quantiser.from_codes(codes)
    assert torch.equal(quantiser.to_codes(values), codes)
    for channel, count in enumerate(levels):
        assert len(values[0, channel].unique()) == count
    assert values.abs().max() <= 1


@given(st.integers(2, 17), st.floats(-4, 4))
def test_quantiser_follows_the_papers_equations(count, value):
    # Mentzer et al. 2023, appendix A.1, written out for one number: minus epsilon, and a tangent
    half = (count - 1) * (1 - 1e-3) / 2
    offset = 0.5 if count % 2 == 0 else 0.0
    bounded = math.tanh(value + math.tan(offset / half)) * half - offset
    slope = half * (1 - math.tanh(value + math.tan(offset / half)) ** 2)
    z = torch.full((1, 1, 1, 1), value, requires_grad=True)
    level = FiniteScalarQuantiser((count,))(z)
    level.backward()
    assert z.grad.item() * (count // 2) == pytest.approx(slope, rel=2e-4, abs=1e-6)
    got = level.item() * (count // 2)
    assert abs(got - round(got)) < 1e-5
    if abs(abs(bounded - math.floor(bounded)) - 0.5) > 1e-4:  # no tie between two levels
        assert round(got) == round(bounded)
    assert -(count // 2) <= round(got) <= (count - 1) // 2


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(0, 99))
def test_what_is_quantised_has_a_number_and_comes_back(levels, seed):
    quantiser = FiniteScalarQuantiser(levels)
    quantised = quantiser(3 * torch.randn(5, len(levels), 3, 2, generator=seeded(seed)))
    codes = quantiser.to_codes(quantised)
    assert codes.shape == (5, 3, 2)
    assert 0 <= codes.min() <= codes.max() < math.prod(levels)
    torch.testing.assert_close(quantiser.from_codes(codes), quantised)


@pytest.mark.parametrize("count", [2, 3, 999, 1000])
def test_the_ends_are_reached_and_zero_learns(count):
    quantiser = FiniteScalarQuantiser((count,))
    ends = quantiser(torch.tensor([-30.0, 30.0]).reshape(1, 1, 1, 2)) * (count // 2)
    assert ends.round().flatten().tolist() == [-(count // 2), (count - 1) // 2]
    zero = torch.zeros(1, 1, 1, 1, requires_grad=True)
    quantiser(zero).backward()
    assert zero.grad > 0.05


def test_every_level_is_reached_and_zero_stays_zero():
    for count in range(2, 10):
        quantiser = FiniteScalarQuantiser((count,))
        z = torch.linspace(-6, 6, 4001).reshape(1, 1, 1, -1)
        assert len(quantiser(z).unique().round(decimals=5).unique()) == count
        assert quantiser(torch.zeros(1, 1, 1, 1)).abs().item() < 1e-6


def test_rounding_passes_gradients_on():
    z = torch.linspace(-1, 1, 6).reshape(1, 2, 1, 3).requires_grad_()
    FiniteScalarQuantiser((5, 8))(z).sum().backward()
    assert (z.grad > 0.05).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_finds_the_same_codes(dtype):
    quantiser = FiniteScalarQuantiser((8, 5, 6))
    z = (4 * torch.randn(5, 3, 7, 2, generator=seeded())).to(dtype)
    quantised = quantiser(z)
    assert quantised.dtype == dtype
    assert torch.equal(quantiser.to_codes(quantised), quantiser.to_codes(quantiser(z.float())))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_as_the_default_is_no_coarser(dtype):
    z = (4 * torch.randn(50, 3, 7, 2, generator=seeded())).to(dtype)
    torch.set_default_dtype(dtype)
    try:
        quantiser = FiniteScalarQuantiser((8, 5, 6))
        assert torch.equal(quantiser(z), quantiser(z.float()).to(dtype))
    finally:
        torch.set_default_dtype(torch.float32)


def test_weights_hold_no_levels():
    assert not FiniteScalarQuantiser((8, 5, 6)).state_dict()


@pytest.mark.bad_input
@pytest.mark.parametrize("levels", [(), (1, 3), (3, 1001), (2.5, 3), (-3,), (0,)])
def test_levels_must_be_whole_and_in_range(levels):
    with pytest.raises(ConfigError, match="levels must hold whole numbers of at least 2"):
        FiniteScalarQuantiser(levels)


@pytest.mark.bad_input
def test_bad_input_is_named():
    quantiser = FiniteScalarQuantiser((3, 5))
    for code in (-1, 15):
        with pytest.raises(DataError, match="codes must lie between 0 and 14"):
            quantiser.from_codes(torch.full((1, 2, 2), code))
    assert quantiser.from_codes(torch.full((1, 2, 2), 14)).shape == (1, 2, 2, 2)
    with pytest.raises(ShapeError, match=r"z must have shape \(batch, 2, height, width\)"):
        quantiser(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ShapeError, match="quantised must have shape"):
        quantiser.to_codes(torch.zeros(1, 3, 2, 2))
