"""The encoder-decoder: what may influence what, and its loss."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from attnoise.attention import sinusoidal_positions
from attnoise.errors import ConfigError, DataError, ShapeError
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


def test_defaults():
    assert EncoderDecoderConfig(source_vocab=5, target_vocab=7) == EncoderDecoderConfig(
        source_vocab=5, target_vocab=7, encoder_depth=3, decoder_depth=3,
        block=BlockConfig(d=128, heads=4), max_length=64, pad=0, begin=1, end=2,
    )  # fmt: skip
    assert EncoderDecoderConfig(source_vocab=3, target_vocab=5).end == 2  # the last that fits


def normalised(norm, x):
    return F.layer_norm(x, (12,), norm.weight, norm.bias)


@pytest.mark.parametrize("positions", [None, "rotary"])
@pytest.mark.parametrize("post_norm", [False, True])
def test_both_stacks_by_hand(positions, post_norm):
    model = make(positions, post_norm=post_norm)
    model.dropout = nn.Hardtanh(-1.5, 1.5)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:  # or a norm of what is normalised would change nothing
            nn.init.normal_(parameter, 1.0 * name.endswith("weight"), 0.3)
    source, target = tokens(2, 13, vocab=11), tokens(2, 5)
    source[1, 9:] = 0
    mask = (source != 0)[:, None, None]
    sines = sinusoidal_positions(13, 12) * (positions is None)
    x = (12**0.5 * model.source.weight[source] + sines).clamp(-1.5, 1.5)
    for block in model.encoder_blocks:
        x = block(x, mask)
    y = (12**0.5 * model.target.weight[target] + sines[:5]).clamp(-1.5, 1.5)
    x = x if post_norm else normalised(model.encoder_norm, x)
    for block in model.decoder_blocks:
        y = block(y, context=x, context_mask=mask)
    y = y if post_norm else normalised(model.decoder_norm, y)
    assert_close(model(source, target), y @ model.head.weight.T)
    assert model.head.bias is None and not any("table" in name for name in model.state_dict())


def test_embeddings_start_with_the_std_that_the_scale_undoes():
    torch.manual_seed(0)
    block = BlockConfig(d=64, heads=1, dropout=0.25)
    config = EncoderDecoderConfig(source_vocab=99, target_vocab=99, encoder_depth=1, block=block)
    model = EncoderDecoder(config)
    for layer in (model.source, model.target, model.head):
        assert layer.weight.std().item() == pytest.approx(1 / 8, rel=0.05)
    assert model.dropout.p == 0.25
    assert (len(model.encoder_blocks), len(model.decoder_blocks)) == (1, 3)


@pytest.mark.parametrize("options", [{}, {"positions": "rotary", "kv_heads": 1}])
def test_caches_continue_the_target(options):
    model, source, target = make(**options), tokens(2, 5, vocab=11), tokens(2, 13)
    context, mask = model.encode(source), model.source_mask(source)
    caches = model.make_caches(2, 5)
    pieces = [
        model.decode(target[:, a:b], context, mask, caches=caches)
        for a, b in ((0, 4), (4, 5), (5, 13))
    ]
    assert_close(torch.cat(pieces, dim=1), model(source, target), atol=1e-5, rtol=1e-5)
    model.decoder_blocks = model.decoder_blocks[:1]
    caches = model.make_caches(2, 5)
    assert model.decode(target[:, :3], context, mask, caches=caches).shape == (2, 3, 7)
    own, read = model.half().make_caches(2, 5)[0]
    assert own.keys.dtype == read.keys.dtype == torch.float16
    assert (own.max_length, read.max_length) == (13, 5)
    assert not own.keys.requires_grad


def test_label_smoothing_and_a_single_token():
    model, source, target = make(), tokens(2, 5, vocab=11), tokens(2, 6)
    logits = model(source, target[:, :-1]).transpose(1, 2)
    for smoothing in (0.0, 0.3):
        expected = F.cross_entropy(logits, target[:, 1:], label_smoothing=smoothing)
        assert_close(
            teacher_forcing_loss(model, source, target, label_smoothing=smoothing), expected
        )
    target[:, 2:], target[1] = 0, 0
    expected = -logits.log_softmax(dim=1)[0, target[0, 1], 0]
    assert_close(teacher_forcing_loss(model, source, target), expected)
    assert teacher_forcing_loss(model, source, 0 * target) == 0


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "name", ["source_vocab", "target_vocab", "encoder_depth", "decoder_depth", "max_length"]
)
def test_sizes_are_at_least_one(name):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1"):
        EncoderDecoderConfig(**{"source_vocab": 5, "target_vocab": 5, name: 0})


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EncoderDecoderConfig(source_vocab=5, target_vocab=2), "0, 1 and 2"),
        (lambda: EncoderDecoderConfig(source_vocab=2, target_vocab=5), "0, 1 and 2"),
        (lambda: EncoderDecoderConfig(source_vocab=5, target_vocab=5, pad=-1), "-1, 1 and 2"),
        (lambda: make(context_width=12), "^block must be neither causal nor have a context_width"),
        (lambda: make()(tokens(5, vocab=11), tokens(2, 3)), r"^source_tokens must have shape \(batch, positions\)"),
        (lambda: make()(tokens(2, 5, vocab=11) + 9, tokens(2, 3)), "^source_tokens must lie between 0 and 10"),
        (lambda: make()(tokens(2, 5, vocab=11), tokens(3, 3)), r"^target_tokens must have shape \(batch = 2, positions\)"),
        (lambda: make()(tokens(2, 5, vocab=11), tokens(2, 3) + 5), "^target_tokens must lie between 0 and 6"),
        (lambda: make()(tokens(2, 5, vocab=11), tokens(2, 14)), "^target_tokens must have 1 to 13 tokens, but has 14"),
        (lambda: teacher_forcing_loss(make(), tokens(1, 2), tokens(1, 3), label_smoothing=1.0), "^label_smoothing must lie in .* it is 1"),
        (lambda: teacher_forcing_loss(make(), tokens(1, 2), tokens(1, 3), label_smoothing=-0.1), "^label_smoothing must lie"),
    ],
)  # fmt: skip
def test_each_argument_is_named(call, message):
    with pytest.raises((ConfigError, DataError, ShapeError), match=message):
        call()


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
