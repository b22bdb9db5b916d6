"""DiT: equal to diffusers' on copied weights; three ways to tell it time and label; a text."""

import sys

import jaxtyping
import numpy as np
import pytest
import torch
from benchmarks import dit as bench
from benchmarks import gpu_dit
from diffusers import DiTTransformer2DModel

from attnoise.errors import ConfigError, ShapeError
from attnoise.together import DIT_PRESETS, DiT, DiTConfig
from attnoise.together.dit import CONDITIONINGS, grid_positions
from attnoise.training.checkpoints import load_checkpoint, save_checkpoint
from attnoise.transformers import unpatchify

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
        num_layers=c.depth, sample_size=c.image_size, patch_size=c.patch, norm_eps=1e-6,
        num_embeds_ada_norm=c.classes, out_channels=(1 + c.variance) * c.channels,
    ).eval()  # fmt: skip
    copy_linear(twin.pos_embed.proj, model.read)
    for theirs, ours in zip(twin.transformer_blocks, model.blocks, strict=True):
        emb, attention = theirs.norm1.emb, theirs.attn1
        # diffusers divides by half - 1 where the published code divides by half
        emb.time_proj.downscale_freq_shift = 0
        copy_linear(emb.timestep_embedder.linear_1, model.time[0])
        copy_linear(emb.timestep_embedder.linear_2, model.time[2])
        emb.class_embedder.embedding_table.weight.data.copy_(model.labels.weight.data)
        copy_linear(theirs.norm1.linear, ours.modulation.to_vectors)
        layers = (attention.to_q, attention.to_k, attention.to_v, attention.to_out[0])
        a = ours.attention
        for one, other in zip(layers, (a.to_query, a.to_key, a.to_value, a.to_output), strict=True):
            copy_linear(one, other)
        copy_linear(theirs.ff.net[0].proj, ours.mlp[0])
        copy_linear(theirs.ff.net[2], ours.mlp[2])
    copy_linear(twin.proj_out_1, model.modulation[1])
    # theirs writes a patch pixel by pixel, ours channel by channel
    pixels = torch.arange(model.write.out_features).reshape(-1, c.patch, c.patch)
    copy_linear(twin.proj_out_2, model.write, pixels.permute(1, 2, 0).flatten())
    return twin


@pytest.mark.parametrize("variance", [False, True])
def test_equals_diffusers_on_copied_weights(variance):
    config = DiTConfig(**SMALL, classes=7, null_class=True, variance=variance)
    model = randomised(DiT(config))
    x, t = torch.randn(4, 3, 6, 6, generator=seeded(1)), torch.tensor([0.0, 0.25, 0.731, 1.0])
    label = torch.tensor([0, 6, 3, 7])
    with torch.no_grad():
        theirs = public_twin(model)(x, 1000 * t, class_labels=label).sample
        ours = model(x, t, label)
    assert ours.shape == (4, 6 if variance else 3, 6, 6)
    assert ours.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variance", [False, True])
@pytest.mark.parametrize(("name", "millions"), {"S": 33, "B": 130, "L": 458, "XL": 675}.items())
def test_published_sizes(name, millions, variance):
    # Peebles & Xie 2022, table 1: patches of 2, 32 x 32 x 4 latents, 1,000 classes and none
    size = {**DIT_PRESETS[f"DiT-{name}"], "variance": variance}
    with torch.device("meta"):
        model = DiT(DiTConfig(image_size=32, classes=1000, null_class=True, **size))
    count = sum(p.numel() for p in model.parameters())
    assert abs(count / 1e6 - millions) < 0.55
    if name == "XL":  # as facebookresearch's train.py prints it, which counts the positions
        published = count + model.positions.numel() + (0 if variance else 16 * 1152 + 16)
        assert published == 675_129_632


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_time_and_label_matter_in_each_way(conditioning):
    model = randomised(DiT(DiTConfig(**SMALL, classes=7, conditioning=conditioning)))
    x = torch.randn(1, 3, 6, 6, generator=seeded(1)).expand(4, -1, -1, -1)
    t, label = torch.tensor([0.3, 0.3, 0.3, 0.8]), torch.tensor([2, 2, 5, 2])
    with torch.no_grad():
        first, same, other_label, other_time = model(x, t, label)
    assert torch.equal(first, same)
    assert (first - other_label).abs().max() > 1e-3
    assert (first - other_time).abs().max() > 1e-3


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
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


def test_in_context_the_blocks_see_two_tokens_more_and_the_picture_does_not():
    model = randomised(DiT(DiTConfig(**SMALL, classes=7, conditioning="in_context")))
    seen = []
    model.blocks[-1].register_forward_hook(lambda block, inputs, x: seen.append(x))
    x, t, label = torch.randn(1, 3, 6, 6), torch.tensor([0.4]), torch.tensor([3])
    answer = model(x, t, label)
    assert seen[0].shape == (1, 9 + 2, 20)
    expected = unpatchify(model.write(model.norm(seen[0][:, :9])), 2, 3)
    torch.testing.assert_close(answer, expected)


def test_weights_start_as_published():
    torch.manual_seed(0)
    options = {"image_size": 4, "patch": 2, "d": 384, "depth": 1, "heads": 6, "classes": 10}
    model = DiT(DiTConfig(**options, context_width=64))
    own, mlp = model.blocks[0].attention, model.blocks[0].mlp

    def std(layer):
        return layer.weight.std().item()

    for layer in (own.to_query, own.to_output):
        assert std(layer) == pytest.approx((2 / (2 * 384)) ** 0.5, rel=0.02)
    assert std(mlp[0]) == pytest.approx((2 / (5 * 384)) ** 0.5, rel=0.02)
    for layer in (model.time[0], model.time[2], model.labels):
        assert std(layer) == pytest.approx(0.02, rel=0.05)
    biases = [p for n, p in model.named_parameters() if n.endswith("bias")]
    assert not any(bias.any() for bias in biases)


def test_label_embeddings_start_at_the_size_that_is_asked_for():
    torch.manual_seed(0)
    model = DiT(DiTConfig(**SMALL, classes=100, label_std=1.0))
    assert model.labels.weight.std().item() == pytest.approx(1, rel=0.05)


def test_every_norm_has_the_configs_epsilon():
    model = DiT(DiTConfig(**SMALL, context_width=12, norm_eps=0.25))
    norms = [m.eps for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert norms == [0.25] * (2 * 3 + 1)


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_training_from_the_published_zeros_reaches_every_parameter(conditioning):
    torch.manual_seed(0)
    width = None if conditioning == "cross_attention" else 12
    settings = {**SMALL, "classes": 2, "conditioning": conditioning, "context_width": width}
    model = DiT(DiTConfig(**settings))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    x, t = torch.randn(4, 3, 6, 6, generator=seeded(1)), torch.linspace(0.1, 0.9, 4)
    text = {} if width is None else {"context": torch.randn(4, 5, 12, generator=seeded(2))}
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for _ in range(4):  # zeros wake one after the other: the last layer, the gates, the rest
        (model(x, t, torch.tensor([0, 1, 0, 1]), **text) - x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    still = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    assert all("to_key.bias" in name for name in still), still  # a shift of all keys is no change


def test_the_config_comes_back_from_a_card(tmp_path):
    settings = {**SMALL, "classes": 7, "context_width": 5, "mlp": "swiglu", "norm_eps": 1e-5}
    model = randomised(DiT(DiTConfig(**settings, variance=True)))
    save_checkpoint(tmp_path / "tiny", model, {"seed": 0})
    again, _ = load_checkpoint(tmp_path / "tiny")
    assert again.config == model.config
    x, t, label = torch.randn(2, 3, 6, 6), torch.rand(2), torch.tensor([0, 6])
    words = torch.randn(2, 4, 5)
    with torch.no_grad():
        assert torch.equal(again(x, t, label, context=words), model(x, t, label, context=words))


def test_text_conditions_and_masked_words_do_not():
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


def test_positions_are_right_to_the_last_digit_of_float32_far_from_the_corner():
    frequencies = 10_000.0 ** (-np.arange(5) / 5)
    angles = np.arange(300)[:, None] * frequencies
    axis = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    positions = grid_positions(300, 20).double().numpy().reshape(300, 300, 20)
    np.testing.assert_allclose(positions[7, :, :10], axis, atol=1e-7)
    np.testing.assert_allclose(positions[:, 7, 10:], axis, atol=1e-7)


def test_learned_positions_fit_an_odd_width():
    config = {**SMALL, "d": 15, "depth": 1, "time_width": 8}
    model = DiT(DiTConfig(**config, positions="learned"))
    assert model(torch.zeros(1, 3, 6, 6), torch.tensor([0.5])).shape == (1, 3, 6, 6)


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_every_parameter_learns(conditioning):
    model = randomised(DiT(DiTConfig(**SMALL, classes=2, conditioning=conditioning)))
    x, t = torch.randn(4, 3, 6, 6, generator=seeded(1)), torch.linspace(0.1, 0.9, 4)
    model(x, t, torch.tensor([0, 1, 0, 1])).square().mean().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_patches_go_back_where_they_came_from():
    options = {"positions": "learned", "final_modulation": False, "d": 12, "heads": 2}
    model = DiT(DiTConfig(image_size=6, channels=3, patch=2, depth=1, **options))
    model.read = model.write = model.norm = torch.nn.Identity()
    model.blocks, x = torch.nn.ModuleList(), torch.randn(2, 3, 6, 6)
    model.positions.data.zero_()
    torch.testing.assert_close(model(x, torch.rand(2)), x)


def test_positions_are_fixed_or_learned():
    fixed, learned = (DiT(DiTConfig(**SMALL, positions=name)) for name in ("sincos", "learned"))
    assert "positions" not in fixed.state_dict()
    assert learned.state_dict()["positions"].shape == (9, 20)
    assert learned.positions.std().item() == pytest.approx(0.02, rel=0.3)


def test_without_final_modulation_the_last_norm_has_a_gain_of_its_own():
    model = DiT(DiTConfig(**SMALL, final_modulation=False))
    assert model.modulation is None
    assert model.norm.weight.shape == model.norm.bias.shape == (20,)
    modulated = DiT(DiTConfig(**SMALL))
    assert modulated.norm.weight is None and modulated.modulation[1].out_features == 40
    x = torch.randn(2, 9, 20)
    with torch.no_grad():
        modulated.modulation[1].bias[:20], modulated.modulation[1].bias[20:] = 3.0, 1.0
        wanted = 2 * modulated.norm(x) + 3  # shift 3, scale 1
        torch.testing.assert_close(modulated.final_norm(x, torch.zeros(2, 20)), wanted)


def test_time_width_is_that_of_the_embedding():
    assert DiT(DiTConfig(**SMALL, time_width=48)).time[0].in_features == 48


# Sums and sums of squares of the shipped denoisers' predictions for four fixed inputs, as the class
# computed them with which they were trained: the one DiT must be the same function.
TRAINED_AS = {
    "digits-ddpm": (
        (-16.0732, -18.9301, -27.1329, -23.7821),
        (33.8637, 30.2316, 35.2926, 33.4942),
    ),
    "digits-guided": (
        (-14.9158, -19.0099, -24.9577, -27.2817),
        (35.2683, 28.3632, 34.9097, 30.1282),
    ),
    "digits-edm": (
        (10.795, -38.616, -30.9494, -31.4925),
        (203.7861, 162.494, 63.7135, 54.1001),
    ),
    "digits-consistency": (
        (-6.7415, -40.6883, -32.8922, -27.2376),
        (100.4708, 115.1406, 57.5542, 60.6319),
    ),
}


@pytest.mark.parametrize("name", TRAINED_AS)
def test_shipped_denoisers_of_digits_predict_what_they_did_when_trained(name):
    model, card = load_checkpoint(name)
    assert type(model) is DiT
    assert model.config == DiTConfig(**DIT_PRESETS["digits"], null_class=name == "digits-guided")
    x = torch.randn(4, 1, 8, 8, generator=seeded(12), dtype=torch.float64).float()
    label = torch.tensor([0, 9, 3, 10 if model.config.null_class else 7])
    with torch.no_grad():
        answer = model(x, torch.tensor([0.001, 0.25, 0.731, 1.0]), label).double().flatten(1)
    sums, squares = (torch.tensor(row, dtype=torch.float64) for row in TRAINED_AS[name])
    torch.testing.assert_close(answer.sum(dim=1), sums, atol=2e-3, rtol=0)
    torch.testing.assert_close(answer.square().sum(dim=1), squares, atol=2e-3, rtol=1e-5)


@pytest.mark.parametrize("options", [{"classes": 7}, {"context_width": 12}, {"conditioning": "in_context"}, {"conditioning": "cross_attention"}, DIT_PRESETS["digits"]])  # fmt: skip
def test_compiles_as_one_graph(options):
    jaxtyping.config.update("jaxtyping_disable", True)  # the checks of shapes are no graph
    torch._dynamo.reset()
    model = randomised(DiT(DiTConfig(**{**SMALL, **options})))
    x = torch.randn(2, model.config.channels, 6, 6)
    label = torch.tensor([0, 6]) if model.config.classes else None
    text = {"context": torch.randn(2, 5, 12)} if model.config.context_width else {}
    whole = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        wanted = model(x, torch.tensor([0.2, 0.9]), label, **text)
        torch.testing.assert_close(whole(x, torch.tensor([0.2, 0.9]), label, **text), wanted)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"patch": 4}, "patches tile the image"),
        ({"patch": 0}, "patch must be a whole number of at least 1, but it is 0"),
        ({"heads": 0}, "heads must be a whole number of at least 1, but it is 0"),
        ({"context_width": 0}, "context_width must be a whole number"),
        ({"depth": -1}, "depth must be a whole number"),
        ({"time_width": 7}, "time_width = 7"),
        ({"norm_eps": -1e-6}, "norm_eps must be above 0"),
        ({"mlp": "glu"}, "mlp must be one of"),
        ({"classes": -1}, "classes at least 0, but they are False and -1"),
        ({"d": 21}, "multiple of heads"),
        ({"d": 30}, "and of 4"),
        ({"null_class": True}, "null_class must be False"),
        ({"conditioning": "film"}, "conditioning must be one of"),
        ({"positions": "rotary"}, "positions must be one of 'sincos', 'learned'"),
        ({"label_std": 0.0}, "label_std must be above 0"),
        ({"norm_eps": float("nan")}, "norm_eps must be above 0"),
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
    with pytest.raises(ShapeError, match="context_width = None, but no text was given; pass one"):
        looks_up = DiT(DiTConfig(**SMALL, conditioning="cross_attention"))
        looks_up(x, t, context_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"time must have shape \(2,\).* but it has shape \(\)"):
        DiT(DiTConfig(**SMALL))(x, torch.tensor(0.5))
    with pytest.raises(ShapeError, match=r"label must have shape \(2,\).* shape \(1,\)"):
        DiT(DiTConfig(**SMALL, classes=7))(x, t, label[:1])
    with pytest.raises(ShapeError, match="context must have shape .* width = 4"):
        DiT(DiTConfig(**SMALL, context_width=4))(x, t, context=torch.zeros(2, 3, 5))


def test_benchmark_compares_equals():
    config = DiTConfig(**SMALL, classes=7, null_class=True)
    ours, theirs = bench.make_pair(config)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
    assert sizes[0] == sizes[1]


def test_gpu_benchmark_counts_as_published():
    # multiply-adds of one image, Peebles & Xie 2022, table 4; softmax and norms do not count
    for name, billions in {"DiT-S": 6.06, "DiT-B": 23.01}.items():
        config = gpu_dit.latent_config(name)
        assert gpu_dit.operations_per_image(config) / 6e9 == pytest.approx(billions, rel=0.01)


def test_gpu_benchmark_counts_every_image(monkeypatch):
    ticks = iter(range(100))  # the clock gives one second to each run of steps
    monkeypatch.setattr(gpu_dit, "synchronised_clock", lambda device: float(next(ticks)))
    config = DiTConfig(**SMALL, classes=7)
    cpu = torch.device("cpu")
    assert gpu_dit.measure_speed(config, cpu, batch=3, steps=2, compiled=False) == 2 * 3


def test_gpu_benchmark_says_that_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_dit"])
    with pytest.raises(SystemExit, match="needs a CUDA GPU, but torch sees none"):
        gpu_dit.main()


def test_the_default_is_four_blocks_of_width_128_as_published_for_the_rest():
    config = DiTConfig()
    assert (config.d, config.depth, config.heads) == (128, 4, 4)
    assert (config.image_size, config.channels, config.patch) == (8, 4, 2)
    assert (config.time_width, config.label_std, config.norm_eps) == (256, 0.02, 1e-6)
    assert (config.mlp, config.positions, config.conditioning) == (
        "gelu_tanh", "sincos", "adaln_zero",
    )  # fmt: skip


def test_sines_need_a_multiple_of_four_and_learned_positions_none():
    assert DiT(DiTConfig(d=6, heads=3, positions="learned")).positions.shape == (16, 6)
    with pytest.raises(ConfigError, match="multiple of heads and of 4"):
        DiTConfig(d=6, heads=3)


def test_every_bias_starts_at_zero():
    model = DiT(DiTConfig(**SMALL, classes=3, context_width=7))
    biases = [part.bias for part in model.modules() if isinstance(part, torch.nn.Linear)]
    assert len(biases) > 10
    assert not any(bias.any() for bias in biases)


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["norm_eps", "label_std"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_what_must_be_above_zero_is_named(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be"):
        DiTConfig(**{name: value})
