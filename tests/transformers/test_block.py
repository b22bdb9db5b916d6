"""The block: equal to torch's encoder layer, and its condition is a closed door until trained."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.attention import causal_mask
from attnoise.errors import ConfigError, ShapeError
from attnoise.transformers import Block


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_equals_torch_encoder_layer_on_copied_weights():
    ours, x = Block(35, heads=5, mlp_ratio=3), draw(2, 7, 35)
    theirs = nn.TransformerEncoderLayer(
        35, 5, 105, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    attention = ours.attention
    inputs = (attention.to_query, attention.to_key, attention.to_value)
    pairs = {
        "self_attn.in_proj_weight": torch.cat([layer.weight for layer in inputs]),
        "self_attn.in_proj_bias": torch.cat([layer.bias for layer in inputs]),
    }
    for name, layer in {
        "self_attn.out_proj": attention.to_output,
        "linear1": ours.mlp[0],
        "linear2": ours.mlp[2],
        "norm1": ours.attention_norm,
        "norm2": ours.mlp_norm,
    }.items():
        with torch.no_grad():
            layer.bias.copy_(draw(*layer.bias.shape, seed=len(name)))
        pairs |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    theirs.load_state_dict(pairs)
    assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)
    masked = theirs(x, src_mask=~causal_mask(7))
    assert_close(ours(x, mask=causal_mask(7)), masked, atol=1e-5, rtol=1e-4)


def test_condition_starts_as_the_identity_and_then_matters():
    block, x = Block(12, heads=3, condition_width=5), draw(2, 7, 12)
    assert_close(block(x, condition=draw(2, 5)), x, atol=0, rtol=0)
    nn.init.normal_(block.modulation.to_vectors.weight)
    one, other = block(x, condition=draw(2, 5)), block(x, condition=draw(2, 5, seed=1))
    assert not torch.allclose(one, x)
    assert not torch.allclose(one, other)


def test_condition_of_zero_gates_one_is_the_plain_block():
    plain, conditioned = Block(12, heads=3), Block(12, heads=3, condition_width=5)
    own = {k: v for k, v in plain.state_dict().items() if "norm" not in k}
    conditioned.load_state_dict(own, strict=False)
    with torch.no_grad():  # shift = scale = 0, gate = 1
        conditioned.modulation.to_vectors.bias.view(6, 12)[[2, 5]] = 1.0
    x = draw(2, 7, 12)
    assert_close(conditioned(x, condition=draw(2, 5)), plain(x))


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match="built to take none, but it got"):
        Block(12, 3)(draw(2, 7, 12), condition=draw(2, 5))
    with pytest.raises(ShapeError, match="built to take one, but it got none"):
        Block(12, 3, condition_width=5)(draw(2, 7, 12))
    with pytest.raises(ConfigError, match="mlp_ratio must be at least 1, but it is 0"):
        Block(12, 3, mlp_ratio=0)
