"""The text-to-image model: it depends on its caption, drops some, and is one graph."""

import copy
import math
import pickle

import jaxtyping
import pytest
import torch

from attnoise.data.captions import MAX_LENGTH, WORDS, encode_captions, load_captions, parse_caption
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.latent import Autoencoder, AutoencoderConfig
from attnoise.together import TextToImage, TextToImageConfig, cross_attention_maps

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


def test_shipped_size_is_below_two_and_a_half_million():
    count = sum(p.numel() for p in TextToImage(TextToImageConfig()).parameters())
    painter = sum(p.numel() for p in Autoencoder(AutoencoderConfig()).parameters())
    assert count + painter < 2_500_000


def test_the_config_fits_the_grammar():
    assert TextToImageConfig().vocab == 1 + len(WORDS)
    assert TextToImageConfig().max_length == MAX_LENGTH


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


def test_every_parameter_learns(model):
    model = copy.deepcopy(model)
    tokens = encode_captions(load_captions("train")[:12:2])
    latents = torch.randn(6, 4, 8, 8, generator=seeded(3))
    model.loss(latents, tokens, seeded(4)).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_a_third_of_the_captions_is_dropped(model):
    # the noise is drawn after the captions are dropped: the same draws tell which
    seen, handle = [], model.text.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    tokens, latents = encode_captions([RED]).repeat(300, 1), torch.zeros(300, 4, 8, 8)
    with torch.no_grad():
        model.loss(latents, tokens, seeded(8), cond_drop_prob=1 / 3)
    handle.remove()
    drawn = torch.rand(300, generator=seeded(8))
    assert torch.equal(seen[0].eq(0).all(dim=1), drawn < 1 / 3)
    assert torch.equal(seen[0][drawn >= 1 / 3], tokens[drawn >= 1 / 3])


def test_runs_on_the_models_device_with_a_generator_on_the_cpu(model):
    there = copy.deepcopy(model).to("meta")
    latents, tokens = torch.randn(2, 4, 8, 8, device="meta"), encode_captions([RED, BLUE])
    assert there(latents, torch.ones(2, device="meta"), tokens.to("meta")).device.type == "meta"
    assert there.loss(latents, tokens.to("meta"), seeded()).device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_predicts_near_single(model, dtype):
    x, time = torch.randn(2, 4, 8, 8, generator=seeded(2)), torch.tensor([0.123, 0.857])
    tokens = encode_captions([RED, BLUE])
    with torch.no_grad():
        whole = model(x, time, tokens)
        half = copy.deepcopy(model).to(dtype)(x.to(dtype), time, tokens)
    assert half.dtype == dtype
    assert (half.float() - whole).square().mean() < 0.01 * whole.square().mean()


def test_compiles_as_one_graph(model):
    jaxtyping.config.update("jaxtyping_disable", True)  # the checks of shapes are no graph
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    given = torch.randn(2, 4, 8, 8), torch.tensor([0.2, 0.9]), encode_captions([RED, BLUE])
    torch.testing.assert_close(compiled(*given), model(*given))


def test_can_be_copied_and_saved_whole(model, tmp_path):
    given = torch.randn(2, 4, 8, 8), torch.tensor([0.2, 0.9]), encode_captions([RED, BLUE])
    torch.save(model, tmp_path / "model.pt")
    others = (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(tmp_path / "model.pt", weights_only=False),
    )
    assert all(torch.equal(other(*given), model(*given)) for other in others)


def test_configs_compare_by_value():
    one, other = TextToImageConfig(), TextToImageConfig()
    assert one == other and hash(one) == hash(other) and repr(one) == repr(other)
    assert one != CONFIG


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"patch": 3}, "image_size must be a multiple of patch"),
        ({"text_width": 10}, "text_width must be a multiple of text_heads"),
        *(({name: 0}, f"{name} must be") for name in (
            "vocab", "max_length", "latent_size", "latent_channels", "patch", "d", "depth", "heads",
            "text_width", "text_depth", "text_heads")),
    ],
)  # fmt: skip
def test_bad_settings(settings, part):
    with pytest.raises(ConfigError, match=part):
        TextToImageConfig(**settings)


@pytest.mark.bad_input
def test_bad_input(model):
    latents, tokens = torch.zeros(2, 4, 8, 8), encode_captions([RED, BLUE])
    for rate in (math.nan, -0.1, 1.1):
        with pytest.raises(ConfigError, match="cond_drop_prob must lie between 0 and 1"):
            model.loss(latents, tokens, seeded(), cond_drop_prob=rate)
    with pytest.raises(ShapeError, match="one caption per latent, but there are 1 captions and 2"):
        model.loss(latents, tokens[:1], seeded())
    with pytest.raises(ShapeError, match=r"latents must have shape \(batch, 4, 8, 8\)"):
        model.loss(latents[:, 1:], tokens, seeded())
    with pytest.raises(DataError, match="latents must be finite"):
        model.loss(latents * math.nan, tokens, seeded())
    with pytest.raises(ShapeError, match=r"latents must have shape \(batch, 4, 8, 8\)"):
        cross_attention_maps(model, latents[:, 1:], torch.ones(2), tokens)
    with pytest.raises(DataError, match="tokens must lie between 0 and 19"):
        model(latents, torch.ones(2), tokens + 17)
    with pytest.raises(ConfigError, match="time must"):
        model(latents, torch.full((2,), 500.0), tokens)


def test_a_tenth_of_the_captions_is_dropped_unless_told(model):
    latents, tokens = torch.zeros(40, 4, 8, 8), encode_captions([RED]).repeat(40, 1)
    with torch.no_grad():
        found, wanted = (
            model.loss(latents, tokens, seeded(1)),
            model.loss(latents, tokens, seeded(1), cond_drop_prob=0.1),
        )
    assert torch.equal(found, wanted)


def test_the_parts_have_the_sizes_that_the_config_names():
    config = TextToImageConfig(
        vocab=17, max_length=6, latent_size=12, latent_channels=3, patch=3, d=24, depth=5, heads=6,
        text_width=20, text_depth=3, text_heads=5,
    )  # fmt: skip
    model = TextToImage(config)
    assert model.text.words.weight.shape == (17, 20)
    assert model.text.positions.shape == (6, 20)
    assert (len(model.text.blocks), len(model.dit.blocks)) == (3, 5)
    assert model.text.blocks[0].attention.heads == 5
    assert model.dit.blocks[0].attention.heads == 6
    assert model.dit.config.context_width == 20
    x = torch.randn(2, 3, 12, 12, generator=seeded())
    assert model(x, torch.ones(2), torch.ones(2, 6, dtype=torch.long)).shape == x.shape
