"""What holds for every model and every kind of positions: one graph, copies, half precision."""

import copy
import io
import pickle

import pytest
import torch
from tests.inventory.strict_device import AVAILABLE, NAME, strict_device
from torch.testing import assert_close

from attnoise.transformers import (
    BERT,
    GPT,
    BERTConfig,
    BlockConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    GPTConfig,
    MaskedAutoencoder,
    SequenceClassifier,
    ViT,
    ViTConfig,
    masked_loss,
    modern_block,
    next_token_loss,
    teacher_forcing_loss,
)
from attnoise.transformers.bert import MaskedTokens

BLOCK = {"d": 24, "heads": 3}
BERT_CONFIG = BERTConfig(vocab=13, max_length=11, depth=2, block=BlockConfig(**BLOCK), segments=2)
VIT_CONFIG = ViTConfig(image_size=15, patch=5, classes=7, depth=2, block=BlockConfig(**BLOCK))


def gpt(**options) -> GPT:
    block = BlockConfig(**BLOCK, causal=True, **options)
    return GPT(GPTConfig(vocab=13, max_length=11, depth=2, block=block))


def translator(positions: str | None) -> EncoderDecoder:
    block = BlockConfig(**BLOCK, positions=positions)
    return EncoderDecoder(
        EncoderDecoderConfig(source_vocab=13, target_vocab=17, max_length=11, block=block)
    )


def tokens(*shape, seed=0) -> torch.Tensor:
    drawn = torch.randint(3, 13, shape, generator=torch.Generator().manual_seed(seed))
    drawn[0, -2:] = 0  # padding, for those models that know it
    return drawn


def images() -> torch.Tensor:
    return torch.randn(2, 1, 15, 15, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


PAIR = (tokens(2, 7), tokens(2, 5, seed=1))
MODELS = {
    "GPT learned": (gpt, (tokens(2, 7),)),
    "GPT rotary": (lambda: gpt(positions="rotary"), (tokens(2, 7),)),
    "GPT alibi": (lambda: gpt(positions="alibi"), (tokens(2, 7),)),
    "GPT window": (lambda: gpt(positions="rotary", window=3, kv_heads=1), (tokens(2, 7),)),
    "GPT modern": (
        lambda: GPT(GPTConfig(vocab=13, max_length=11, depth=2, block=modern_block(24, 3))),
        (tokens(2, 7),),
    ),
    "BERT": (lambda: BERT(BERT_CONFIG), (tokens(2, 7),)),
    "classifier": (lambda: SequenceClassifier(BERT(BERT_CONFIG), 5), (tokens(2, 7),)),
    "encoder-decoder sines": (lambda: translator(None), PAIR),
    "encoder-decoder rotary": (lambda: translator("rotary"), PAIR),
    "ViT": (lambda: ViT(VIT_CONFIG), (images(),)),
}


def make(name: str) -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    build, inputs = MODELS[name]
    torch.manual_seed(0)
    return build().eval(), inputs


def loss(model, inputs):
    """Return the loss that the model is trained with, or the mean of what it answers."""
    if isinstance(model, GPT):
        return next_token_loss(model, *inputs)
    if isinstance(model, EncoderDecoder):
        return teacher_forcing_loss(model, *inputs)
    if isinstance(model, BERT):
        return masked_loss(model, inputs[0], MaskedTokens(inputs[0], inputs[0] > 7))
    return model(*inputs).square().mean()


@pytest.mark.bad_input  # dynamo does not follow the run-time shape checks
@pytest.mark.parametrize("name", MODELS)
def test_forward_and_loss_are_one_graph(name):
    model, inputs = make(name)
    torch._dynamo.reset()
    whole = torch.compile(lambda: loss(model, inputs), fullgraph=True, backend="eager")
    assert_close(whole(), loss(model, inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not AVAILABLE, reason="this torch lets no backend be written in Python")
@pytest.mark.parametrize("name", MODELS)
def test_nothing_waits_for_a_device(name):
    model, inputs = make(name)
    expected = loss(model, inputs).item()
    with strict_device() as traffic:
        model, moved = model.to(NAME), tuple(x.to(NAME) for x in inputs)
        model(*moved)  # tables that grow do so once
        traffic.reads.clear()
        found = loss(model, moved)
        found.backward()
        assert not traffic.reads
        assert found.item() == pytest.approx(expected, abs=1e-4)
        assert traffic.reads, "the test sees what it must not find above"


@pytest.mark.parametrize("name", [*MODELS, "masked autoencoder"])
def test_copies_compute_the_same(name):
    if name == "masked autoencoder":
        torch.manual_seed(0)
        model, inputs = MaskedAutoencoder(ViT(VIT_CONFIG)).eval(), None

        def run(model):
            return model(images(), torch.Generator().manual_seed(0))[0]
    else:
        model, inputs = make(name)

        def run(model):
            return model(*inputs)

    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    copies = {
        "pickle": pickle.loads(pickle.dumps(model)),
        "deepcopy": copy.deepcopy(model),
        "torch.save": torch.load(file, weights_only=False),
    }
    expected = run(model)
    with torch.no_grad():
        for parameter in model.parameters():  # a copy shares nothing
            parameter.mul_(2.0)
    for way, other in copies.items():
        assert_close(run(other), expected, atol=0, rtol=0, msg=way)
    assert not torch.allclose(run(model), expected)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.02), (torch.float16, 0.003)])
def test_half_precision_is_near_float32(name, dtype, most):
    model, inputs = make(name)
    half = copy.deepcopy(model).to(dtype)
    model.load_state_dict(half.state_dict())  # the same numbers, rounded
    if name == "ViT":
        inputs = (inputs[0].to(dtype),)
    found = half(*inputs)
    expected = model(*(x.float() if x.is_floating_point() else x for x in inputs))
    assert found.dtype == dtype
    away = (found.float() - expected).norm() / expected.norm()
    assert away < most, f"{away:.4f}"
