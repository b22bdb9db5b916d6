"""The U-Net: its blocks are the course's, its skips carry detail, conditions matter."""

import jaxtyping
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from attnoise.diffusion import UNet, UNetConfig, time_features
from attnoise.diffusion.unet import ResidualConvolutions
from attnoise.errors import ConfigError, ShapeError
from attnoise.transformers import Block

SMALL = {"image_size": 12, "channels": 3, "patch": 1, "widths": (8, 16, 24), "depth": 2}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def awake(**options):
    """A small model whose zero-initialised parts are given weights, so that everything matters."""
    torch.manual_seed(0)
    model = UNet(UNetConfig(**{**SMALL, **options}))
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.2)
    return model


def call(model, x, seed=1):
    t = torch.rand(len(x), generator=torch.Generator().manual_seed(seed))
    return model(x, t, torch.arange(len(x)))


def test_first_answer_is_zero():
    assert not call(UNet(UNetConfig(**SMALL)), draw(5, 3, 12, 12)).any()


def test_it_is_made_of_the_course_block_and_each_sample_is_alone():
    model, x = awake(), draw(5, 3, 12, 12)
    assert {type(block) for block in model.blocks} == {Block} and len(model.blocks) == 2
    t, label = torch.rand(5), torch.arange(5)
    alone = model(x[1:2], t[1:2], label[1:2])
    assert_close(model(x, t, label)[1:2], alone, atol=1e-5, rtol=1e-4)


def test_answer_depends_on_time_label_and_a_far_pixel():
    model, x = awake(), draw(2, 3, 12, 12)
    t, label = torch.tensor([0.2, 0.7]), torch.tensor([3, 8])
    before = model(x, t, label)
    assert before.shape == x.shape
    assert not torch.allclose(model(x, t + 0.1, label), before)
    assert not torch.allclose(model(x, t, label - 1), before)
    x[:, :, 11, 11] += 3
    assert (model(x, t, label) - before)[:, :, 0, 0].abs().min() > 1e-7


def test_skips_carry_what_the_small_stages_have_lost(monkeypatch):
    model, x = awake(), draw(2, 3, 12, 12)
    shrink = model.shrink[0].forward
    monkeypatch.setattr(model.shrink[0], "forward", lambda x: 0 * shrink(x))  # no way down is left
    before = call(model, x)
    x[:, :, 5, 7] += 1
    changed = (call(model, x) - before).abs()
    assert changed[:, :, 5, 7].min() > 1e-3


def test_gradients_reach_every_parameter():
    model = awake()
    call(model, draw(3, 3, 12, 12)).square().sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert all("to_key.bias" in name for name in still), (
        still
    )  # a shift of all keys changes nothing


def test_a_null_class_is_one_row_more():
    model = awake(null_class=True, classes=4)
    assert model.labels.num_embeddings == 5
    x = draw(2, 3, 12, 12)
    assert model(x, torch.rand(2), torch.full((2,), 4)).shape == x.shape


def test_compiles_as_one_graph():
    jaxtyping.config.update("jaxtyping_disable", True)  # the checks of shapes are no graph
    torch._dynamo.reset()
    model, x, time, label = awake(), draw(2, 3, 12, 12), torch.tensor([0.2, 0.9]), torch.arange(2)
    with torch.no_grad():
        wanted = model(x, time, label)
        whole = torch.compile(model, fullgraph=True, backend="eager")
        assert_close(whole(x, time, label), wanted)


def test_the_config_is_rebuilt_from_a_card():
    assert UNetConfig(**{**SMALL, "widths": [8, 16, 24]}) == UNetConfig(**SMALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 14}, "multiple of .* 4, but it is 14"),
        ({"image_size": 0}, "image_size must be a whole number of at least 1, but it is 0"),
        ({"patch": 0}, "patch must be a whole number of at least 1, but it is 0"),
        ({"depth": -1}, "depth must be a whole number of at least 1"),
        ({"heads": 0}, "heads must be"),
        ({"channels": 0}, "channels must be"),
        ({"widths": ()}, "widths must be"),
        ({"widths": (-8, 16)}, "widths must be"),
        ({"classes": -1}, "classes at least 0"),
        ({"widths": (8, 16, 20)}, "widths must be multiples of 8"),
        ({"heads": 5}, "with 5 heads"),
        ({"classes": 0, "null_class": True}, "null_class must be False"),
    ],
)
def test_bad_configs_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        UNetConfig(**{**SMALL, **options})


@pytest.mark.bad_input
def test_bad_images_and_labels_are_named():
    model = UNet(UNetConfig(**SMALL))
    with pytest.raises(
        ShapeError, match=r"\(batch, 3, 12, 12\), but its shape is \(2, 3, 12, 11\)"
    ):
        model(draw(2, 3, 12, 11), torch.rand(2), torch.arange(2))
    with pytest.raises(ShapeError, match="no label was given"):
        model(draw(2, 3, 12, 12), torch.rand(2))


def test_defaults():
    assert UNetConfig() == UNetConfig(
        image_size=28, channels=1, patch=2, widths=(48, 96), depth=3, heads=4, classes=10,
        null_class=False,
    )  # fmt: skip


@pytest.mark.parametrize("classes", [0, 10])
def test_the_model_by_hand(classes):
    model = awake(patch=2, image_size=24, classes=classes)
    x_t, time, label = draw(2, 3, 24, 24), torch.tensor([0.2, 0.7]), torch.tensor([3, 8])
    features = time_features(time, 24)
    condition = model.time[2](F.silu(model.time[0](features)))
    condition = condition + model.labels.weight[label] if classes else condition
    first = model.down[0](model.read(F.pixel_unshuffle(x_t, 2)), condition)
    second = model.down[1](model.shrink[0](first), condition)
    x = model.shrink[1](second)
    x = x.flatten(2).mT + model.positions
    for block in model.blocks:
        x = block(x, condition=condition)
    x = x.mT.reshape(2, 24, 3, 3)
    x = model.enlarge[1](x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))
    x = model.up[1](torch.cat([x, second], dim=1), condition)
    x = model.enlarge[0](x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))
    x = model.up[0](torch.cat([x, first], dim=1), condition)
    expected = F.pixel_shuffle(model.write(F.silu(model.norm(x))), 2)
    found = model(x_t, time, label) if classes else model(x_t, time)
    assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_how_it_is_built():
    model = UNet(UNetConfig(widths=(16, 64), heads=2, image_size=32, patch=1))
    assert model.norm.num_groups == model.down[0].norm_1.num_groups == 8
    assert model.down[0].norm_2.num_groups == 8
    assert model.positions.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.blocks[0].attention.heads == 2
    same, wider = ResidualConvolutions(8, 8, 5), ResidualConvolutions(8, 16, 5)
    assert isinstance(same.skip, nn.Identity) and wider.skip.kernel_size == (1, 1)


def test_residual_convolutions_follow_their_formula():
    torch.manual_seed(0)
    stage, x, condition = ResidualConvolutions(8, 16, 5), draw(2, 8, 4, 4), draw(2, 5, seed=1)
    for parameter in (*stage.conv_2.parameters(), *stage.modulate.parameters()):
        nn.init.normal_(parameter, std=0.2)
    scale, shift = stage.modulate(condition).view(2, 2, 16, 1, 1).unbind(dim=1)
    h = stage.conv_1(F.silu(stage.norm_1(x)))
    h = stage.conv_2(F.silu(stage.norm_2(h) * (1 + scale) + shift))
    assert_close(stage(x, condition), stage.skip(x) + h)
    for parameter in stage.modulate.parameters():
        nn.init.zeros_(parameter)
    plain = nn.Sequential(
        stage.norm_1, nn.SiLU(), stage.conv_1, stage.norm_2, nn.SiLU(), stage.conv_2
    )
    assert_close(stage(x, condition), stage.skip(x) + plain(x))
