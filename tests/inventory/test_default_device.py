"""Whatever the reader's default device is, the result lies where the inputs lie, and is the same."""

import pytest
import torch

from attnoise.diffusion import UNet, UNetConfig
from attnoise.latent import Autoencoder, AutoencoderConfig
from attnoise.together import DiT, DiTConfig, TextToImage, TextToImageConfig
from attnoise.transformers import BERT, GPT, BERTConfig, BlockConfig, GPTConfig, ViT, ViTConfig

from .entries import ENTRIES
from .kinds import Place, run, tensors

MODELS = {
    "GPT": lambda: GPT(GPTConfig(vocab=19, block=BlockConfig(d=12, heads=3, causal=True))),
    "BERT": lambda: BERT(BERTConfig(vocab=19, block=BlockConfig(d=12, heads=3))),
    "ViT": lambda: ViT(ViTConfig(block=BlockConfig(d=12, heads=3))),
    "UNet": lambda: UNet(UNetConfig(image_size=8, channels=3)),
    "DiT": lambda: DiT(DiTConfig(d=16, depth=1, heads=2)),
    "Autoencoder": lambda: Autoencoder(AutoencoderConfig()),
    "TextToImage": lambda: TextToImage(TextToImageConfig(d=16, depth=1, heads=2)),
}
# Their examples make tensors of their own during the call, as a reader's loss does, too.
OWN = {
    "attention.KeyValueCache.select", "attention.record_weights", "transformers.GPT.make_caches",
    "latent.fit_latent_scale", "together.condition_on_text", "training.train", "training.EMA",
    "training.Muon",
}  # fmt: skip
NAMES = [n for n, entry in ENTRIES.items() if entry.reason("device") is None and n not in OWN]


def test_what_is_left_out_is_public():
    assert OWN <= set(ENTRIES)


@pytest.mark.parametrize("name", NAMES)
def test_a_default_device_changes_nothing(name):
    expected = tensors(run(ENTRIES[name].call(Place())))
    call = ENTRIES[name].call(Place())
    with torch.device("meta"):  # holds no numbers, so whatever is made there by mistake shows
        result = run(call)
    for ours, theirs in zip(tensors(result), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_made_on_the_default_device(name):
    with torch.device("meta"):
        model = MODELS[name]()
    places = {x.device.type for x in (*model.parameters(), *model.buffers())}
    assert places == {"meta"}
