"""Autoencoders: sizes, the latent scale, training on little pictures, and what is no image."""

import copy
import math
import pickle

import jaxtyping
import pytest
import torch
import torch.nn.functional as F

from attnoise.data import draw_captions, load_captions
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.latent import (
    Autoencoder,
    AutoencoderConfig,
    autoencoder_loss,
    elbo,
    fit_latent_scale,
    reparameterise,
)
from attnoise.latent.autoencoder import ResidualBlock
from attnoise.training.checkpoints import load_checkpoint, save_checkpoint

SMALL = {"image_size": 12, "channels": 5, "patch": 3, "widths": (8, 16), "latent_channels": 3}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def build(seed=0, **settings):
    torch.manual_seed(seed)
    return Autoencoder(AutoencoderConfig(**(SMALL | settings)))


def pictures(n=7, seed=0):
    return torch.rand(n, 5, 12, 12, generator=seeded(seed)) * 2 - 1


@pytest.mark.parametrize(
    "settings", [{}, {"bottleneck": "vae"}, {"bottleneck": "fsq", "levels": (4, 3, 5)}]
)
def test_sizes(settings):
    model, x = build(**settings), pictures()
    assert model.config.latent_size == 2
    assert model.encode(x).shape == (7, 3, 2, 2)
    assert model.decode(model.encode(x)).shape == model(x).shape == x.shape


def test_shipped_size_is_small():
    model = Autoencoder(AutoencoderConfig())
    assert model.config.latent_size == 8
    assert sum(p.numel() for p in model.parameters()) < 400_000
    assert model.encode(torch.zeros(5, 3, 32, 32)).shape == (5, 4, 8, 8)


@pytest.mark.parametrize(("widths", "size"), [((8,), 16), ((8, 8, 16), 4), ((8, 16, 8, 8), 2)])
def test_each_further_stage_halves_the_latent(widths, size):
    model, x = build(image_size=48, widths=widths), torch.zeros(1, 5, 48, 48)
    assert model.config.latent_size == size
    assert model.encode(x).shape == (1, 3, size, size)
    assert model(x).shape == x.shape


def test_convolutions_lead_through_the_widths_and_back():
    def convolutions(way):
        return [tuple(part.weight.shape) for part in way if isinstance(part, torch.nn.Conv2d)]

    model = build(widths=(8, 16, 24))
    down = [(8, 45, 3, 3), (16, 8, 3, 3), (24, 16, 3, 3), (3, 24, 1, 1)]
    up = [(24, 3, 3, 3), (16, 24, 3, 3), (8, 16, 3, 3), (45, 8, 3, 3)]
    assert convolutions(model.encoder) == down
    assert convolutions(model.decoder) == up


def test_residual_block_follows_its_formula():
    block, x = ResidualBlock(16), torch.randn(3, 16, 5, 7, generator=seeded())
    assert torch.equal(block(x), x)
    for seed, parameter in enumerate(block.parameters()):
        torch.nn.init.normal_(parameter, std=0.3, generator=seeded(seed))
    a, b, c, d, e, f, g, h = block.parameters()
    hidden = F.conv2d(F.silu(F.group_norm(x, 8, a, b)), c, d, padding=1)
    wanted = x + F.conv2d(F.silu(F.group_norm(hidden, 8, e, f)), g, h, padding=1)
    torch.testing.assert_close(block(x), wanted)


def test_only_training_with_a_generator_draws():
    model, x = build(bottleneck="vae"), pictures()
    assert torch.equal(model(x), model(x))
    assert torch.equal(model(x, seeded(1)), model(x, seeded(1)))
    assert not torch.equal(model(x, seeded(1)), model(x, seeded(2)))
    torch.testing.assert_close(model(x), model.decode(model.encode(x)))


def test_reparameterised_numbers_are_the_mean_and_scaled_noise():
    mean, log_variance = torch.randn(2, 5, 7, generator=seeded())
    noise = torch.randn(5, 7, generator=seeded(1))
    z = reparameterise(mean, log_variance, seeded(1))
    torch.testing.assert_close(z, mean + log_variance.exp().sqrt() * noise)
    with torch.device("meta"):  # a default device that is not the generator's
        assert torch.equal(reparameterise(mean, log_variance, seeded(1)), z)


@pytest.mark.parametrize("settings", [{}, {"bottleneck": "fsq", "levels": (4, 3, 5)}])
def test_without_a_posterior_there_is_no_variance_and_no_draw(settings):
    model, x, generator = build(**settings), pictures(), seeded(1)
    mean, log_variance = model.posterior(x)
    assert torch.equal(log_variance, torch.full_like(mean, -math.inf))
    assert torch.equal(reparameterise(mean, log_variance, generator), mean)
    assert torch.equal(model(x, generator), model(x))


def test_quantised_latents_lie_on_the_grid():
    model, levels = build(bottleneck="fsq", levels=(4, 3, 5)), torch.tensor([4, 3, 5])
    model.encoder[-1].weight.data *= 5
    latents = model.encode(pictures(50))
    steps = latents * (levels // 2)[:, None, None]
    torch.testing.assert_close(steps, steps.round(), atol=1e-5, rtol=0)
    found = [len(channel.round().unique()) for channel in steps.unbind(1)]
    assert found == [4, 3, 5]


def test_measured_latents_are_standard_and_the_pictures_stay_the_same():
    model, x = build(bottleneck="vae"), pictures(300)
    before, mean = model(x[:9]), model.posterior(x)[0]
    fit_latent_scale(model, x)
    latents = model.encode(x)
    torch.testing.assert_close(latents.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.decode(latents[:9]), before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.latent_std, mean.std(dim=(0, 2, 3)))
    fit_latent_scale(model, x)  # a second time changes nothing
    torch.testing.assert_close(model.encode(x), latents, atol=1e-4, rtol=1e-4)


def test_the_scale_is_part_of_the_checkpoint(tmp_path):
    model, x = build(), pictures(50)
    fit_latent_scale(model, x)
    save_checkpoint(tmp_path / "small", model, {})
    loaded, card = load_checkpoint(tmp_path / "small")
    assert card["config"]["widths"] == [8, 16]
    torch.testing.assert_close(loaded.encode(x), model.eval().encode(x))


def test_depth_adds_a_pair_to_each_stage_of_both_ways():
    def pairs(depth):
        model = build(depth=depth)
        ways = (model.encoder, model.decoder)
        return [sum(isinstance(part, ResidualBlock) for part in way) for way in ways]

    assert pairs(1) == [2, 3]
    assert pairs(4) == [8, 9]


def test_gradients_reach_every_parameter():
    model = build(bottleneck="vae", depth=2)
    for parameter in model.parameters():
        if not parameter.any():  # the convolutions that start at zero
            torch.nn.init.normal_(parameter, std=0.1, generator=seeded())
    autoencoder_loss(model, pictures(), seeded(), kl_weight=1e-3).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_what_cannot_be_measured_leaves_the_scale_alone():
    model, x = build(), pictures(50)
    assert not model.has_latent_scale
    fit_latent_scale(model, x)
    assert model.has_latent_scale
    before = model.latent_mean.clone(), model.latent_std.clone()
    torch.nn.init.zeros_(model.encoder[-1].weight[1])
    for bad, message in ((x * math.nan, "finite"), (x[:0], "some hundreds"), (x, "constant")):
        with pytest.raises(DataError, match=message):
            fit_latent_scale(model, bad)
        assert torch.equal(model.latent_mean, before[0])
        assert torch.equal(model.latent_std, before[1])


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1 / 0.18215), (0.5, 1.0)])
def test_a_scale_may_be_a_mean_or_a_deviation_alone(mean, std):  # Stable Diffusion's has no mean
    model, x = build(), pictures()
    raw = model.encode(x)
    model.latent_mean.fill_(mean)
    model.latent_std.fill_(std)
    assert model.has_latent_scale
    torch.testing.assert_close(model.encode(x), (raw - mean) / std)


def test_a_dead_channel_is_named():
    model = build()
    last = model.encoder[-1]
    torch.nn.init.zeros_(last.weight[1])
    with pytest.raises(DataError, match=r"channels \[1\] are constant"):
        fit_latent_scale(model, pictures())


@pytest.mark.parametrize("bottleneck", ["plain", "vae"])
def test_a_few_steps_beat_the_mean_picture(bottleneck):
    x = draw_captions(load_captions("train")[:50] * 4, seeded(0))  # single things
    torch.manual_seed(0)
    model = Autoencoder(AutoencoderConfig(widths=(16, 16), bottleneck=bottleneck))
    optimizer, generator = torch.optim.Adam(model.parameters(), lr=4e-3), seeded(1)
    for _ in range(60):
        rows = torch.randint(len(x), (16,), generator=generator)
        loss = autoencoder_loss(model, x[rows], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = (model(x) - x).square().mean()
    assert error < 0.6 * (x.mean(0) - x).square().mean()


# --- bad input


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"bottleneck": "vq"}, "bottleneck must be one of"),
        ({"widths": (8, 12)}, "multiples of 8"),
        ({"widths": ()}, "multiples of 8"),
        ({"widths": (8, 0)}, "multiples of 8"),
        ({"depth": 0}, "depth must be a whole number of at least 1"),
        ({"latent_channels": 0}, "latent_channels must be a whole number"),
        ({"image_size": 0}, "image_size must be a whole number"),
        ({"bottleneck": "fsq", "levels": (3, 3, 1001)}, "at most 1,000"),
        ({"image_size": 14}, "multiple of patch times 2"),
        ({"image_size": 15}, "multiple of patch times 2 for each further stage, 6, but it is 15"),
        ({"image_size": 18, "widths": (8, 8, 8)}, "further stage, 12, but it is 18"),
        ({"patch": 0}, "patch must be a whole number of at least 1"),
        ({"depth": 1.5}, "depth must be a whole number of at least 1"),
        ({"bottleneck": "fsq"}, "levels must hold 3 numbers"),
        ({"levels": (3, 3, 3)}, "levels must hold 0 numbers"),
        ({"bottleneck": "fsq", "levels": (3, 3, 1)}, "at least 2"),
    ],
)
def test_bad_settings(settings, part):
    with pytest.raises(ConfigError, match=part):
        AutoencoderConfig(**(SMALL | settings))


@pytest.mark.bad_input
def test_bad_input():
    model = build()
    with pytest.raises(ShapeError, match=r"images must have shape \(batch, 5, 12, 12\)"):
        model.encode(torch.zeros(1, 3, 12, 12))
    with pytest.raises(ShapeError, match=r"latents must have shape \(batch, 3, 2, 2\)"):
        model.decode(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ConfigError, match="kl_weight must be at least 0"):
        autoencoder_loss(model, pictures(), seeded(), kl_weight=0.1)
    with pytest.raises(ConfigError, match="kl_weight must be at least 0"):
        autoencoder_loss(build(bottleneck="vae"), pictures(), seeded(), kl_weight=-0.1)
    for weight in (math.nan, math.inf):
        with pytest.raises(ConfigError, match="kl_weight must be at least 0"):
            autoencoder_loss(build(bottleneck="vae"), pictures(), seeded(), kl_weight=weight)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("images", "error", "part"),
    [
        (lambda x: (127.5 * (x + 1)).to(torch.uint8), ShapeError, "floating-point .*uint8"),
        (lambda x: 127.5 * (x + 1), DataError, r"pixels in \[-1, 1\], but they range from .* 255"),
        (lambda x: x * math.nan, DataError, r"pixels in \[-1, 1\]"),
        (lambda x: x.permute(0, 2, 3, 1), ShapeError, "Channels come first"),
        (lambda x: x[0], ShapeError, "images must have shape"),
    ],
    ids=["uint8", "0 to 255", "NaN", "channels last", "no batch"],
)
def test_what_is_no_image_is_refused_by_every_method(images, error, part):
    model, bad = build(bottleneck="vae"), images(pictures())
    methods = (
        model,
        model.encode,
        model.posterior,
        lambda x: autoencoder_loss(model, x, seeded()),
        lambda x: elbo(model, x, seeded()),
    )
    for method in methods:
        with pytest.raises(error, match=part):
            method(bad)


@pytest.mark.bad_input
def test_latents_must_be_floating():
    with pytest.raises(ShapeError, match="floating-point dtype.*int64"):
        build().decode(torch.zeros(1, 3, 2, 2, dtype=torch.long))


# --- devices, precision, compilation, files

BOTTLENECKS = [{}, {"bottleneck": "vae"}, {"bottleneck": "fsq", "levels": (4, 3, 5)}]


@pytest.mark.parametrize("settings", BOTTLENECKS)
def test_nothing_stays_on_the_cpu(settings):
    model, x = build(**settings).to("meta"), pictures().to("meta")
    assert model(x, seeded()).device.type == "meta"
    assert model.decode(model.encode(x)).device.type == "meta"
    assert autoencoder_loss(model, x, seeded()).device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("settings", BOTTLENECKS)
def test_half_precision_lands_near_single(settings, dtype):
    model, x = build(**settings), pictures()
    with torch.no_grad():
        whole, loss = model(x), autoencoder_loss(model, x, seeded())
        half = model.to(dtype)
        got, half_loss = half(x.to(dtype)), autoencoder_loss(half, x.to(dtype), seeded())
    assert got.dtype == dtype
    assert (got.float() - whole).square().mean() < 0.01 * whole.square().mean()
    torch.testing.assert_close(half_loss, loss, atol=0.02, rtol=0.02)
    assert half_loss.dtype == torch.float32


@pytest.mark.parametrize("settings", BOTTLENECKS)
def test_compiles_without_a_graph_break(settings):
    jaxtyping.config.update("jaxtyping_disable", True)  # the checks of shapes are no graph
    torch._dynamo.reset()
    model, x = build(**settings).eval(), pictures()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("settings", BOTTLENECKS)
def test_can_be_copied_and_saved_whole(settings, tmp_path):
    model, x = build(**settings).eval(), pictures()
    torch.save(model, tmp_path / "model.pt")
    others = (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(tmp_path / "model.pt", weights_only=False),
    )
    for other in others:
        assert torch.equal(other(x), model(x))


def test_configs_compare_by_value():
    one, other = (AutoencoderConfig(**SMALL) for _ in range(2))
    assert one == other and hash(one) == hash(other) and repr(one) == repr(other)
    assert AutoencoderConfig(**(SMALL | {"widths": [8, 16]})) == one
    assert AutoencoderConfig(**(SMALL | {"depth": 2})) != one


def test_a_narrow_channel_is_not_constant():
    model = build()
    model.encoder[-1].weight.data[1] *= 1e-3
    fit_latent_scale(model, pictures(50))
    assert 1e-6 < model.latent_std[1] < 1e-2
