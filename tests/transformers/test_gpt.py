"""GPT: causal; its loss; how it starts."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.transformers import (
    GPT,
    GPT_PRESETS,
    BlockConfig,
    GPTConfig,
    mean_loss,
    modern_block,
    next_token_loss,
)
from transformers import GPT2Config


def tokens(*shape, vocab=13, seed=0):
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


def make(modern=True, **options) -> GPT:
    torch.manual_seed(0)
    block = modern_block(12, 3, **options) if modern else BlockConfig(d=12, heads=3, causal=True)
    return GPT(GPTConfig(vocab=13, max_length=17, depth=2, block=block)).eval()


def test_gpt2_has_its_published_size():
    with torch.device("meta"):
        assert sum(p.numel() for p in GPT(GPT_PRESETS["gpt2"]).parameters()) == 124_439_808
        sizes = {
            name: sum(p.numel() for p in GPT(c).parameters()) for name, c in GPT_PRESETS.items()
        }
    assert 0.79e6 < sizes["laptop"] < 0.81e6
    positions = 256 * 384  # which nanoGPT's 10.65 M leave out
    assert round((sizes["nanogpt-shakespeare"] - positions) / 1e6, 2) == 10.65


@pytest.mark.parametrize("modern", [True, False])
def test_future_tokens_have_no_influence(modern):
    model, x = make(modern), tokens(2, 11)
    logits = model(x)
    x[:, 7:] = (x[:, 7:] + 1) % 13
    assert_close(model(x)[:, :7], logits[:, :7], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(model(x)[:, 7:], logits[:, 7:])


@pytest.mark.parametrize("modern", [True, False])
def test_padding_at_the_left_has_no_influence(modern):
    model, x = make(modern), tokens(2, 7)
    padded = torch.cat([tokens(2, 4, seed=1), x], dim=1)
    got = model(padded, padding=torch.tensor([4, 4]))[:, 4:]
    assert_close(got, model(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("modern", [True, False])
def test_cached_equals_full(modern):
    model, x = make(modern), tokens(2, 17)
    caches = model.make_caches(2)
    pieces = [model(x[:, a:b], caches=caches) for a, b in ((0, 5), (5, 6), (6, 17))]
    assert_close(torch.cat(pieces, dim=1), model(x), atol=1e-5, rtol=1e-5)


def test_loss_takes_any_module_that_returns_logits():
    model, tokens = make().eval(), torch.arange(6)[None] % 5
    wrapped = torch.nn.Sequential(model)  # as a compiled or exported model: it has no config
    assert_close(next_token_loss(wrapped, tokens), next_token_loss(model, tokens))
    with pytest.raises(DataError, match="tokens"):
        next_token_loss(wrapped, tokens + 10**6)


def test_loss_is_the_mean_of_minus_log_p():
    model, x = make(), tokens(2, 11)
    log_p = model(x[:, :-1]).log_softmax(dim=-1)
    assert_close(next_token_loss(model, x), -log_p.gather(2, x[:, 1:, None]).mean())


@pytest.mark.parametrize(("n", "stride"), [(9, None), (18, None), (19, 5), (100, None), (101, 3)])
@torch.no_grad()
def test_mean_loss_scores_every_token_once_with_enough_before_it(n, stride):
    model, x = make(), tokens(n)
    step = 8 if stride is None else stride
    total = 0.0
    for i in range(1, n):  # the window that scores token i ends at the first multiple that can
        end = max(17, 17 + -(-max(0, i - 17) // step) * step)
        first = max(0, min(end, n - 1) - 17)
        logits = model(x[None, first:i])[0, -1]
        total += F.cross_entropy(logits, x[i]).item()
    assert_close(mean_loss(model, x, stride=stride, batch=3), total / (n - 1), atol=1e-5, rtol=1e-5)


def test_a_fresh_model_predicts_evenly():
    loss = next_token_loss(make(), tokens(5, 17)).item()
    assert abs(loss - math.log(13)) < 0.05


def test_head_and_embedding_are_one():
    model = make()
    assert model.head.weight is model.tokens.weight


def test_defaults():
    assert GPTConfig(vocab=5) == GPTConfig(
        vocab=5, max_length=256, depth=4, block=BlockConfig(d=128, heads=4, causal=True), tied=True
    )
    assert modern_block(12, 3) == BlockConfig(
        d=12, heads=3, causal=True, bias=False, mlp="swiglu", norm="rms", positions="rotary",
        qk_norm=True,
    )  # fmt: skip
    assert modern_block(12, 3, mlp="gelu", window=5).mlp == "gelu"


def test_presets_are_gpt2_and_nanogpts():
    theirs, ours = GPT2Config(), GPT_PRESETS["gpt2"]
    assert theirs.activation_function == "gelu_new"  # by tanh
    assert ours == GPTConfig(
        vocab=theirs.vocab_size, max_length=theirs.n_positions, depth=theirs.n_layer,
        block=BlockConfig(d=theirs.n_embd, heads=theirs.n_head, causal=True, mlp="gelu_tanh"),
    )  # fmt: skip
    # its README: block_size, n_layer, n_head, n_embd, dropout; 65 characters; bias=False
    for name, (length, depth, heads, d, dropout) in {
        "nanogpt-shakespeare": (256, 6, 6, 384, 0.2),
        "nanogpt-shakespeare-cpu": (64, 4, 4, 128, 0.0),
    }.items():
        block = BlockConfig(d=d, heads=heads, causal=True, bias=False, dropout=dropout)
        expected = GPTConfig(vocab=65, max_length=length, depth=depth, block=block)
        assert GPT_PRESETS[name] == expected
    laptop = GPTConfig(vocab=65, max_length=64, depth=4, block=modern_block(128, 4))
    assert GPT_PRESETS["laptop"] == laptop


def test_an_untied_head_is_a_matrix_of_its_own():
    block = modern_block(12, 3, dropout=0.25)
    model = GPT(GPTConfig(vocab=13, tied=False, block=block))
    assert not torch.equal(model.head.weight, model.tokens.weight)
    assert model.head.bias is None and model.dropout.p == 0.25


@pytest.mark.parametrize("modern", [True, False])
def test_the_model_by_hand(modern):
    model, x = make(modern), tokens(2, 17)
    model.dropout = torch.nn.Hardtanh(-0.02, 0.02)
    y = model.tokens.weight[x]
    y = y if modern else y + model.positions.weight
    y = y.clamp(-0.02, 0.02)
    for block in model.blocks:
        y = block(y)
    assert_close(model(x), model.norm(y) @ model.tokens.weight.T)


def test_caches_fit_the_model():
    for window, room in ((None, 17), (3, 17), (13, 26)):
        model = make(kv_heads=1, window=window).half()
        caches = model.make_caches(5)
        assert len(caches) == 2
        for cache in caches:
            assert (cache.window, cache.keys.shape) == (window, (5, 1, room, 4))
            assert cache.keys.dtype == torch.float16 and not cache.keys.requires_grad


@torch.no_grad()
def test_mean_loss_sees_at_most_sixteen_windows_at_once_and_any_window_that_fits():
    model, x, seen = make(), tokens(17 * 20), []
    hook = model.register_forward_hook(lambda _, inputs, logits: seen.append(len(inputs[0])))
    apart = mean_loss(model, x, stride=17)
    assert seen == [16, 4]
    hook.remove()
    assert_close(mean_loss(model, x, stride=17, batch=1), apart, atol=1e-6, rtol=1e-6)
    assert_close(mean_loss(model, x[:2]), next_token_loss(model, x[None, :2]).item())
    short = GPT(GPTConfig(vocab=13, max_length=1, block=modern_block(12, 3))).eval()
    pairs = torch.stack([x[:8], x[1:9]], dim=1)
    assert_close(mean_loss(short, x[:9]), next_token_loss(short, pairs).item())


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GPTConfig(vocab=5, max_length=0), "^max_length must be a whole number"),
        (lambda: GPTConfig(vocab=5, depth=0), "^depth must be a whole number"),
        (lambda: make()(tokens(7)), r"^tokens must have shape \(batch, positions\)"),
        (lambda: make()(tokens(2, 7) + 13), "^tokens must lie between 0 and 12"),
        (lambda: make()(tokens(2, 0)), "^tokens must be 1 to 17 .* they are 0"),
        (lambda: make()(tokens(2, 3), padding=torch.tensor([3, 0])), "^padding must lie between 0 and 2, .*; every sequence needs a token of its own"),
        (lambda: next_token_loss(make(), tokens(7)), r"^tokens must have shape \(batch, positions\)"),
        (lambda: mean_loss(make(), tokens(2, 7)), r"^tokens must have shape \(positions\)"),
        (lambda: mean_loss(make(), tokens(9), stride=18), "^stride must lie between 1 and max_length = 17, but it is 18"),
        (lambda: mean_loss(make(), tokens(9), stride=0), "^stride must be a whole number"),
        (lambda: mean_loss(make(), tokens(9), batch=0), "^batch must be a whole number"),
    ],
)  # fmt: skip
def test_each_argument_is_named(call, message):
    with pytest.raises((ConfigError, DataError, ShapeError), match=message):
        call()


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match="tokens must be 1 to 17 with those in the cache.*are 18"):
        make()(tokens(1, 18))
    model = make()
    caches = model.make_caches(1)
    model(tokens(1, 17), caches=caches)
    with pytest.raises(ShapeError, match="they are 18; shorten the text"):
        model(tokens(1, 1), caches=caches)
    with pytest.raises(ShapeError, match="at least 2 to predict one from another, but are 1"):
        mean_loss(model, tokens(1))
    with pytest.raises(ConfigError, match="block.causal must be True"):
        GPTConfig(vocab=5, block=BlockConfig(d=4, heads=1))
    with pytest.raises(
        ConfigError, match="vocab must be a whole number of at least 1, but it is 0"
    ):
        GPTConfig(vocab=0)
    for wrong in (13, -1):
        bad = tokens(2, 5)
        bad[0, -1] = wrong  # a target alone
        for loss, text in ((next_token_loss, bad), (mean_loss, bad[0])):
            with pytest.raises(DataError, match=f"tokens must lie between 0 and 12.*{wrong}"):
                loss(model, text)
    for padding, message in (([0, 5], "between 0 and 4"), ([0, -1], "from -1"), ([1], "batch = 2")):
        with pytest.raises((DataError, ShapeError), match=f"padding must .*{message}"):
            model(tokens(2, 5), padding=torch.tensor(padding))
