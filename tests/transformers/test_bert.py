"""BERT: equal to transformers' on copied weights; the 15/80/10/10 rule; what the loss sees."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.transformers import (
    BERT,
    BERTConfig,
    BlockConfig,
    SequenceClassifier,
    mask_tokens,
    masked_loss,
)
from attnoise.transformers.bert import MaskedTokens
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

CONFIG = BERTConfig(vocab=23, max_length=13, depth=2, block=BlockConfig(d=20, heads=5))


def tokens(*shape, vocab=23, seed=0):
    return torch.randint(2, vocab, shape, generator=torch.Generator().manual_seed(seed))


def make() -> BERT:
    torch.manual_seed(0)
    return BERT(CONFIG).eval()


def their_config() -> BertConfig:
    return BertConfig(
        vocab_size=23, hidden_size=20, num_hidden_layers=2, num_attention_heads=5,
        intermediate_size=33, max_position_embeddings=13, type_vocab_size=2, num_labels=3,
    )  # fmt: skip


def copy_from(theirs: torch.nn.Module) -> BERT:
    """Build a post-norm BERT with the weights of a transformers model."""
    block = BlockConfig(d=20, heads=5, hidden=33, post_norm=True, norm_eps=1e-12)
    ours = BERT(BERTConfig(vocab=23, max_length=13, depth=2, block=block, segments=2))
    names = {
        "tokens.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "segments.weight": "embeddings.token_type_embeddings.weight",
        "input_norm": "embeddings.LayerNorm",
        "transform.0": "cls.predictions.transform.dense",
        "transform.2": "cls.predictions.transform.LayerNorm",
        "head": "cls.predictions.decoder",
    }
    for i in range(2):
        layer = f"encoder.layer.{i}"
        for mine, their in {
            "attention.to_query": "attention.self.query",
            "attention.to_key": "attention.self.key",
            "attention.to_value": "attention.self.value",
            "attention.to_output": "attention.output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "mlp.0": "intermediate.dense",
            "mlp.2": "output.dense",
            "mlp_norm": "output.LayerNorm",
        }.items():
            names[f"blocks.{i}.{mine}"] = f"{layer}.{their}"
    given = {k.removeprefix("bert."): v for k, v in theirs.state_dict().items()}
    state = ours.state_dict()
    for mine, their in names.items():
        for mine_full in [k for k in state if k == mine or k.startswith(f"{mine}.")]:
            found = given.get(mine_full.replace(mine, their))
            if found is not None:  # a classifier has no masked-token head
                state[mine_full] = found
    ours.load_state_dict(state)
    return ours.eval()


def disturb(model):
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def test_predictions_equal_those_of_transformers_bert_on_copied_weights():
    theirs = disturb(BertForMaskedLM(their_config()))
    ours, x = copy_from(theirs), tokens(3, 11)
    segments = torch.arange(11).ge(6).long().expand(3, -1)
    expected = theirs(x, token_type_ids=segments).logits
    assert_close(ours(x, segments), expected, atol=1e-5, rtol=1e-4)
    x[1, 7:] = 0
    expected = theirs(x, attention_mask=(x != 0).long(), token_type_ids=segments).logits
    assert_close(ours(x, segments)[1, :7], expected[1, :7], atol=1e-5, rtol=1e-4)


def test_classifier_equals_that_of_transformers_on_copied_weights():
    theirs = disturb(BertForSequenceClassification(their_config()))
    ours, x = SequenceClassifier(copy_from(theirs), 3).eval(), tokens(3, 11)
    ours.pool[0].load_state_dict(theirs.bert.pooler.dense.state_dict())
    ours.classify.load_state_dict(theirs.classifier.state_dict())
    assert_close(ours(x), theirs(x).logits, atol=1e-5, rtol=1e-4)


def test_every_token_sees_every_other():
    model, x = make(), tokens(1, 7)
    before = model(x)
    for i in range(7):
        other = x.clone()
        other[0, i] = (other[0, i] - 1) % 21 + 2
        assert ((model(other) - before).abs().amax(dim=-1) > 1e-6).all()


def test_padding_has_no_influence():
    model, x = make(), tokens(2, 7)
    padded = F.pad(x, (0, 4))
    assert_close(model(padded)[:, :7], model(x), atol=1e-6, rtol=1e-5)


def test_shares_are_15_80_10_10():
    x = tokens(500, 200)
    x[:, 150:] = 0
    hidden, chosen = mask_tokens(x, CONFIG, torch.Generator().manual_seed(0))
    n = 500 * 150
    assert not chosen[:, 150:].any()
    assert abs(chosen.sum() / n - 0.15) < 4 * (0.15 * 0.85 / n) ** 0.5
    at, count = hidden[chosen], int(chosen.sum())
    masked, same = (at == 1).float().mean(), (at == x[chosen]).float().mean()
    assert abs(masked - 0.8) < 4 * (0.8 * 0.2 / count) ** 0.5
    kept = 0.1 + 0.1 / 21  # a random token may be the same one
    assert abs(same - kept) < 4 * (kept * (1 - kept) / count) ** 0.5
    assert at[at != 1].min() >= 2
    assert_close(hidden[~chosen], x[~chosen])


def test_loss_sees_the_chosen_tokens_alone():
    model, x = make(), tokens(3, 11)
    masked = mask_tokens(x, CONFIG, torch.Generator().manual_seed(0), mask_ratio=0.3)
    log_p = model(masked.tokens).log_softmax(dim=-1).gather(2, x[..., None])[..., 0]
    assert_close(masked_loss(model, x, masked), -log_p[masked.chosen].mean())


def test_defaults():
    assert BERTConfig(vocab=5) == BERTConfig(
        vocab=5, max_length=128, depth=4, block=BlockConfig(d=128, heads=4), segments=0, mask=1,
        pad=0,
    )  # fmt: skip
    assert SequenceClassifier(make(), 3).dropout.p == 0.1
    assert SequenceClassifier(make(), 3, dropout=0.0).dropout.p == 0.0


@pytest.mark.parametrize("positions", [None, "rotary"])
@pytest.mark.parametrize("post_norm", [False, True])
def test_positions_and_norms_stand_where_the_block_wants_them(positions, post_norm):
    torch.manual_seed(0)
    block = BlockConfig(d=20, heads=5, positions=positions, post_norm=post_norm)
    model = disturb(BERT(BERTConfig(vocab=23, max_length=13, depth=1, block=block)))
    x = model.tokens(tokens(2, 13))
    x = x if positions else x + model.positions.weight
    x = model.blocks[0](model.input_norm(x) if post_norm else x)
    if not post_norm:
        x = F.layer_norm(x, (20,), model.norm.weight, model.norm.bias)
    assert_close(model.encode(tokens(2, 13)), x)


def test_any_length_up_to_the_longest_is_read():
    model = make()
    assert model(tokens(2, 1)).shape == (2, 1, 23)
    assert model(tokens(2, 13)).shape == (2, 13, 23)


def test_without_padding_there_is_no_mask():
    model, x = make(), tokens(2, 5)
    assert model.padding_mask(x) is None
    x[1, 3:] = 0
    assert torch.equal(model.padding_mask(x), (x != 0)[:, None, None])


def test_hidden_tokens_come_from_the_generator_and_no_special_one_is_put_in():
    x = torch.full((50, 80), 22)

    def run(**options):
        return mask_tokens(x, CONFIG, torch.Generator().manual_seed(0), **options)

    for first, second in zip(run(mask_ratio=0.5), run(mask_ratio=0.5), strict=True):
        assert torch.equal(first, second)
    everything = run(mask_ratio=1.0)
    assert bool(everything.chosen.all()) and everything.tokens.unique().tolist() == [*range(1, 23)]
    assert (run(mask_ratio=1.0, special=0).tokens == 0).any()


def test_loss_of_a_single_token():
    model, x = make(), tokens(2, 7)
    chosen = torch.zeros(2, 7, dtype=torch.bool)
    chosen[1, 3] = True
    expected = -model(x).log_softmax(dim=-1)[1, 3, x[1, 3]]
    assert_close(masked_loss(model, x, MaskedTokens(x, chosen)), expected)


def masked(*shape):
    return mask_tokens(tokens(*shape), CONFIG, torch.Generator().manual_seed(0))


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BERTConfig(vocab=0), "^vocab must be a whole number of at least 1, but it is 0"),
        (lambda: BERTConfig(vocab=9, max_length=0), "^max_length must be a whole number"),
        (lambda: BERTConfig(vocab=9, depth=0), "^depth must be a whole number"),
        (lambda: BERTConfig(vocab=9, segments=-1), "^segments must be at least 0, but it is -1"),
        (lambda: BERTConfig(vocab=9, pad=-1), "they are 1 and -1"),
        (lambda: make()(tokens(7)), r"^tokens must have shape \(batch, positions\)"),
        (lambda: make()(tokens(2, 0)), "^tokens must be 1 to 13 per sequence, but are 0"),
        (lambda: make()(tokens(2, 5) + 21), "^tokens must lie between 0 and 22, but"),
        (lambda: two_kinds(1, 7), r"^segments must have shape \(batch = 2, positions = 7\)"),
        (lambda: two_kinds(2, 6), r"^segments must have shape \(batch = 2, positions = 7\)"),
        (lambda: two_kinds(2, 7), "^segments must lie between 0 and 1, but"),
        (lambda: mask_tokens(tokens(1, 5) + 21, CONFIG, torch.Generator()), "^tokens must lie between 0 and 22"),
        (lambda: mask_tokens(tokens(1, 5), CONFIG, torch.Generator(), special=23), "^special must lie between 0 and 22, but it is 23"),
        (lambda: mask_tokens(tokens(1, 5), CONFIG, torch.Generator(), special=-1), "^special must .* it is -1"),
        (lambda: masked_loss(make(), tokens(3, 7), masked(2, 7)), r"^tokens must have shape \(batch = 2, positions = 7\)"),
        (lambda: masked_loss(make(), tokens(2, 8), masked(2, 7)), r"^tokens must have shape \(batch = 2, positions = 7\)"),
        (lambda: masked_loss(make(), tokens(2, 7) + 21, masked(2, 7)), "^tokens must lie between 0 and 22"),
        (lambda: SequenceClassifier(make(), 0), "^classes must be a whole number"),
        (lambda: SequenceClassifier(make(), 3, dropout=1.0), r"^dropout must lie in \[0, 1\), but it is 1"),
        (lambda: SequenceClassifier(make(), 3, dropout=-0.1), "^dropout must lie"),
    ],
)  # fmt: skip
def test_each_argument_is_named(call, message):
    with pytest.raises((ConfigError, DataError, ShapeError), match=message):
        call()


def two_kinds(*shape):
    model = BERT(BERTConfig(vocab=23, segments=2, block=BlockConfig(d=4, heads=1), depth=1))
    return model(tokens(2, 7), torch.full(shape, 2))


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match="tokens must be 1 to 13 per sequence, but are 14"):
        make()(tokens(1, 14))
    for ratio in (0.0, 1.5):
        with pytest.raises(
            ConfigError, match=rf"mask_ratio must lie in \(0, 1\], but it is {ratio}"
        ):
            mask_tokens(tokens(1, 3), CONFIG, torch.Generator(), mask_ratio=ratio)
    with pytest.raises(ConfigError, match="mask and pad must be two tokens below vocab = 23"):
        BERTConfig(vocab=23, mask=23)
    with pytest.raises(ConfigError, match="mask and pad must be two tokens.*they are 0 and 0"):
        BERTConfig(vocab=23, mask=0)
    with pytest.raises(ConfigError, match="block.causal must be False: BERT fills"):
        BERTConfig(vocab=23, block=BlockConfig(d=4, heads=1, causal=True))
