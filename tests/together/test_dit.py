"""DiT: equal to diffusers' on copied weights; three ways to tell it time and label; a text."""

import pytest
import torch
from diffusers import DiTTransformer2DModel

from attnoise.errors import ConfigError, ShapeError
from attnoise.together import PRESETS, DiT, DiTConfig
from attnoise.together.dit import CONDITIONING, grid_positions

SMALL = {"image_size": 6, "channels": 3, "patch": 2, "d": 20, "depth": 2, "heads": 5}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randomised(model, seed=0):
    """Give every weight a size at which it matters, the zero ones too."""
    generator = seeded(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return model.eval()


def copy_linear(theirs, ours, rows=None):
    rows = slice(None) if rows is None else rows
    theirs.weight.data.copy_(ours.weight.data[rows].reshape(theirs.weight.shape))
    theirs.bias.data.copy_(ours.bias.data[rows])


def public_twin(model):
    """Build diffusers' model with the weights of ours."""
    c = model.config
    twin = DiTTransformer2DModel(
        num_attention_heads=c.heads, attention_head_dim=c.d // c.heads, in_channels=c.channels,
        num_layers=c.depth, sample_size=c.image_size, patch_size=c.patch,
        num_embeds_ada_norm=c.classes, norm_eps=1e-6,
    ).eval()  # fmt: skip
    copy_linear(twin.pos_embed.proj, model.read)
    for theirs, ours in zip(twin.transformer_blocks, model.blocks, strict=True):
        emb, attention = theirs.norm1.emb, theirs.attn1
        # diffusers divides by half - 1 where the published code divides by half
        emb.time_proj.downscale_freq_shift = 0
        copy_linear(emb.timestep_embedder.linear_1, model.time[0])
        copy_linear(emb.timestep_embedder.linear_2, model.time[2])
        emb.class_embedder.embedding_table.weight.data[: c.classes] = model.labels.weight.data
        copy_linear(theirs.norm1.linear, ours.modulation.to_vectors)
        layers = (attention.to_q, attention.to_k, attention.to_v, attention.to_out[0])
        a = ours.attention
        for one, other in zip(layers, (a.to_query, a.to_key, a.to_value, a.to_output), strict=True):
            copy_linear(one, other)
        copy_linear(theirs.ff.net[0].proj, ours.mlp[0])
        copy_linear(theirs.ff.net[2], ours.mlp[2])
    copy_linear(twin.proj_out_1, model.modulation[1])
    pixels = torch.arange(model.write.out_features).reshape(c.channels, c.patch, c.patch)
    copy_linear(twin.proj_out_2, model.write, pixels.permute(1, 2, 0).flatten())
    return twin


def test_equals_diffusers_on_copied_weights():
    model = randomised(DiT(DiTConfig(**SMALL, classes=7)))
    x, t = torch.randn(4, 3, 6, 6, generator=seeded(1)), torch.tensor([0.0, 0.25, 0.731, 1.0])
    label = torch.tensor([0, 6, 3, 3])
    with torch.no_grad():
        theirs = public_twin(model)(x, 1000 * t, class_labels=label).sample
        ours = model(x, t, label)
    assert ours.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "millions"), {"S": 33, "B": 130, "L": 458, "XL": 675}.items())
def test_published_sizes(name, millions):
    # Peebles & Xie 2022, table 1: patches of 2, 32 x 32 x 4 latents, 1,000 classes and none,
    # and four more channels out, for variances
    with torch.device("meta"):
        model = DiT(
            DiTConfig(image_size=32, classes=1000, null_class=True, **PRESETS[f"DiT-{name}"])
        )
    d, pixels = model.config.d, 16
    count = sum(p.numel() for p in model.parameters()) + pixels * d + pixels
    assert abs(count / 1e6 - millions) < 0.5


@pytest.mark.parametrize("conditioning", CONDITIONING)
def test_time_and_label_matter_in_each_way(conditioning):
    model = randomised(DiT(DiTConfig(**SMALL, classes=7, conditioning=conditioning)))
    x = torch.randn(1, 3, 6, 6, generator=seeded(1)).expand(4, -1, -1, -1)
    t, label = torch.tensor([0.3, 0.3, 0.3, 0.8]), torch.tensor([2, 2, 5, 2])
    with torch.no_grad():
        first, same, other_label, other_time = model(x, t, label)
    assert torch.equal(first, same)
    assert (first - other_label).abs().max() > 1e-3
    assert (first - other_time).abs().max() > 1e-3


@pytest.mark.parametrize("conditioning", CONDITIONING)
def test_the_first_answer_is_zero(conditioning):
    model = DiT(DiTConfig(**SMALL, conditioning=conditioning))
    answer = model(torch.randn(2, 3, 6, 6, generator=seeded(1)), torch.tensor([0.2, 0.9]))
    assert answer.shape == (2, 3, 6, 6)
    assert not answer.any()


def test_fresh_blocks_pass_on_what_they_get():
    model = DiT(DiTConfig(**SMALL))
    x, condition = torch.randn(2, 9, 20, generator=seeded(1)), torch.randn(2, 20)
    for block in model.blocks:
        torch.testing.assert_close(block(x, condition=condition), x, atol=0, rtol=0)


def test_text_is_heard_and_masked_words_are_not():
    model = randomised(DiT(DiTConfig(**SMALL, context_width=12)))
    x, t = torch.randn(1, 3, 6, 6, generator=seeded(1)), torch.tensor([0.4])
    words = torch.randn(1, 5, 12, generator=seeded(2))
    changed = words.clone()
    changed[:, 3] += 1
    mask = torch.tensor([True, True, True, False, True])[None, None, None]
    with torch.no_grad():
        plain, other = model(x, t, context=words), model(x, t, context=changed)
        masked = [model(x, t, context=w, context_mask=mask) for w in (words, changed)]
        shuffled = model(x, t, context=words[:, [4, 2, 0, 1, 3]])
    assert (plain - other).abs().max() > 1e-3
    torch.testing.assert_close(*masked)
    torch.testing.assert_close(plain, shuffled)  # words bring their order with them, or none


def test_positions_tell_rows_from_columns():
    model = randomised(DiT(DiTConfig(**SMALL)))
    x, t = torch.randn(1, 3, 6, 6, generator=seeded(1)), torch.tensor([0.4])
    with torch.no_grad():
        upright, turned = model(x, t), model(x.transpose(2, 3), t).transpose(2, 3)
    assert (upright - turned).abs().max() > 1e-3
    positions = grid_positions(3, 20)
    assert len(positions.unique(dim=0)) == 9
    torch.testing.assert_close(positions[1, 10:], positions[0, 10:])  # one row
    torch.testing.assert_close(positions[3, :10], positions[0, :10])  # one column


@pytest.mark.parametrize("conditioning", CONDITIONING)
def test_every_parameter_learns(conditioning):
    model = randomised(DiT(DiTConfig(**SMALL, classes=2, conditioning=conditioning)))
    x, t = torch.randn(4, 3, 6, 6, generator=seeded(1)), torch.linspace(0.1, 0.9, 4)
    model(x, t, torch.tensor([0, 1, 0, 1])).square().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"patch": 4}, "patches tile the image"),
        ({"d": 21}, "multiple of heads"),
        ({"d": 30}, "and of 4"),
        ({"null_class": True}, "null_class must be False"),
        ({"conditioning": "film"}, "conditioning must be one of"),
        ({"conditioning": "cross_attention", "context_width": 8}, "use 'adaln_zero'"),
    ],
)
def test_bad_settings(settings, part):
    with pytest.raises(ConfigError, match=part):
        DiTConfig(**(SMALL | settings))


@pytest.mark.bad_input
def test_bad_input():
    x, t, label = torch.zeros(2, 3, 6, 6), torch.zeros(2), torch.zeros(2, dtype=torch.long)
    with pytest.raises(ShapeError, match=r"x_t must have shape \(batch, 3, 6, 6\)"):
        DiT(DiTConfig(**SMALL))(x[:, :2], t)
    with pytest.raises(ShapeError, match="label: the model has 7 classes"):
        DiT(DiTConfig(**SMALL, classes=7))(x, t)
    with pytest.raises(ShapeError, match="context_width = None, but a text"):
        DiT(DiTConfig(**SMALL))(x, t, context=torch.zeros(2, 1, 4))
    with pytest.raises(ShapeError, match="context_width = 4, but no text"):
        DiT(DiTConfig(**SMALL, context_width=4))(x, t)
    with pytest.raises(ShapeError, match="label: the model has 0 classes"):
        DiT(DiTConfig(**SMALL))(x, t, label)
