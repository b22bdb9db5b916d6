"""The block: equal to torch's layers on copied weights; every option; inputs that are not asked for."""

import pytest
import torch
from tests.twins import torch_decoder_twin, torch_encoder_twin
from torch import nn
from torch.testing import assert_close

from attnoise.attention import Alibi, KeyValueCache, Rotary, causal_mask, padding_mask
from attnoise.errors import ConfigError, ShapeError
from attnoise.transformers import Block, BlockConfig
from attnoise.transformers.block import SwiGLU


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make(d=12, heads=3, **options) -> Block:
    """Make a block whose biases and gains are no longer 0 and 1."""
    block = Block(BlockConfig(d=d, heads=heads, **options))
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * draw(*parameter.shape, seed=len(name)))
    return block


@pytest.mark.parametrize("post_norm", [False, True])
def test_equals_torchs_encoder_layer(post_norm):
    ours, x = make(35, 5, hidden=77, post_norm=post_norm), draw(2, 7, 35)
    theirs = torch_encoder_twin(ours)
    assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)
    masked = theirs(x, src_mask=~causal_mask(7))
    assert_close(ours(x, mask=causal_mask(7)), masked, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("post_norm", [False, True])
def test_equals_torchs_decoder_layer(post_norm):
    options = {"hidden": 77, "post_norm": post_norm, "context_width": 35, "causal": True}
    ours, x, memory = make(35, 5, **options), draw(2, 7, 35), draw(2, 11, 35, seed=1)
    theirs, lengths = torch_decoder_twin(ours), torch.tensor([11, 4])
    expected = theirs(
        x,
        memory,
        tgt_mask=~causal_mask(7),
        memory_key_padding_mask=~padding_mask(lengths, 11)[:, 0, 0],
    )
    got = ours(x, context=memory, context_mask=padding_mask(lengths, 11))
    assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_swiglu_is_the_papers():
    layer, x = SwiGLU(5, 7, bias=True), draw(2, 3, 5)
    swish = layer.gate(x) * torch.sigmoid(layer.gate(x))
    assert_close(layer(x), layer.down(swish * layer.up(x)))


def test_rms_norm_divides_by_the_root_mean_square():
    norm, x = BlockConfig(d=5, heads=1, norm="rms").make_norm(), draw(2, 3, 5)
    assert_close(norm(x), x / (x.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt())


def test_swiglu_has_as_many_numbers_as_two_layers():
    sizes = [
        sum(p.numel() for p in make(96, 3, mlp=mlp, bias=False).mlp.parameters())
        for mlp in ("gelu", "swiglu")
    ]
    assert sizes[0] == sizes[1]


def test_qk_norm_makes_scores_blind_to_the_size_of_queries():
    block, x = make(qk_norm=True), draw(2, 7, 12)
    before = block(x)
    with torch.no_grad():
        for layer in (block.attention.to_query, block.attention.to_key):
            layer.weight.mul_(50.0)
            layer.bias.mul_(50.0)
    assert_close(block(x), before, atol=1e-4, rtol=1e-4)


def test_dropout_drops_in_training_alone():
    block, x = make(dropout=0.5), draw(2, 7, 12)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert_close(block(x), block(x), atol=0, rtol=0)


def test_condition_starts_as_the_identity_and_then_matters():
    block, x = Block(BlockConfig(d=12, heads=3, condition_width=5)), draw(2, 7, 12)
    assert_close(block(x, condition=draw(2, 5)), x, atol=0, rtol=0)
    nn.init.normal_(block.modulation.to_vectors.weight)
    one, other = block(x, condition=draw(2, 5)), block(x, condition=draw(2, 5, seed=1))
    assert not torch.allclose(one, x)
    assert not torch.allclose(one, other)


def test_condition_of_zero_gates_one_is_the_plain_block():
    plain = Block(BlockConfig(d=12, heads=3))
    conditioned = Block(BlockConfig(d=12, heads=3, condition_width=5))
    own = {k: v for k, v in plain.state_dict().items() if "norm" not in k}
    conditioned.load_state_dict(own, strict=False)
    with torch.no_grad():  # shift = scale = 0, gate = 1
        conditioned.modulation.to_vectors.bias.view(6, 12)[[2, 5]] = 1.0
    x = draw(2, 7, 12)
    assert_close(conditioned(x, condition=draw(2, 5)), plain(x))


def test_cached_block_equals_the_full_one():
    block, x = make(causal=True, kv_heads=1, positions="rotary", window=3), draw(2, 7, 12)
    cache = KeyValueCache(2, 1, 8, 4, window=3)
    steps = [block(x[:, i : i + 1], cache=cache) for i in range(7)]
    assert_close(torch.cat(steps, dim=1), block(x), atol=1e-5, rtol=1e-4)


def test_defaults_are_those_of_gpt2_without_its_mask():
    assert BlockConfig(d=12, heads=3) == BlockConfig(
        d=12, heads=3, kv_heads=None, mlp="gelu", hidden=None, norm="layer", norm_eps=1e-5,
        post_norm=False, bias=True, dropout=0.0, causal=False, window=None, positions=None,
        rotary_base=10_000.0, qk_norm=False, cross_qk_norm=False, context_width=None,
        condition_width=None,
    )  # fmt: skip


class Double(nn.Module):
    def forward(self, x):
        return 2 * x


@pytest.mark.parametrize("kind", ["pre_norm", "post_norm", "modulated"])
def test_each_sublayer_is_dropped_out_and_added(kind):
    more = {"post_norm": {"post_norm": True}, "modulated": {"condition_width": 5}}.get(kind, {})
    block = make(context_width=7, qk_norm=True, cross_qk_norm=True, **more)
    block.dropout = Double()
    x, context, condition = draw(2, 5, 12), draw(2, 3, 7), draw(2, 5)
    found = block(x, context=context, condition=condition if kind == "modulated" else None)
    attend, cross, mlp = block.attention, block.cross_attention, block.mlp
    if kind == "post_norm":
        y = block.attention_norm(x + 2 * attend(x))
        y = block.cross_norm(y + 2 * cross(y, context))
        y = block.mlp_norm(y + 2 * mlp(y))
    elif kind == "pre_norm":
        y = x + 2 * attend(block.attention_norm(x))
        y = y + 2 * cross(block.cross_norm(y), context)
        y = y + 2 * mlp(block.mlp_norm(y))
    else:
        a, b, c, d, e, f = block.modulation(condition)
        y = x + c * 2 * attend((1 + b) * block.attention_norm(x) + a)
        y = y + 2 * cross(block.cross_norm(y), context)
        y = y + f * 2 * mlp((1 + e) * block.mlp_norm(y) + d)
    assert_close(found, y)


@pytest.mark.parametrize(("mlp", "width"), [("gelu", 48), ("gelu_tanh", 48), ("swiglu", 32)])
def test_the_network_on_each_token(mlp, width):
    for hidden, expected in ((None, width), (5, 5)):
        layer = make(mlp=mlp, hidden=hidden).mlp
        inner = layer.up if mlp == "swiglu" else layer[0]
        assert inner.weight.shape == (expected, 12)
    x = 3 * draw(2, 7, 12)
    if mlp != "swiglu":
        approximate = "tanh" if mlp == "gelu_tanh" else "none"
        bent = nn.functional.gelu(layer[0](x), approximate=approximate)
        assert_close(layer(x), layer[2](bent), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_all_layers_have_a_bias_or_none(bias):
    for mlp in ("gelu", "swiglu"):
        block = make(bias=bias, mlp=mlp, context_width=7)
        layers = [m for m in block.modules() if isinstance(m, nn.Linear | nn.LayerNorm)]
        assert len(layers) == 13 + (mlp == "swiglu")
        assert all((layer.bias is not None) == bias for layer in layers)


def test_norms_have_the_epsilon_and_no_gain_beside_a_condition():
    x = draw(2, 3, 5)
    for norm, centred in (("layer", x - x.mean(dim=-1, keepdim=True)), ("rms", x)):
        for width in (None, 7):
            config = BlockConfig(d=5, heads=1, norm=norm, norm_eps=0.5, condition_width=width)
            layer = config.make_norm()
            assert (layer.weight is None) == (width == 7)
            expected = centred / (centred.square().mean(dim=-1, keepdim=True) + 0.5).sqrt()
            assert_close(layer(x), expected)


def test_options_reach_their_layers():
    rotary = BlockConfig(d=12, heads=3, positions="rotary", rotary_base=100.0).make_positions()
    assert repr((rotary.k, rotary.base)) == "(4, 100.0)"
    alibi = BlockConfig(d=12, heads=3, positions="alibi").make_positions()
    assert alibi.slopes.shape == (3,)
    block = make(kv_heads=1, context_width=7, dropout=0.25)
    for layer, width in ((block.attention, 12), (block.cross_attention, 7)):
        assert layer.to_key.weight.shape == (4, width)
        assert layer.positions is None
    assert block.dropout.p == 0.25
    assert make(positions="alibi", context_width=7).cross_attention.positions is None
    for own, cross in ((True, False), (False, True)):
        block = make(qk_norm=own, cross_qk_norm=cross, context_width=7)
        for layer, normed in ((block.attention, own), (block.cross_attention, cross)):
            assert isinstance(layer.query_norm, nn.RMSNorm) == normed
    assert isinstance(make().cross_norm, nn.Identity)
    for name, kind in (("rotary", Rotary), ("alibi", Alibi), (None, type(None))):
        assert type(make(positions=name).attention.positions) is kind


def test_what_just_fits_is_taken():
    assert make(causal=True, window=1)(draw(2, 7, 12)).shape == (2, 7, 12)
    assert make(d=6, heads=3, positions="rotary")(draw(2, 7, 6)).shape == (2, 7, 6)
    assert make(d=9, heads=3, positions="alibi")(draw(2, 7, 9)).shape == (2, 7, 9)


def test_a_window_hides_what_lies_before_it():
    block, x = make(causal=True, window=3), draw(2, 7, 12)
    before = block(x)
    x[:, 2] += 1
    changed = (block(x) - before).abs().amax(dim=(0, 2)) > 0
    assert changed.tolist() == [False, False, True, True, True, False, False]


def test_the_context_is_read_from_its_cache_after_the_first_call():
    block, x, context = make(context_width=7), draw(2, 1, 12), draw(2, 5, 7)
    cache = KeyValueCache(2, 3, 5, 4)
    first = block(x, context=context, context_cache=cache)
    assert_close(first, block(x, context=context))
    assert_close(block(x, context=0 * context, context_cache=cache), first)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "name", ["d", "heads", "kv_heads", "hidden", "context_width", "condition_width"]
)
def test_sizes_are_at_least_one(name):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1"):
        BlockConfig(**{"d": 12, "heads": 3, name: 0})


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm_eps": 0.0}, "^norm_eps must be above 0"),
        ({"rotary_base": 0.0}, "^rotary_base must be above 0"),
        ({"heads": 6, "kv_heads": 4}, "heads = 6 and kv_heads = 4"),
        ({"d": 9, "positions": "rotary"}, "^d / heads must be even .* it is 3"),
        ({"cross_qk_norm": True}, "^cross_qk_norm needs cross-attention"),
        ({"dropout": -0.1}, "^dropout must lie"),
        ({"window": 0, "causal": True}, "^window = 0 must be at least 1"),
    ],
)
def test_what_does_not_fit_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        BlockConfig(**{"d": 12, "heads": 3, **options})


@pytest.mark.bad_input
def test_wrong_shapes_are_named():
    with pytest.raises(ShapeError, match=r"^x must have shape \(batch, positions, width = 12\)"):
        make()(draw(2, 7, 13))
    for shape in ((3, 5), (2, 4)):
        with pytest.raises(ShapeError, match=r"^condition must .* \(batch = 2, width = 5\)"):
            make(condition_width=5)(draw(2, 7, 12), condition=draw(*shape))
    with pytest.raises(ShapeError, match=r"take none, but it got \(2, 3, 7\); set context_width"):
        make()(draw(2, 7, 12), context=draw(2, 3, 7))


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match="condition: the block was built to take none, but it got"):
        make()(draw(2, 7, 12), condition=draw(2, 5))
    with pytest.raises(ShapeError, match="condition: .* take one, but it got none"):
        make(condition_width=5)(draw(2, 7, 12))
    with pytest.raises(
        ShapeError, match="context: .* take one, but it got none; set context_width"
    ):
        make(context_width=5)(draw(2, 7, 12))
    for options, message in (
        ({"hidden": 0}, "hidden must be a whole number of at least 1, but it is 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), but it is 1.0"),
        ({"mlp": "glu"}, "mlp must be one of 'gelu', 'gelu_tanh', 'swiglu'.*did you mean 'gelu'"),
        ({"norm": "batch"}, "norm must be one of 'layer', 'rms', but it is 'batch'"),
        ({"positions": "sine"}, "positions must be one of 'rotary', 'alibi'"),
        ({"window": 4}, "window = 4 must be at least 1 and needs causal = True"),
        ({"post_norm": True, "condition_width": 5}, "post_norm and condition_width exclude"),
        (
            {"heads": 5},
            "d must be a multiple of heads, and heads of kv_heads, but d = 12, heads = 5",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            Block(BlockConfig(**{"d": 12, "heads": 3, **options}))
