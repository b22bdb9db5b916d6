"""Checks: what is refused, what passes, and that values are read only where that is free."""

import pytest
import torch

from attnoise.checks import check_indices, check_shape, check_tokens, values_may_be_read
from attnoise.errors import DataError, ShapeError


def test_shape_names_every_axis_and_lets_open_ones_pass():
    x = torch.ones(2, 3, 5)
    check_shape("x", x, batch=2, positions=None, width=5)
    wanted = r"x must have shape \(batch = 2, positions, width = 7\), but its shape is \(2, 3, 5\)"
    with pytest.raises(ShapeError, match=wanted):
        check_shape("x", x, batch=2, positions=None, width=7)
    with pytest.raises(ShapeError, match=r"\(batch, width\), but its shape is \(2, 3, 5\)"):
        check_shape("x", x, batch=None, width=None)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_indices_out_of_range_are_named_with_the_fix(wrong):
    check_indices("rows", torch.tensor([0, 4]), 5)
    with pytest.raises(DataError, match=rf"rows must lie between 0 and 4.*{wrong}.*; count anew\."):
        check_indices("rows", torch.tensor([2, wrong]), 5, fix="count anew")
    with pytest.raises(DataError, match="tokens must lie.*; encode the text with the tokenizer"):
        check_tokens("tokens", torch.tensor([2, wrong]), 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_indices_are_whole_numbers(dtype):
    with pytest.raises(ShapeError, match="rows must be whole numbers, but their dtype is torch"):
        check_indices("rows", torch.ones(3, dtype=dtype), 5)


def test_an_empty_tensor_and_one_elsewhere_are_not_read():
    check_indices("rows", torch.empty(0, dtype=torch.long), 5)
    elsewhere = torch.full((3,), 9, device="meta")
    assert not values_may_be_read(elsewhere)
    check_indices("rows", elsewhere, 5)
