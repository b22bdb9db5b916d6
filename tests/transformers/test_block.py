"""The block: equal to torch's layers on copied weights; every option; inputs that are not asked for."""

import pytest
import torch
from tests.twins import torch_decoder_twin, torch_encoder_twin
from torch import nn
from torch.testing import assert_close

from attnoise.attention import KeyValueCache, causal_mask, padding_mask
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
