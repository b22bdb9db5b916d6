"""Attention: by hand, against torch's kernel, and the properties that the book states."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.attention import attention, causal_mask, fused_attention
from attnoise.errors import ShapeError


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
