"""BERT: equal to transformers' on copied weights; the 15/80/10/10 rule; what the loss sees."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attnoise.errors import ConfigError, ShapeError
from attnoise.transformers import (
    BERT,
    BERTConfig,
    BlockConfig,
    SequenceClassifier,
    mask_tokens,
    masked_loss,
)
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
