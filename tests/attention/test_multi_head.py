"""Multi-head attention: against torch.nn.MultiheadAttention, grouped heads, recorded weights."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.twins import torch_twin
from torch import nn
from torch.testing import assert_close

from attnoise.attention import (
    Alibi,
    MultiHeadAttention,
    Rotary,
    causal_mask,
    padding_mask,
    record_weights,
)
from attnoise.errors import ConfigError, ShapeError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_self_attention_equals_torch_with_both_masks():
    ours, x = MultiHeadAttention(35, heads=5), draw(3, 7, 35)
    theirs = torch_twin(ours)
    lengths = torch.tensor([7, 4, 1])
    mask = causal_mask(7) & padding_mask(lengths, 7)
    padded = torch.arange(7) >= lengths[:, None]
    expected, weights = theirs(
        x, x, x, attn_mask=~causal_mask(7), key_padding_mask=padded, average_attn_weights=False
    )
    assert_close(ours(x, mask=mask), expected)
    with record_weights(ours) as recorded:
        assert_close(ours(x, mask=mask), expected)
    assert_close(recorded["attention"], weights.detach())


def test_cross_attention_equals_torch():
    ours, x, context = MultiHeadAttention(35, 5, context_width=13), draw(3, 7, 35), draw(3, 11, 13)
    expected = torch_twin(ours)(x, context, context, need_weights=False)[0]
    assert_close(ours(x, context), expected)


def test_grouped_heads_equal_full_heads_with_repeated_weights():
    grouped, full = MultiHeadAttention(42, 6, kv_heads=2), MultiHeadAttention(42, 6)
    with torch.no_grad():
        for name in ("to_query", "to_output"):
            getattr(full, name).load_state_dict(getattr(grouped, name).state_dict())
        for name in ("to_key", "to_value"):
            for kind in ("weight", "bias"):
                few = getattr(getattr(grouped, name), kind)
                heads = few.reshape(2, 1, 7, *few.shape[1:])
                many = heads.expand(2, 3, 7, *few.shape[1:]).reshape(42, *few.shape[1:])
                getattr(getattr(full, name), kind).copy_(many)
    x = draw(3, 5, 42)
    assert_close(grouped(x, mask=causal_mask(5)), full(x, mask=causal_mask(5)))
    assert sum(p.numel() for p in grouped.parameters()) < sum(p.numel() for p in full.parameters())


def test_heads_are_where_the_width_is_split():
    layer, x = MultiHeadAttention(12, heads=3), draw(2, 5, 12)
    with torch.no_grad():  # silence the second head: only its slice of the output may change
        layer.to_output.weight.copy_(torch.eye(12))
        before = layer(x)
        layer.to_value.weight[4:8], layer.to_value.bias[4:8] = 0.0, 0.0
        changed = (layer(x) - before).abs().amax((0, 1)) > 0
    assert changed.tolist() == [False] * 4 + [True] * 4 + [False] * 4


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_permuting_tokens_permutes_the_output(seed):
    layer, x = MultiHeadAttention(15, heads=3), draw(2, 7, 15, seed=seed)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(seed))
    assert_close(layer(x)[:, order], layer(x[:, order]), atol=1e-5, rtol=1e-4)


def test_future_tokens_never_change_the_past():
    layer, x = MultiHeadAttention(15, heads=3), draw(2, 7, 15)
    before = layer(x, mask=causal_mask(7))
    x[:, 4:] += 10
    after = layer(x, mask=causal_mask(7))
    assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_record_weights_names_layers_and_puts_the_fused_kernel_back():
    model = nn.Sequential(MultiHeadAttention(12, 3), MultiHeadAttention(12, 2))
    before = [layer.attend for layer in model]
    with record_weights(model) as weights:
        model(draw(2, 5, 12))
    assert {name: tuple(w.shape) for name, w in weights.items()} == {
        "0": (2, 3, 5, 5),
        "1": (2, 2, 5, 5),
    }
    assert [layer.attend for layer in model] == before
    with pytest.raises(RuntimeError, match="stop"), record_weights(model):
        raise RuntimeError("stop")
    assert [layer.attend for layer in model] == before
    with pytest.raises(ConfigError, match="Linear has none"), record_weights(nn.Linear(2, 2)):
        pass


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda: MultiHeadAttention(10, 3), "d = 10 and heads = 3", ConfigError),
        (lambda: MultiHeadAttention(12, 6, kv_heads=4), "kv_heads = 4", ConfigError),
        (lambda: MultiHeadAttention(12, 3)(draw(2, 5, 7)), "x must have .* width = 12", ShapeError),
        (
            lambda: MultiHeadAttention(12, 3, context_width=7)(draw(2, 5, 12)),
            "context must have shape .* 7",
            ShapeError,
        ),
        (
            lambda: MultiHeadAttention(12, 3)(draw(2, 5, 12), draw(3, 5, 12)),
            "context must have shape .batch = 2",
            ShapeError,
        ),
    ],
)
def test_bad_input_is_named(call, message, error):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["d", "heads", "kv_heads", "context_width"])
def test_sizes_are_at_least_one(name):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1"):
        MultiHeadAttention(**{"d": 12, "heads": 3, name: 0})


@pytest.mark.bad_input
def test_a_mask_of_numbers_is_named_before_the_window_is_cut():
    with pytest.raises(ShapeError, match="mask must be boolean"):
        MultiHeadAttention(12, 3)(draw(2, 5, 12), mask=torch.ones(5, 5), window=3)


def by_hand(layer, x, allowed, distance, positions):
    """Attention of every head, written out; allowed: "n n", distance: "n n"."""
    outputs = []
    k = layer.d // layer.heads
    for h in range(layer.heads):
        g = h * layer.kv_heads // layer.heads
        query = layer.to_query(x)[..., h * k : (h + 1) * k]
        key = layer.to_key(x)[..., g * k : (g + 1) * k]
        value = layer.to_value(x)[..., g * k : (g + 1) * k]
        if isinstance(layer.query_norm, nn.RMSNorm):
            query = query / query.square().mean(-1, keepdim=True).sqrt() * layer.query_norm.weight
            key = key / key.square().mean(-1, keepdim=True).sqrt() * layer.key_norm.weight
        if isinstance(positions, Rotary):
            query = positions(query[:, None])[:, 0]
            key = positions(key[:, None])[:, 0]
        scores = query @ key.mT / k**0.5
        if isinstance(positions, Alibi):
            scores = scores - positions.slopes[h] * distance
        outputs.append(scores.masked_fill(~allowed, -math.inf).softmax(-1) @ value)
    return layer.to_output(torch.cat(outputs, dim=-1))


@pytest.mark.parametrize("positions", [None, Rotary(4), Alibi(6)], ids=["none", "rotary", "alibi"])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_every_option_does_what_it_says(positions, window, masked):
    layer, x = (
        MultiHeadAttention(24, 6, kv_heads=2, positions=positions, qk_norm=True),
        3 * draw(2, 7, 24),
    )
    with torch.no_grad():
        layer.query_norm.weight.copy_(1 + draw(4).abs())
        layer.key_norm.weight.copy_(1 + draw(4, seed=1).abs())
    steps = torch.arange(7)
    distance = (steps[:, None] - steps).abs()
    mask = torch.tensor([1, 1, 0, 1, 1, 1, 1]).bool() if masked else None
    allowed = (steps[:, None] >= steps) & (distance < (window or 7))
    allowed = allowed if mask is None else allowed & mask
    expected = by_hand(layer, x, allowed, distance, positions)
    rows = allowed.any(-1)  # the others may attend nowhere
    found = layer(x, mask=mask, causal=True, window=window)
    assert_close(found[:, rows], expected[:, rows], atol=1e-5, rtol=1e-4)
    with record_weights(layer) as recorded:
        assert_close(layer(x, mask=mask, causal=True, window=window), found)
    assert torch.equal(recorded["attention"][0, 0] > 0, allowed)


@pytest.mark.parametrize("bias", [False, True])
def test_all_four_projections_have_a_bias_or_none(bias):
    layer = MultiHeadAttention(12, heads=3, bias=bias)
    projections = (layer.to_query, layer.to_key, layer.to_value, layer.to_output)
    assert [p.bias is not None for p in projections] == [bias] * 4
