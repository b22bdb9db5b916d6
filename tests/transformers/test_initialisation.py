"""How weights start: how large the draws are, what stays zero, and the stream that comes of it."""

import pytest
import torch
from torch import nn

from attnoise.errors import ConfigError
from attnoise.transformers import GPT, Block, BlockConfig, GPTConfig, initialise


def test_a_fresh_stack_keeps_the_size_of_its_stream_at_any_depth():
    x = torch.randn(3, 11, 64, generator=torch.Generator().manual_seed(0))
    sizes = {}
    for depth in (2, 32):
        torch.manual_seed(0)
        stack = nn.Sequential(*(Block(BlockConfig(d=64, heads=4)) for _ in range(depth)))
        initialise(stack, std=64**-0.5)
        added = stack(x) - x
        sizes[depth] = added.std().item()
    assert 0.1 < sizes[2] < 1.5
    assert 0.5 < sizes[32] / sizes[2] < 2, sizes


def test_initialise_leaves_the_zeros_of_a_condition():
    block = Block(BlockConfig(d=12, heads=3, condition_width=5))
    initialise(block)
    assert not block.modulation.to_vectors.weight.any()


def test_matrices_have_the_std_and_what_feeds_the_stream_a_smaller_one():
    torch.manual_seed(0)
    block = BlockConfig(d=64, heads=4, causal=True, mlp="swiglu")
    model = GPT(GPTConfig(vocab=499, depth=3, block=block))
    initialise(model, std=0.05)
    feeds = 0
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            last = name.endswith(("to_output", "mlp.down"))
            feeds += last
            expected = 0.05 / 6**0.5 if last else 0.05  # two sublayers in each of three blocks
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05), name
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            assert not layer.bias.any(), name
        if isinstance(layer, nn.LayerNorm):
            assert (layer.weight == 1).all()
    assert feeds == 6


def test_the_default_is_gpt2s():
    torch.manual_seed(0)
    layer = nn.Linear(99, 99)
    initialise(layer)
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="std must be above 0 and finite, but it is 0"):
        initialise(nn.Linear(2, 2), std=0)
