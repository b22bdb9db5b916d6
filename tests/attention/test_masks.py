"""Masks: every entry against the definition, and clear errors."""

import pytest
import torch

from attnoise.attention import causal_mask, padding_mask, sliding_window_mask
from attnoise.errors import ConfigError, ShapeError


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (3, 7), (1, 11)])
def test_causal_mask_lines_the_last_query_up_with_the_last_key(n, m):
    mask = causal_mask(n, m)
    assert mask.dtype == torch.bool
    for i in range(n):
        for j in range(m):
            assert mask[i, j] == (j <= i + m - n)


@pytest.mark.parametrize(("n", "window"), [(1, 1), (7, 3), (5, 11)])
def test_sliding_window_sees_itself_and_the_window_before(n, window):
    mask = sliding_window_mask(n, window)
    for i in range(n):
        for j in range(n):
            assert mask[i, j] == (0 <= i - j < window)


def test_padding_mask_hides_what_lies_past_the_length():
    mask = padding_mask(torch.tensor([0, 2, 5]), 5)
    assert mask.shape == (3, 1, 1, 5)
    assert mask[:, 0, 0].sum(-1).tolist() == [0, 2, 5]
    assert mask[1, 0, 0].tolist() == [True, True, False, False, False]
    assert padding_mask(torch.tensor([], dtype=torch.long), 5).shape == (0, 1, 1, 5)


def test_masks_combine_with_and():
    both = padding_mask(torch.tensor([2, 3]), 3) & causal_mask(3)
    assert both.shape == (2, 1, 3, 3)
    assert both[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 0]]


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda: causal_mask(5, 3), "n = 5 and m = 3", ConfigError),
        (lambda: causal_mask(0), "n = 0", ConfigError),
        (lambda: sliding_window_mask(5, 0), "window must be at least 1, but it is 0", ConfigError),
        (lambda: padding_mask(torch.tensor([7]), 5), "between 0 and m = 5, .* to 7", ConfigError),
        (lambda: padding_mask(torch.tensor([1.0]), 5), "dtype torch.float32", ShapeError),
        (lambda: padding_mask(torch.tensor([[1]]), 5), r"shape \(1, 1\)", ShapeError),
    ],
)
def test_bad_input_is_named(call, message, error):
    with pytest.raises(error, match=message):
        call()
