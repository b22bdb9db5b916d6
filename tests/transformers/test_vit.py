"""ViT: equal to transformers' on copied weights; patches; roll-out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.attention import record_weights
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.transformers import (
    BlockConfig,
    ViT,
    ViTConfig,
    attention_rollout,
    patchify,
    unpatchify,
)
from attnoise.transformers.vit import roll_out
from transformers import ViTConfig as TheirConfig
from transformers import ViTForImageClassification


def images(b, seed=0, c=3, side=15):
    return torch.randn(b, c, side, side, generator=torch.Generator().manual_seed(seed))


def make(pool="class", **options) -> ViT:
    torch.manual_seed(0)
    block = BlockConfig(d=20, heads=5, **options)
    shape = {"image_size": 15, "patch": 5, "channels": 3, "classes": 7, "depth": 2}
    return ViT(ViTConfig(**shape, block=block, pool=pool)).eval()


def test_logits_equal_those_of_transformers_vit_on_copied_weights():
    torch.manual_seed(1)
    theirs = ViTForImageClassification(
        TheirConfig(image_size=15, patch_size=5, num_channels=3, num_labels=7, hidden_size=20,
                    num_hidden_layers=2, num_attention_heads=5, intermediate_size=33)
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    given = {k.removeprefix("vit."): v for k, v in theirs.state_dict().items()}
    ours = make(hidden=33, norm_eps=1e-12)
    state = {
        "class_token": given["embeddings.cls_token"][0],
        "positions": given["embeddings.position_embeddings"][0],
        "patches.weight": given["embeddings.patch_embeddings.projection.weight"].flatten(1),
        "patches.bias": given["embeddings.patch_embeddings.projection.bias"],
    }
    pairs = {"norm": ["layernorm"], "head": ["classifier"]}
    for i in range(2):
        # the names before and after transformers renamed its layers
        for mine, options in {
            "attention.to_query": ["attention.attention.query", "attention.q_proj"],
            "attention.to_key": ["attention.attention.key", "attention.k_proj"],
            "attention.to_value": ["attention.attention.value", "attention.v_proj"],
            "attention.to_output": ["attention.output.dense", "attention.o_proj"],
            "attention_norm": ["layernorm_before"],
            "mlp_norm": ["layernorm_after"],
            "mlp.0": ["intermediate.dense", "mlp.fc1"],
            "mlp.2": ["output.dense", "mlp.fc2"],
        }.items():
            places = [
                f"{root}.{i}.{name}" for root in ("encoder.layer", "layers") for name in options
            ]
            pairs[f"blocks.{i}.{mine}"] = places
    for mine, places in pairs.items():
        found = [place for place in places if f"{place}.weight" in given]
        assert len(found) == 1, (mine, places, sorted(given))
        for kind in ("weight", "bias"):
            state[f"{mine}.{kind}"] = given[f"{found[0]}.{kind}"]
    ours.load_state_dict(state)
    assert_close(ours(images(2)), theirs(images(2)).logits, atol=1e-5, rtol=1e-4)


@given(b=st.integers(1, 3), c=st.integers(1, 3), i=st.integers(1, 4), p=st.integers(1, 5))
def test_patches_go_back_where_they_came_from(b, c, i, p):
    x = images(b, c=c, side=i * p)
    patches = patchify(x, p)
    assert patches.shape == (b, i * i, c * p * p)
    assert_close(unpatchify(patches, p, c), x, atol=0, rtol=0)


def test_patches_are_read_row_by_row():
    x = images(1)
    assert_close(patchify(x, 5)[0, 1], x[0, :, :5, 5:10].flatten())


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_without_positions_the_order_of_patches_is_nothing(pool):
    model, x, order = make(pool), images(2), torch.randperm(9)
    shuffled = unpatchify(patchify(x, 5)[:, order], 5, 3)
    assert not torch.allclose(model(shuffled), model(x), atol=1e-4)
    with torch.no_grad():
        model.positions.zero_()
    assert_close(model(shuffled), model(x), atol=1e-5, rtol=1e-4)


def test_rollout_is_the_product_by_hand():
    model, x = make(), images(2)
    flow = attention_rollout(model, x)
    assert_close(flow.sum(dim=-1), torch.ones(2, 10))
    with torch.no_grad(), record_weights(model) as recorded:
        model(x)
    first, second = (w.mean(dim=1) for w in recorded.values())
    eye = torch.eye(10)
    assert_close(flow, (second + eye) @ (first + eye) / 4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_rollout_is_as_precise_as_the_weights(dtype):
    weights = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert roll_out([weights, weights]).dtype == dtype


def test_hidden_patches_have_no_influence_on_what_is_seen():
    model, x = make(), images(2)
    keep = torch.tensor([[0, 4, 7], [8, 1, 2]])
    seen = model.encode(x, keep)
    patches = patchify(x, 5)
    hidden = torch.ones(2, 9, dtype=torch.bool).scatter(1, keep, False)
    patches[hidden] = 9.0
    assert_close(model.encode(unpatchify(patches, 5, 3), keep), seen)
    assert seen.shape == (2, 4, 20)


def test_defaults():
    assert ViTConfig() == ViTConfig(
        image_size=28, patch=4, channels=1, classes=10, depth=4, block=BlockConfig(d=96, heads=4),
        pool="class",
    )  # fmt: skip
    assert_close(unpatchify(patchify(images(2, c=1), 5), 5), images(2, c=1), atol=0, rtol=0)


def test_weights_start_as_they_should():
    torch.manual_seed(0)
    model = ViT(ViTConfig(image_size=80, patch=5, channels=3, block=BlockConfig(d=64, heads=4)))
    assert model.positions.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.patches.weight.std().item() == pytest.approx(75**-0.5, rel=0.05)
    assert not model.class_token.any() and model.class_token.shape == (1, 64)


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_the_model_by_hand(pool):
    model, x = make(pool), images(2)
    model.dropout = torch.nn.Hardtanh(-0.5, 0.5)
    with torch.no_grad():
        model.class_token.add_(1.0)
    y = model.patches(patchify(x, 5))
    first = model.class_token.expand(2, -1, -1)
    y = (torch.cat([first, y], dim=1) + model.positions).clamp(-0.5, 0.5)
    for block in model.blocks:
        y = block(y)
    y = model.norm(y)
    assert_close(model(x), model.head(y[:, 0] if pool == "class" else y.mean(dim=1)))
    assert ViT(ViTConfig(block=BlockConfig(d=12, heads=3, dropout=0.25))).dropout.p == 0.25


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["image_size", "patch", "channels", "classes", "depth"])
def test_sizes_are_at_least_one(name):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1"):
        ViTConfig(**{name: 0})


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: patchify(images(1), 0), "^p must be a whole number"),
        (lambda: patchify(images(1)[0], 5), r"^images must have shape .* \(3, 15, 15\)"),
        (lambda: patchify(images(1)[:, :, :10, :14], 5), r"^images must have shape .* \(1, 3, 10, 14\)"),
        (lambda: patchify(images(1)[:, :, :14, :10], 5), r"^images must have shape .* \(1, 3, 14, 10\)"),
        (lambda: unpatchify(torch.zeros(1, 9, 12), 0), "^p must be a whole number"),
        (lambda: unpatchify(torch.zeros(1, 9, 12), 2, 0), "^c must be a whole number"),
        (lambda: unpatchify(torch.zeros(1, 8, 12), 2, 3), r"a square number, 12\) .* \(1, 8, 12\)"),
        (lambda: unpatchify(torch.zeros(1, 9, 13), 2, 3), r"a square number, 12\) .* \(1, 9, 13\)"),
        (lambda: unpatchify(torch.zeros(9, 12), 2, 3), r"a square number, 12\) .* \(9, 12\)"),
        (lambda: make().encode(images(1), torch.tensor([[0, 9]])), "^keep must lie between 0 and 8"),
        (lambda: roll_out([]), "^weights must be those of at least one block"),
    ],
)  # fmt: skip
def test_each_argument_is_named(call, message):
    with pytest.raises((ConfigError, DataError, ShapeError), match=message):
        call()


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(
        ShapeError, match=r"^images must have shape \(batch, 3, 15, 15\).*\(2, 1, 15"
    ):
        make()(images(2, c=1))
    with pytest.raises(ShapeError, match="multiples of p = 4"):
        patchify(images(1), 4)
    with pytest.raises(ConfigError, match="image_size must be a multiple of patch.*28 and 5"):
        ViTConfig(patch=5)
    with pytest.raises(ConfigError, match="pool must be one of 'class', 'mean', but it is 'max'"):
        ViTConfig(pool="max")
    with pytest.raises(ConfigError, match="block.causal must be False: every patch"):
        make(causal=True)
