"""Autoencoders: sizes, the quantiser, the latent scale, and training on little pictures."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attnoise.data import draw_captions, load_captions
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.latent import (
    Autoencoder,
    AutoencoderConfig,
    FiniteScalarQuantiser,
    autoencoder_loss,
    fit_latent_scale,
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


def test_only_training_with_a_generator_draws():
    model, x = build(bottleneck="vae"), pictures()
    assert torch.equal(model(x), model(x))
    assert torch.equal(model(x, seeded(1)), model(x, seeded(1)))
    assert not torch.equal(model(x, seeded(1)), model(x, seeded(2)))
    torch.testing.assert_close(model(x), model.decode(model.encode(x)))


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


# --- codes


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (2, 3), (7,), (4, 4, 4)])
def test_codes_and_levels_are_one_to_one(levels):
    quantiser = FiniteScalarQuantiser(levels)
    codes = torch.arange(math.prod(levels)).reshape(1, 1, -1)
    values = quantiser.from_codes(codes)
    assert torch.equal(quantiser.to_codes(values), codes)
    for channel, count in enumerate(levels):
        assert len(values[0, channel].unique()) == count
    assert values.abs().max() <= 1


@given(st.integers(2, 17), st.floats(-4, 4))
def test_quantiser_follows_the_papers_equations(count, value):
    # Mentzer et al. 2023, appendix A.1, written out for one number: minus epsilon, and a tangent
    half = (count - 1) * (1 - 1e-3) / 2
    offset = 0.5 if count % 2 == 0 else 0.0
    bounded = math.tanh(value + math.tan(offset / half)) * half - offset
    slope = half * (1 - math.tanh(value + math.tan(offset / half)) ** 2)
    z = torch.full((1, 1, 1, 1), value, requires_grad=True)
    level = FiniteScalarQuantiser((count,))(z)
    level.backward()
    assert z.grad.item() * (count // 2) == pytest.approx(slope, rel=2e-4, abs=1e-6)
    got = level.item() * (count // 2)
    assert abs(got - round(got)) < 1e-5
    if abs(abs(bounded - math.floor(bounded)) - 0.5) > 1e-4:  # no tie between two levels
        assert round(got) == round(bounded)
    assert -(count // 2) <= round(got) <= (count - 1) // 2


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(0, 99))
def test_what_is_quantised_has_a_number_and_comes_back(levels, seed):
    quantiser = FiniteScalarQuantiser(levels)
    quantised = quantiser(3 * torch.randn(5, len(levels), 3, 2, generator=seeded(seed)))
    codes = quantiser.to_codes(quantised)
    assert codes.shape == (5, 3, 2)
    assert 0 <= codes.min() <= codes.max() < math.prod(levels)
    torch.testing.assert_close(quantiser.from_codes(codes), quantised)


@pytest.mark.parametrize("count", [2, 3, 999, 1000])
def test_the_ends_are_reached_and_zero_learns(count):
    quantiser = FiniteScalarQuantiser((count,))
    ends = quantiser(torch.tensor([-30.0, 30.0]).reshape(1, 1, 1, 2)) * (count // 2)
    assert ends.round().flatten().tolist() == [-(count // 2), (count - 1) // 2]
    zero = torch.zeros(1, 1, 1, 1, requires_grad=True)
    quantiser(zero).backward()
    assert zero.grad > 0.05


def test_every_level_is_reached_and_zero_stays_zero():
    for count in range(2, 10):
        quantiser = FiniteScalarQuantiser((count,))
        z = torch.linspace(-6, 6, 4001).reshape(1, 1, 1, -1)
        assert len(quantiser(z).unique().round(decimals=5).unique()) == count
        assert quantiser(torch.zeros(1, 1, 1, 1)).abs().item() < 1e-6


def test_rounding_passes_gradients_on():
    z = torch.linspace(-1, 1, 6).reshape(1, 2, 1, 3).requires_grad_()
    FiniteScalarQuantiser((5, 8))(z).sum().backward()
    assert (z.grad > 0.05).all()


# --- bad input


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"bottleneck": "vq"}, "bottleneck must be one of"),
        ({"widths": (8, 12)}, "multiples of 8"),
        ({"widths": ()}, "multiples of 8"),
        ({"widths": (8, 0)}, "multiples of 8"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"latent_channels": 0}, "latent_channels must be at least 1"),
        ({"image_size": 0}, "image_size must be at least 1"),
        ({"bottleneck": "fsq", "levels": (3, 3, 1001)}, "at most 1,000"),
        ({"image_size": 14}, "multiple of patch times 2"),
        ({"bottleneck": "fsq"}, "levels must hold 3 numbers"),
        ({"levels": (3, 3, 3)}, "levels must hold 0 numbers"),
        ({"bottleneck": "fsq", "levels": (3, 3, 1)}, "at least 2"),
    ],
)
def test_bad_settings(settings, part):
    with pytest.raises(ConfigError, match=part):
        Autoencoder(AutoencoderConfig(**(SMALL | settings)))


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
    with pytest.raises(DataError, match="NaN"):
        autoencoder_loss(model, pictures() * math.nan, seeded())
