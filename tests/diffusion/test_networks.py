"""The denoising networks: patches keep their place, conditions matter, sizes are checked."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.diffusion import (
    PointDenoiser,
    time_features,
)
from attnoise.errors import ConfigError, ShapeError
from attnoise.together import DiT, DiTConfig
from attnoise.transformers import Block


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def awake(**options):
    """A small model whose zero-initialised parts are given weights, so that everything matters."""
    torch.manual_seed(0)
    model = DiT(DiTConfig(**{"d": 24, "depth": 2, **options}))
    for layer in (model.write, *(block.modulation.to_vectors for block in model.blocks)):
        nn.init.normal_(layer.weight, std=0.2)
    return model


def test_first_answer_is_zero():
    model = DiT(DiTConfig(d=24, depth=2))
    assert (model(draw(3, 1, 8, 8), torch.rand(3), torch.arange(3)) == 0).all()


def test_patches_go_back_where_they_came_from():
    model = awake(image_size=6, channels=3, patch=2, depth=1, classes=0, d=12)
    model.read, model.write, model.norm = nn.Identity(), nn.Identity(), nn.Identity()
    model.blocks, x = nn.ModuleList(), draw(2, 3, 6, 6)
    model.positions.data.zero_()
    assert_close(model(x, torch.rand(2)), x)


def test_answer_depends_on_time_label_and_every_pixel():
    model, x, t, label = awake(), draw(2, 1, 8, 8), torch.tensor([0.2, 0.7]), torch.tensor([3, 8])
    before = model(x, t, label)
    assert before.shape == x.shape
    assert not torch.allclose(model(x, t + 0.1, label), before)
    assert not torch.allclose(model(x, t, label - 1), before)
    x[:, :, 7, 7] += 3
    changed = (model(x, t, label) - before).abs() > 1e-6
    assert changed[:, :, 0, 0].all()


def test_it_is_made_of_the_course_block_and_each_sample_is_alone():
    model, x, t, label = awake(), draw(3, 1, 8, 8), torch.rand(3), torch.arange(3)
    assert all(type(block) is Block for block in model.blocks)
    assert_close(model(x, t, label)[1:2], model(x[1:2], t[1:2], label[1:2]), atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_parameter():
    model = awake()
    model(draw(3, 1, 8, 8), torch.rand(3), torch.arange(3)).square().sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still in ([], [f"blocks.{i}.attention.to_key.bias" for i in range(2)])


def test_point_denoiser_sees_time_and_place():
    torch.manual_seed(0)
    model, x = PointDenoiser(d=16, depth=2), draw(5, 2)
    before = model(x, torch.full((5,), 0.3))
    assert before.shape == (5, 2)
    assert not torch.allclose(model(x, torch.full((5,), 0.4)), before)
    assert not torch.allclose(model(x + 1, torch.full((5,), 0.3)), before)


def test_time_features_tell_neighbouring_steps_apart():
    features = time_features(torch.arange(1001) / 1000, 64)
    assert_close(features[0], torch.cat([torch.ones(32), torch.zeros(32)]))
    assert_close(features[250, 32], torch.tensor(250.0).sin(), atol=1e-3, rtol=0)
    assert (features[1:] - features[:-1]).norm(dim=-1).min() > 0.5


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("call", "message", "error"),
    [
        (lambda: DiTConfig(patch=3), "multiple of patch, but they are 8 and 3", ConfigError),
        (lambda: DiTConfig(d=90, heads=4), "d = 90, heads = 4", ConfigError),
        (lambda: PointDenoiser(d=15), "d must be even", ConfigError),
        (lambda: awake()(draw(2, 1, 9, 8), torch.rand(2), torch.arange(2)), r"\(batch, 1, 8, 8\), but its shape is \(2, 1, 9, 8\)", ShapeError),
        (lambda: awake()(draw(2, 1, 8, 8), torch.rand(2)), "10 classes, but no label", ShapeError),
        (lambda: awake(classes=0)(draw(2, 1, 8, 8), torch.rand(2), torch.arange(2)), "0 classes, but a label", ShapeError),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message, error):
    with pytest.raises(error, match=message):
        call()
