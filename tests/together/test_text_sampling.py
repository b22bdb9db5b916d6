"""Sampling from text: guidance, timesteps, devices, half precision, cross-attention maps."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch

from attnoise.attention import record_weights
from attnoise.data.captions import MAX_LENGTH, encode_captions, parse_caption
from attnoise.diffusion import ddpm_sample
from attnoise.errors import ConfigError, ShapeError
from attnoise.latent import Autoencoder, AutoencoderConfig
from attnoise.together import (
    TextToImage,
    TextToImageConfig,
    condition_on_text,
    cross_attention_maps,
    sample,
)
from attnoise.together.text_sampling import SAMPLERS

CONFIG = TextToImageConfig(d=16, depth=2, heads=2, text_width=12, text_depth=1, text_heads=3)
RED, BLUE = "a small red ring left of a large blue cross", "a small blue ring"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = TextToImage(CONFIG)
    generator = seeded(1)
    for parameter in model.parameters():  # the zero ones, too
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return model.eval()


@pytest.fixture(scope="module")
def autoencoder():
    torch.manual_seed(0)
    return Autoencoder(AutoencoderConfig(widths=(8, 8))).eval()


def test_without_guidance_sampling_follows_the_networks_velocity(model, autoencoder):
    captions = [parse_caption(RED), parse_caption(BLUE)]
    got = sample(
        model, autoencoder, encode_captions(captions), seeded(5), steps=3, guidance_scale=1.0
    )
    tokens, x = encode_captions(captions), torch.randn(2, 4, 8, 8, generator=seeded(5))
    with torch.no_grad():
        for now in (1.0, 2 / 3, 1 / 3):
            x = x - model(x, torch.full((2,), now), tokens) / 3
        wanted = autoencoder.decode(x)
    torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-3)


def test_guidance_is_an_extrapolation_from_the_unconditional_prediction(model, autoencoder):
    captions = [parse_caption(RED)]
    got = sample(
        model, autoencoder, encode_captions(captions), seeded(5), steps=1, guidance_scale=3.0
    )
    x, t = torch.randn(1, 4, 8, 8, generator=seeded(5)), torch.ones(1)
    with torch.no_grad():
        conditional, unconditional = (
            model(x, t, encode_captions([c])) for c in (captions[0], None)
        )
        wanted = autoencoder.decode(x - (unconditional + 3 * (conditional - unconditional)))
    torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-3)


def test_a_shift_takes_smaller_steps_in_noise(model, autoencoder):
    seen = []

    def note(module, inputs):
        seen.append(float(inputs[1][0]))

    tokens, handle = encode_captions([RED]), model.dit.register_forward_pre_hook(note)
    for shift in (1.0, 3.0):
        sample(model, autoencoder, tokens, seeded(), steps=4, guidance_scale=1.0, shift=shift)
    handle.remove()
    assert seen == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4, 1, 9 / 10, 3 / 4, 1 / 2])


def test_a_model_in_half_precision_may_have_an_autoencoder_in_float32(model, autoencoder):
    half = copy.deepcopy(model).bfloat16()
    pictures = sample(half, autoencoder, encode_captions([RED]), seeded(5), steps=2)
    assert pictures.dtype == torch.float32


def test_a_model_in_float32_may_have_an_autoencoder_in_half_precision(model, autoencoder):
    half = copy.deepcopy(autoencoder).bfloat16()
    pictures = sample(model, half, encode_captions([RED]), seeded(5), steps=2)
    assert pictures.dtype == torch.bfloat16


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm_solver"])
def test_every_sampler_draws_the_same_again(model, autoencoder, sampler):
    draws = [
        sample(
            model, autoencoder, encode_captions([RED, BLUE]), seeded(6), steps=2, sampler=sampler
        )
        for _ in range(2)
    ]
    assert draws[0].shape == (2, 3, 32, 32)
    assert torch.equal(*draws)


def test_maps_say_where_each_word_is_looked_up(model):
    maps = cross_attention_maps(
        model, torch.randn(2, 4, 8, 8, generator=seeded(7)), torch.tensor([0.2, 0.8]),
        encode_captions([RED, BLUE]),
    )  # fmt: skip
    assert maps.shape == (2, 2, 2, MAX_LENGTH, 4, 4)  # pictures, blocks, heads, words, places
    torch.testing.assert_close(maps.sum(dim=3), torch.ones(2, 2, 2, 4, 4))
    assert not maps[1, :, :, 4:].any()  # padding


def test_maps_lie_as_the_picture_lies(model):
    model = copy.deepcopy(model)
    for block in model.dit.blocks:  # places that do not look at each other
        torch.nn.init.zeros_(block.attention.to_output.weight)
    latents, t = torch.randn(1, 4, 8, 8, generator=seeded(7)), torch.tensor([0.5])
    other = latents.clone()
    other[..., 2:4, 6:8] += 1  # the patch in the second row, at the right
    tokens = encode_captions([RED])
    moved = (
        cross_attention_maps(model, latents, t, tokens)
        - cross_attention_maps(model, other, t, tokens)
    ).abs()
    assert {tuple(place) for place in (moved.amax(dim=(0, 1, 2, 3)) > 1e-6).nonzero().tolist()} == {
        (1, 3)
    }


def test_samples_where_the_model_is_whatever_the_generators_device(model, autoencoder):
    there, decoder = copy.deepcopy(model).to("meta"), copy.deepcopy(autoencoder).to("meta")
    for tokens in (encode_captions([RED, BLUE]), encode_captions([RED, BLUE]).to("meta")):
        for sampler in ("euler", "heun", "dpm_solver"):
            images = sample(there, decoder, tokens, seeded(), steps=2, sampler=sampler)
            assert images.device.type == "meta"
            assert images.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_lands_near_single(model, autoencoder, dtype):
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)  # velocities of ordinary size
    tokens = encode_captions([RED, BLUE])
    whole = sample(model, autoencoder, tokens, seeded(5), steps=4)
    half = model.to(dtype), copy.deepcopy(autoencoder).to(dtype)
    images = sample(*half, tokens, seeded(5), steps=4)
    assert images.dtype == dtype
    assert (images.float() - whole).square().mean() < 0.01 * whole.square().mean()


def test_samples_keep_no_graph(model, autoencoder):
    assert not sample(model, autoencoder, encode_captions([RED]), seeded(), steps=1).requires_grad
    denoiser, label = condition_on_text(model, encode_captions([RED]), 2.0)
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    assert not denoiser(x, torch.ones(1), label).requires_grad


def test_the_last_label_is_the_empty_caption(model):
    denoiser, label = condition_on_text(model, encode_captions([RED, BLUE]), 1.0)
    empty, _ = condition_on_text(model, encode_captions([None]), 1.0)
    x, t = torch.randn(1, 4, 8, 8, generator=seeded(2)), torch.tensor([0.7])
    assert label.tolist() == [0, 1]
    found = denoiser(x, t, torch.tensor([2]))
    torch.testing.assert_close(found, empty(x, t, torch.tensor([0])))
    assert not torch.allclose(found, denoiser(x, t, torch.tensor([0])))


@pytest.mark.bad_input
def test_bad_input(model, autoencoder):
    tokens = encode_captions([RED])
    for options, part in (
        ({"sampler": "magic"}, "sampler must be one of"),
        ({"steps": 0}, "steps must be"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be a finite number"),
        ({"shift": 0.0}, "shift must be above 0"),
        ({"shift": float("nan")}, "shift must be above 0"),
    ):
        with pytest.raises(ConfigError, match=part):
            sample(model, autoencoder, tokens, seeded(), **options)
    with pytest.raises(ConfigError, match="tokens must hold one caption or more"):
        sample(model, autoencoder, tokens[:0], seeded())
    with pytest.raises(ShapeError, match=r"tokens must have shape \(batch, 10\)"):
        sample(model, autoencoder, tokens[:, :9], seeded())
    with pytest.raises(ShapeError, match=r"latents of shape \(4, 8, 8\).* are \(4, 16, 16\)"):
        sample(model, Autoencoder(AutoencoderConfig(widths=(8,))), tokens, seeded(), steps=1)


def test_the_defaults_are_eight_even_steps_of_euler_with_a_scale_of_two(model, autoencoder):
    tokens = encode_captions([RED])
    options = {"steps": 8, "guidance_scale": 2.0, "sampler": "euler", "shift": 1.0}
    wanted = sample(model, autoencoder, tokens, seeded(1), **options)
    assert torch.equal(sample(model, autoencoder, tokens, seeded(1)), wanted)


def test_a_stochastic_sampler_draws_from_the_generator(model, autoencoder, monkeypatch):
    monkeypatch.setitem(SAMPLERS, "ddpm", ddpm_sample)
    draw = partial(sample, model, autoencoder, encode_captions([RED]), steps=3, sampler="ddpm")
    assert torch.equal(draw(seeded(3)), draw(seeded(3)))
    assert not torch.equal(draw(seeded(3)), draw(seeded(4)))
    drawn = seeded(3)
    torch.randn(1, 4, 8, 8, generator=drawn)  # what the noise at the start takes
    used = seeded(3)
    draw(used)
    assert not torch.equal(used.get_state(), drawn.get_state())


def test_maps_name_block_and_head_in_this_order():
    torch.manual_seed(0)
    deep = TextToImage(replace(CONFIG, depth=3)).eval()
    latents, t = torch.randn(1, 4, 8, 8, generator=seeded(7)), torch.tensor([0.5])
    maps = cross_attention_maps(deep, latents, t, encode_captions([RED]))
    assert maps.shape == (1, 3, 2, MAX_LENGTH, 4, 4)
    with record_weights(deep.dit) as recorded:
        deep(latents, t, encode_captions([RED]))
    second = recorded["blocks.1.cross_attention"]  # 1 h n m
    torch.testing.assert_close(maps[0, 1, 1, 2], second[0, 1, :, 2].reshape(4, 4))


def test_a_default_device_that_is_not_the_models_changes_nothing(model, autoencoder):
    tokens = encode_captions([RED])
    wanted = sample(model, autoencoder, tokens, seeded(3), steps=2)
    with torch.device("meta"):
        found = sample(model, autoencoder, tokens, seeded(3), steps=2)
    assert torch.equal(found, wanted)
