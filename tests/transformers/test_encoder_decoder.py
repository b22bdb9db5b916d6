"""The encoder-decoder: what may influence what, and its loss."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.errors import ConfigError, ShapeError
from attnoise.transformers import (
    BlockConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    teacher_forcing_loss,
)


def make(positions=None, target_vocab=7, max_length=13, **options):
    torch.manual_seed(0)
    block = BlockConfig(d=12, heads=3, positions=positions, **options)
    config = EncoderDecoderConfig(
        source_vocab=11, target_vocab=target_vocab, encoder_depth=2, decoder_depth=2,
        block=block, max_length=max_length,
    )  # fmt: skip
    return EncoderDecoder(config).eval()


def tokens(*shape, vocab=7, seed=0):
    return torch.randint(3, vocab, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("positions", [None, "rotary"])
def test_future_targets_have_no_influence(positions):
    model, source, target = make(positions), tokens(2, 5, vocab=11), tokens(2, 6)
    logits = model(source, target)
    target[:, 4:] = (target[:, 4:] - 2) % 4 + 3
    changed = model(source, target)
    assert_close(changed[:, :4], logits[:, :4], atol=0, rtol=0)
    assert not torch.allclose(changed[:, 4:], logits[:, 4:])


def test_every_source_token_reaches_every_target_position():
    model, source, target = make(), tokens(1, 5, vocab=11), tokens(1, 3)
    logits = model(source, target)
    for i in range(5):
        other = source.clone()
        other[0, i] = 3 + (other[0, i] - 2) % 8
        assert ((model(other, target) - logits).abs().amax(dim=-1) > 1e-6).all()


@pytest.mark.parametrize("positions", [None, "rotary"])
def test_padding_has_no_influence(positions):
    model, source, target = make(positions), tokens(2, 5, vocab=11), tokens(2, 6)
    padded = torch.cat([source, torch.zeros(2, 3, dtype=torch.long)], dim=1)
    assert_close(model(padded, target), model(source, target), atol=1e-6, rtol=1e-5)
    assert_close(teacher_forcing_loss(model, source, torch.cat([target, target[:, :2] * 0], dim=1)),
                 teacher_forcing_loss(model, source, target))  # fmt: skip


def test_loss_is_the_mean_of_minus_log_p():
    model, source, target = make(), tokens(2, 5, vocab=11), tokens(2, 6)
    log_p = model(source, target[:, :-1]).log_softmax(dim=-1)
    expected = -log_p.gather(2, target[:, 1:, None]).mean()
    assert_close(teacher_forcing_loss(model, source, target), expected)


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match="source_tokens must have 1 to 13 tokens, but has 14"):
        make()(tokens(1, 14, vocab=11), tokens(1, 3))
    with pytest.raises(ShapeError, match="target_tokens must have 1 to 13 tokens, but has 0"):
        make()(tokens(1, 4, vocab=11), tokens(1, 0))
    with pytest.raises(ConfigError, match="three tokens of both vocabularies.*0, 1 and 1"):
        EncoderDecoderConfig(source_vocab=5, target_vocab=5, end=1)
    with pytest.raises(ConfigError, match="block must be neither causal"):
        make(causal=True)
