"""Text to image: words are heard, samplers of Part III draw from text, and bad captions are told."""

import copy

import pytest
import torch

from attnoise.data.captions import MAX_LENGTH, WORDS, encode_captions, load_captions, parse_caption
from attnoise.errors import ConfigError, ShapeError
from attnoise.latent import Autoencoder, AutoencoderConfig
from attnoise.together import (
    TextEncoder,
    TextToImage,
    TextToImageConfig,
    cross_attention_maps,
    sample,
)

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


def test_shipped_size_is_below_two_and_a_half_million():
    count = sum(p.numel() for p in TextToImage(TextToImageConfig()).parameters())
    painter = sum(p.numel() for p in Autoencoder(AutoencoderConfig()).parameters())
    assert count + painter < 2_500_000


def test_the_config_fits_the_grammar():
    assert TextToImageConfig().vocab == 1 + len(WORDS)
    assert TextToImageConfig().max_length == MAX_LENGTH


def test_padding_is_never_read_and_silence_is_a_vector():
    torch.manual_seed(0)
    encoder = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3).eval()
    tokens = encode_captions([parse_caption(BLUE), None])
    words, known = encoder(tokens)
    assert words.shape == (2, MAX_LENGTH, 12)
    assert known.sum(dim=1).tolist() == [4, 1]
    longer = tokens.clone()
    with torch.no_grad():
        encoder.words.weight[0] += 1  # only what is padding changes
    changed, _ = encoder(longer)
    torch.testing.assert_close(words[0, :4], changed[0, :4])
    assert not torch.equal(words[1, 0], changed[1, 0])  # silence is heard


def test_word_order_matters():
    torch.manual_seed(0)
    encoder = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3).eval()
    tokens = encode_captions([parse_caption(RED)])
    swapped = tokens.clone()
    swapped[:, [2, 8]] = tokens[:, [8, 2]]  # red and blue
    words, other = encoder(tokens)[0], encoder(swapped)[0]
    assert (words[:, 3] - other[:, 3]).abs().max() > 1e-4  # "ring" knows its colour


def test_the_answer_depends_on_the_caption(model):
    x, t = (
        torch.randn(1, 4, 8, 8, generator=seeded(2)).expand(2, -1, -1, -1),
        torch.tensor([0.5] * 2),
    )
    with torch.no_grad():
        first, second = model(x, t, encode_captions([parse_caption(RED), parse_caption(BLUE)]))
    assert first.shape == (4, 8, 8)
    assert (first - second).abs().max() > 1e-3


def test_dropped_captions_are_captions_without_words(model):
    latents = torch.randn(6, 4, 8, 8, generator=seeded(3))
    tokens = encode_captions(load_captions("train")[:6])
    silent = torch.zeros_like(tokens)
    kept, dropped = (model.loss(latents, tokens, seeded(4), cond_drop_prob=p) for p in (0.0, 1.0))
    torch.testing.assert_close(dropped, model.loss(latents, silent, seeded(4), cond_drop_prob=0.0))
    assert not torch.isclose(kept, dropped)


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


def test_guidance_is_an_extrapolation_from_silence(model, autoencoder):
    captions = [parse_caption(RED)]
    got = sample(
        model, autoencoder, encode_captions(captions), seeded(5), steps=1, guidance_scale=3.0
    )
    x, t = torch.randn(1, 4, 8, 8, generator=seeded(5)), torch.ones(1)
    with torch.no_grad():
        told, silent = (model(x, t, encode_captions([c])) for c in (captions[0], None))
        wanted = autoencoder.decode(x - (silent + 3 * (told - silent)))
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


@pytest.mark.bad_input
def test_bad_input(model, autoencoder):
    tokens = encode_captions([RED])
    with pytest.raises(ConfigError, match="tokens must hold one caption or more"):
        sample(model, autoencoder, tokens[:0], seeded())
    with pytest.raises(ConfigError, match="sampler must be one of"):
        sample(model, autoencoder, tokens, seeded(), sampler="magic")
    with pytest.raises(ConfigError, match="steps must be at least 1"):
        sample(model, autoencoder, tokens, seeded(), steps=0)
    with pytest.raises(ShapeError, match=r"tokens must have shape \(batch, 10\)"):
        sample(model, autoencoder, tokens[:, :9], seeded())
    with pytest.raises(ShapeError, match=r"latents must have shape \(batch, 4, 16, 16\)"):
        other = Autoencoder(AutoencoderConfig(widths=(8,)))
        sample(model, other, tokens, seeded(), steps=1)
    with pytest.raises(ConfigError, match="image_size must be a multiple of patch"):
        TextToImage(TextToImageConfig(patch=3))
