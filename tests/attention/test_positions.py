"""Positions: closed forms, dependence on distance alone, the two layouts, ALiBi's slopes."""

import math

import pytest
import torch
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.attention import (
    Alibi,
    LearnedPositions,
    MultiHeadAttention,
    Rotary,
    attention,
    causal_mask,
    fused_attention,
    pairs_to_half,
    position_angles,
    sinusoidal_positions,
)
from attnoise.errors import ConfigError, ShapeError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_sinusoidal_positions_are_the_papers():
    table = sinusoidal_positions(53, 6)
    for position, i in ((0, 0), (7, 1), (52, 2)):
        angle = position / 10_000 ** (2 * i / 6)
        assert_close(table[position, 2 * i].item(), math.sin(angle), atol=1e-6, rtol=0)
        assert_close(table[position, 2 * i + 1].item(), math.cos(angle), atol=1e-6, rtol=0)


def test_sinusoidal_positions_take_a_base():
    assert_close(
        sinusoidal_positions(5, 4, base=100.0)[3, 2:], torch.tensor([0.3, 0.3 + math.pi / 2]).sin()
    )


@given(n=st.integers(0, 500), m=st.integers(0, 500), shift=st.integers(1, 3000))
def test_rotary_scores_depend_on_the_distance_alone(n, m, shift):
    rotary = Rotary(6)
    query, key = draw(1, 1, 1, 6), draw(1, 1, 1, 6, seed=1)

    def score(a, b):
        return (rotary(query, a) * rotary(key, b)).sum()

    assert_close(score(n, m), score(n + shift, m + shift), atol=2e-3, rtol=0)


def test_rotary_scores_change_with_the_distance():
    rotary, x = Rotary(6), draw(1, 1, 1, 6)
    scores = torch.stack([(rotary(x, 0) * rotary(x, m)).sum() for m in range(7)])
    assert scores[0] > scores[1:].max() + 0.05


@pytest.mark.parametrize("layout", ["half", "pairs"])
def test_rotary_turns_each_pair_by_its_angle(layout):
    x, k = draw(2, 3, 5, 6), 6
    ours = Rotary(k, base=100.0, layout=layout)(x, start=11)
    halves = rearrange(x, "b h n (two j) -> b h n j two" if layout == "half" else
                       "b h n (j two) -> b h n j two", two=2)  # fmt: skip
    turned = torch.view_as_complex(halves.contiguous())
    place = torch.arange(11, 16)[:, None] * 100.0 ** (-torch.arange(0, k, 2) / k)
    expected = torch.view_as_real(turned * torch.polar(torch.ones_like(place), place))
    back = "b h n j two -> b h n (two j)" if layout == "half" else "b h n j two -> b h n (j two)"
    assert_close(ours, rearrange(expected, back), atol=1e-5, rtol=1e-5)


def test_rotation_keeps_lengths():
    x = draw(2, 3, 5, 8)
    assert_close(Rotary(8)(x, 40).norm(dim=-1), x.norm(dim=-1))


def test_layouts_convert_into_each_other():
    x = draw(2, 7, 12)
    pairs = MultiHeadAttention(12, 3, positions=Rotary(4, layout="pairs"))
    half = MultiHeadAttention(12, 3, positions=Rotary(4, layout="half"))
    state = pairs.state_dict()
    assert not torch.allclose(half(x), pairs(x), atol=1e-3)
    for name in ("to_query.weight", "to_query.bias", "to_key.weight", "to_key.bias"):
        converted = pairs_to_half(state[name], heads=3)
        assert_close(pairs_to_half(converted, heads=3, back=True), state[name])
        state[name] = converted
    half.load_state_dict(state)
    assert_close(half(x), pairs(x), atol=1e-5, rtol=1e-4)


def test_a_long_range_keeps_its_accuracy():
    rotary, x = Rotary(4, base=1e6), draw(1, 1, 1, 4)
    near = (rotary(x, 3) * rotary(x, 0)).sum()
    far = (rotary(x, 100_003) * rotary(x, 100_000)).sum()
    assert_close(near, far, atol=1e-5, rtol=0)


def test_alibi_slopes_are_the_papers():
    assert_close(Alibi(8).slopes, 2.0 ** -torch.arange(1, 9))
    twelve = Alibi(12).slopes  # 8 heads as above, then every other one of 16
    assert_close(twelve[:8], 2.0 ** -torch.arange(1, 9))
    assert_close(twelve[8:], 2.0 ** -torch.tensor([0.5, 1.5, 2.5, 3.5]))


def test_alibi_penalises_distance_from_the_last_queries():
    bias = Alibi(2)(3, 5)
    assert bias.shape == (2, 3, 5)
    assert_close(bias[0, 0], -torch.tensor([2.0, 1.0, 0.0, 1.0, 2.0]) / 16)


def test_bias_is_added_to_the_scores():
    query, key, value, bias = draw(2, 3, 5, 4), draw(2, 3, 7, 4), draw(2, 3, 7, 4), draw(3, 5, 7)
    expected = (query @ key.mT / 2 + bias).softmax(dim=-1) @ value
    assert_close(attention(query, key, value, bias=bias), expected)
    assert_close(fused_attention(query, key, value, bias=bias), expected)
    mask = draw(5, 7, seed=1) > 0
    plain = attention(query, key, value, mask, bias=bias)
    assert_close(fused_attention(query, key, value, mask, bias=bias), plain)


def test_causal_is_the_causal_mask():
    query, key, value = draw(2, 3, 5, 4), draw(2, 3, 7, 4), draw(2, 3, 7, 4)
    expected = attention(query, key, value, causal_mask(5, 7))
    for attend in (attention, fused_attention):
        assert_close(attend(query, key, value, causal=True), expected)
        square = attend(query, key[:, :, :5], value[:, :, :5], causal=True)
        masked = attention(query, key[:, :, :5], value[:, :, :5], causal_mask(5))
        assert_close(square, masked)
        last = attend(query[:, :, -1:], key, value, causal=True)
        assert_close(last, expected[:, :, -1:])


def test_learned_positions_are_rows():
    learned = LearnedPositions(5, 3)
    assert_close(learned(torch.tensor([[4, 0]])), learned.weight[[4, 0]][None])
    assert learned(torch.tensor([], dtype=torch.long)).shape == (0, 3)


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match="positions from 0 to 5 were asked for.*learned 0 to 4"):
        LearnedPositions(5, 3)(torch.arange(6))
    with pytest.raises(ShapeError, match="positions from -1 to 0 were asked for"):
        LearnedPositions(5, 3)(torch.tensor([0, -1]))
    for name in ("max_length", "d"):
        with pytest.raises(ConfigError, match=f"^{name} must be a whole number"):
            LearnedPositions(**{"max_length": 5, "d": 3, name: 0})
    for x, start in ((draw(1, 1, 3, 6), 0), (draw(1, 1, 3, 4), -1)):
        with pytest.raises(ShapeError, match=f"wide and start at least 0, .* and {start}; make"):
            Rotary(4)(x, start)
    for rows, heads in ((6, 2), (6, 0)):
        with pytest.raises(ConfigError, match=f"it has 6 and heads = {heads}"):
            pairs_to_half(draw(rows, 3), heads)
    for call, message in (
        (lambda: Alibi(0), "^heads must be a whole number"),
        (lambda: position_angles(0, 4), "^n must be a whole number"),
        (lambda: position_angles(3, 5), "^k must be even .* it is 5"),
        (lambda: position_angles(3, 0), "^k must be even .* it is 0"),
        (lambda: sinusoidal_positions(3, 5), "^d must be even .* it is 5"),
        (lambda: position_angles(3, 4, base=0.0), "^base must be above 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            call()
    with pytest.raises(ConfigError, match="must be even.*but it is 5"):
        Rotary(5)
    with pytest.raises(ConfigError, match="layout must be one of 'half', 'pairs'"):
        Rotary(4, layout="quarters")
    with pytest.raises(ShapeError, match=r"bias must broadcast to .* \(2, 3, 5, 7\)"):
        attention(draw(2, 3, 5, 4), draw(2, 3, 7, 4), draw(2, 3, 7, 4), bias=draw(5, 6))


def test_angles_are_exact_wherever_tensors_are_made():
    with torch.device("meta"):  # as with a default device that knows no float64
        angles = position_angles(3, 6, start=70_001)
        assert Rotary(4).cos.device.type == "cpu"
    expected = [[pos / 10_000 ** (2 * j / 6) for j in range(3)] for pos in (70_001, 70_002, 70_003)]
    assert_close(angles, torch.tensor(expected, dtype=torch.float64), atol=0, rtol=1e-14)
    assert_close(position_angles(3, 2), torch.arange(3, dtype=torch.float64)[:, None])
    slow = 2 * 10_000 ** (-2 / 4)
    assert position_angles(3, 4)[2].tolist() == pytest.approx([2, slow], rel=1e-14)


def test_defaults_are_the_papers():
    x = draw(1, 1, 9, 6)
    assert torch.equal(Rotary(6)(x), Rotary(6, base=10_000.0)(x, 0))
    assert torch.equal(Rotary(6)(x)[:, :, 0], x[:, :, 0])
    torch.manual_seed(0)
    assert abs(LearnedPositions(500, 64).weight.std().item() / 0.02 - 1) < 0.05


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layout", ["half", "pairs"])
def test_rotation_keeps_the_type(layout, dtype):
    x, rotary = draw(2, 3, 7, 6), Rotary(6, layout=layout)
    found = rotary(x.to(dtype))
    assert found.dtype == dtype
    assert_close(found.float(), rotary(x), atol=0.02, rtol=0)


def test_pairs_to_half_puts_first_halves_first():
    rows = torch.arange(8.0)
    assert pairs_to_half(rows, 1).tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    assert pairs_to_half(rows, 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert pairs_to_half(rows, 1, back=True).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_slopes_are_not_saved():
    assert not Alibi(4).state_dict()
