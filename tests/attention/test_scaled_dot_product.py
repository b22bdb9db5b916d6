"""Attention: by hand, against torch's kernel, and the properties that the book states."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.attention import attention, causal_mask, fused_attention
from attnoise.errors import ConfigError, ShapeError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_three_keys_by_hand():
    query = torch.tensor([[1.0, 0.0]])
    key = torch.tensor([[math.sqrt(2) * math.log(2), 5.0], [0.0, -7.0], [0.0, 0.0]])
    value = torch.tensor([[4.0], [8.0], [0.0]])
    output, weights = attention(query, key, value, return_weights=True)
    assert_close(weights, torch.tensor([[0.5, 0.25, 0.25]]))  # exp of scores: 2, 1, 1
    assert_close(output, torch.tensor([[4.0]]))


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("masked", [False, True])
def test_plain_equals_fused_and_so_do_gradients(scale, masked):
    shapes = ((2, 3, 5, 7), (2, 3, 11, 7), (2, 3, 11, 13))
    mask = draw(2, 1, 5, 11, seed=9) > 0 if masked else None
    if masked:
        mask[0, 0, 2] = False  # a query that may attend nowhere
    results = []
    for function in (attention, fused_attention):
        inputs = [draw(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
        output = function(*inputs, mask, scale=scale)
        output.square().sum().backward()
        results.append((output, *(x.grad for x in inputs)))
    for plain, fused in zip(*results, strict=True):
        assert torch.isfinite(plain).all()
        assert_close(plain, fused, atol=1e-5, rtol=1e-4)


def test_scale_is_one_over_root_of_head_width():
    query, key, value = draw(5, 7), draw(11, 7, seed=1), draw(11, 13, seed=2)
    by_hand = torch.softmax(query @ key.T / 7**0.5, dim=-1) @ value
    assert_close(attention(query, key, value), by_hand)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 7), m=st.integers(1, 11), k=st.integers(1, 5), seed=st.integers(0, 999))
def test_weights_sum_to_one_and_output_stays_among_the_values(n, m, k, seed):
    value = draw(m, 3, seed=seed + 2)
    output, weights = attention(
        draw(n, k, seed=seed), draw(m, k, seed=seed + 1), value, return_weights=True
    )
    assert_close(weights.sum(-1), torch.ones(n))
    assert (weights >= 0).all()
    assert (output <= value.amax(0) + 1e-5).all()
    assert (output >= value.amin(0) - 1e-5).all()


def test_keys_may_be_shuffled_with_their_values():
    query, key, value = draw(5, 7), draw(11, 7, seed=1), draw(11, 13, seed=2)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(3))
    assert_close(attention(query, key[order], value[order]), attention(query, key, value))


def test_masked_keys_have_no_influence():
    query, key, value = draw(5, 7), draw(5, 7, seed=1), draw(5, 13, seed=2)
    output, weights = attention(query, key, value, causal_mask(5), return_weights=True)
    assert (weights.triu(1) == 0).all()
    assert_close(weights.sum(-1), torch.ones(5))
    key[3:], value[3:] = 100.0, -100.0
    assert_close(attention(query, key, value, causal_mask(5))[:3], output[:3])


def test_query_that_may_attend_nowhere_gets_zero_without_nan():
    query = draw(2, 7).requires_grad_()
    mask = torch.tensor([[True, False, True], [False, False, False]])
    for function in (attention, fused_attention):
        query.grad = None
        output = function(query, draw(3, 7, seed=1), draw(3, 5, seed=2), mask)
        assert (output[1] == 0).all()
        assert (output[0] != 0).all()
        output.sum().backward()
        assert torch.isfinite(query.grad).all()


class Attends(torch.nn.Module):
    def forward(self, query, key, value, mask):
        return fused_attention(query, key, value, mask, bias=torch.zeros(2, 3))


@pytest.mark.bad_input  # the exporter does not follow the run-time shape checks
@pytest.mark.filterwarnings("ignore")  # of the exporter's own
def test_an_exported_query_that_may_attend_nowhere_gets_zero(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    names = ("query", "key", "value", "mask")
    shapes = ((1, 1, 2, 7), (1, 1, 3, 7), (1, 1, 3, 5))  # the exporter wants four axes
    tensors = [draw(*shape, seed=i) for i, shape in enumerate(shapes)]
    tensors.append(torch.tensor([[True, False, True], [False, False, False]]))
    file = str(tmp_path / "attention.onnx")
    torch.onnx.export(
        Attends(), tuple(tensors), file, input_names=names, dynamo=True, verbose=False
    )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    feed = {name: x.numpy() for name, x in zip(names, tensors, strict=True)}
    (found,) = session.run(None, feed)
    assert (found[0, 0, 1] == 0).all()
    assert_close(torch.from_numpy(found), Attends()(*tensors))


BAD = {
    "query and key must have the same width, but query is 7 wide and key is 3": ((5, 7), (11, 3), (11, 2), None),
    "key and value must have the same number of positions, but key has 11": ((5, 7), (11, 7), (2, 7), None),
    "query must have at least two axes": ((7,), (11, 7), (11, 2), None),
    "mask must be boolean .* dtype is torch.float32": ((5, 7), (11, 7), (11, 2), torch.ones(5, 11)),
    r"mask must broadcast to .* = \(5, 11\), but its shape is \(11, 5\)": ((5, 7), (11, 7), (11, 2), torch.ones(11, 5).bool()),
    r"mask must broadcast .* \(3, 5, 11\)": ((5, 7), (11, 7), (11, 2), torch.ones(3, 5, 11).bool()),
}  # fmt: skip


@pytest.mark.bad_input
@pytest.mark.parametrize("message", BAD)
@pytest.mark.parametrize("function", [attention, fused_attention])
def test_bad_input_is_named(function, message):
    *shapes, mask = BAD[message]
    with pytest.raises(ShapeError, match=message):
        function(*(draw(*shape) for shape in shapes), mask)


FUNCTIONS = [attention, fused_attention]


@pytest.mark.bad_input
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bias_that_does_not_fit_and_a_scale_without_end_are_named(function):
    tensors = [draw(2, 5, 4) for _ in range(3)]
    with pytest.raises(ShapeError, match=r"^bias must broadcast .* = \(2, 5, 5\), .* \(5, 4\)"):
        function(*tensors, bias=draw(5, 4))
    for scale in (math.nan, math.inf):
        with pytest.raises(ConfigError, match=f"^scale must be finite, but it is {scale}"):
            function(*tensors, scale=scale)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("n", "k", "m"), [(3, 5, 5), (5, 5, 7), (5, 3, 5), (1, 5, 4)])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_causal_counts_from_the_last_query_and_joins_the_mask(function, n, k, m, scale):
    query, key, value = draw(2, n, k), draw(2, m, k), draw(2, m, 4)
    later = torch.arange(m) > torch.arange(m - n, m)[:, None]
    mask = torch.ones(2, 1, m, dtype=torch.bool)
    mask[1, :, 1] = False
    for added in (None, mask):
        allowed = ~later if added is None else ~later & added
        scores = query @ key.mT * (k**-0.5 if scale is None else scale)
        expected = scores.masked_fill(~allowed, -math.inf).softmax(-1) @ value
        assert_close(function(query, key, value, added, causal=True, scale=scale), expected)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bias_may_be_more_precise_than_the_queries(function):
    query, bias = draw(2, 5, 4), draw(5, 5)
    half = query.bfloat16()
    expected = function(query, query, query, bias=bias)
    found = function(half, half, half, bias=bias)
    assert found.dtype == torch.bfloat16
    assert_close(found.float(), expected, atol=0.05, rtol=0)
    assert_close(function(query, query, query, bias=bias.double()).float(), expected)


def test_weights_are_as_precise_as_the_values():
    half = draw(2, 5, 4).bfloat16()
    assert [x.dtype for x in attention(half, half, half, return_weights=True)] == [half.dtype] * 2


@pytest.mark.bad_input
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("place", range(3))
def test_what_is_wrong_has_its_own_name(function, place):
    name, right = ("query", "key", "value")[place], [draw(2, 5, 4) for _ in range(3)]
    for wrong, message in ((draw(4), "two axes"), (right[0].long(), "floating-point")):
        inputs = [wrong if i == place else tensor for i, tensor in enumerate(right)]
        with pytest.raises(ShapeError, match=f"^{name} must .*{message}.*{name}"):
            function(*inputs)
    apart = [draw(3, 5, 4) if i == place else tensor for i, tensor in enumerate(right)]
    with pytest.raises(ShapeError, match="same batch axes"):
        function(*apart)
    for shape in ((3, 5, 5), (4, 5)):
        with pytest.raises(ShapeError, match=r"mask must broadcast .* = \(2, 5, 5\)"):
            function(*right, torch.ones(shape, dtype=torch.bool))
