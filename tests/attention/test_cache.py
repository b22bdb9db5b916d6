"""The cache: step by step equals all at once, with grouped heads, a window, padding, rotary."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.attention import Alibi, KeyValueCache, MultiHeadAttention, Rotary
from attnoise.errors import ConfigError, DataError, ShapeError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("positions", [None, Rotary(4), Alibi(6)])
@pytest.mark.parametrize("window", [None, 5])
@given(cuts=st.lists(st.integers(1, 23), max_size=6, unique=True))
def test_any_pieces_equal_the_whole(positions, window, cuts):
    layer = MultiHeadAttention(24, 6, kv_heads=2, positions=positions, qk_norm=True)
    x = draw(3, 24, 24)
    whole = layer(x, causal=True, window=window)
    cache = KeyValueCache(3, 2, 28, 4, window=window)
    edges = [0, *sorted(cuts), 24]
    pieces = [
        layer(x[:, a:b], causal=True, window=window, cache=cache)
        for a, b in zip(edges, edges[1:], strict=False)
    ]
    assert_close(torch.cat(pieces, dim=1), whole, atol=1e-5, rtol=1e-4)
    assert cache.length == 24


def test_a_window_forgets_and_never_runs_full():
    cache = KeyValueCache(1, 1, 8, 3, window=4)
    keys = draw(1, 1, 100, 3)
    for i in range(100):
        held, _ = cache.extend(keys[:, :, i : i + 1], keys[:, :, i : i + 1])
        near = min(4, i + 1)
        assert_close(held[:, :, -near:], keys[:, :, i + 1 - near : i + 1])
        assert held.shape[2] <= 8
    assert cache.length == 100


def test_memory_is_set_aside_once():
    cache = KeyValueCache(2, 3, 11, 5)
    before = cache.keys.data_ptr()
    for _ in range(11):
        held, _ = cache.extend(draw(2, 3, 1, 5), draw(2, 3, 1, 5))
    assert cache.keys.data_ptr() == before == held.data_ptr()


def test_select_reorders_the_batch():
    cache = KeyValueCache(3, 1, 4, 2)
    keys = draw(3, 1, 2, 2)
    cache.extend(keys, keys)
    cache.select(torch.tensor([2, 0, 0]))
    held, _ = cache.extend(keys[:, :, :1], keys[:, :, :1])
    assert_close(held[:, :, :2], keys[[2, 0, 0]])


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["batch", "kv_heads", "k", "window"])
def test_sizes_are_at_least_one(name):
    sizes = {"batch": 2, "kv_heads": 1, "max_length": 3, "k": 2, name: 0}
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1"):
        KeyValueCache(**sizes)


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="max_length must be at least 8, but it is 7"):
        KeyValueCache(1, 1, 7, 2, window=4)
    cache = KeyValueCache(2, 1, 3, 2)
    with pytest.raises(ShapeError, match=r"key and value must have shape \(2, 1, 1, 2\)"):
        cache.extend(draw(3, 1, 1, 2), draw(3, 1, 1, 2))
    for shapes in (((2, 1, 1, 2), (2, 1, 1, 3)), ((2, 2, 1, 2), (2, 1, 1, 2))):
        with pytest.raises(ShapeError, match="key and value must have shape"):
            cache.extend(*(draw(*shape) for shape in shapes))
    with pytest.raises(DataError, match="^rows must lie between 0 and 1, but they range from 0"):
        cache.select(torch.tensor([0, 2]))
    cache.extend(draw(2, 1, 2, 2), draw(2, 1, 2, 2))
    with pytest.raises(
        ShapeError, match="key and value bring 2 tokens, but the cache holds 2 of at most 3"
    ):
        cache.extend(draw(2, 1, 2, 2), draw(2, 1, 2, 2))
    assert cache.kept == 2


def test_it_is_of_the_kind_of_its_model():
    half = torch.empty(0, dtype=torch.float16)
    cache = KeyValueCache(1, 1, 2, 3, like=half)
    assert cache.keys.dtype == cache.values.dtype == torch.float16
    assert KeyValueCache(1, 1, 2, 3).keys.dtype == torch.float32


@pytest.mark.parametrize("window", [None, 5])
def test_a_mask_counts_all_tokens_seen(window):
    layer = MultiHeadAttention(24, 6)
    x, mask = draw(2, 12, 24), torch.ones(2, 1, 1, 12, dtype=torch.bool)
    mask[1, ..., 9:11] = False
    whole = layer(x, mask=mask, causal=True, window=window)
    cache = KeyValueCache(2, 6, 12 if window is None else 10, 4, window=window)  # must forget
    pieces = [
        layer(x[:, i : i + 1], mask=mask[..., : i + 1], causal=True, window=window, cache=cache)
        for i in range(12)
    ]
    assert_close(torch.cat(pieces, dim=1), whole, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(whole, layer(x, causal=True, window=window), atol=1e-3)


def test_memory_is_used_to_the_end():
    assert KeyValueCache(1, 1, 1, 3).max_length == 1
    cache = KeyValueCache(1, 1, 8, 3, window=4)
    keys = draw(1, 1, 13, 3)
    cache.extend(keys[:, :, :5], keys[:, :, :5])
    assert_close(cache.extend(keys[:, :, 5:8], keys[:, :, 5:8])[0], keys[:, :, :8])
    held, _ = cache.extend(keys[:, :, 8:], keys[:, :, 8:])  # forgets all but three
    assert_close(held, keys[:, :, 5:])
