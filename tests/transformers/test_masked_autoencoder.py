"""Masked autoencoder: what it sees, what it is scored on, and where each patch goes."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.errors import ConfigError
from attnoise.transformers import (
    BlockConfig,
    MaskedAutoencoder,
    ViT,
    ViTConfig,
    patchify,
    unpatchify,
)


def images(b):
    return torch.randn(b, 3, 15, 15, generator=torch.Generator().manual_seed(0))


def make() -> ViT:
    torch.manual_seed(0)
    shape = {"image_size": 15, "patch": 5, "channels": 3, "classes": 7, "depth": 2}
    return ViT(ViTConfig(**shape, block=BlockConfig(d=20, heads=5), pool="mean")).eval()


def test_autoencoder_predicts_from_what_it_sees_alone_and_is_scored_on_the_rest():
    coder, x = MaskedAutoencoder(make(), mask_ratio=6 / 9), images(2)

    def run(pictures):
        return coder(pictures, torch.Generator().manual_seed(0))

    reconstruction, hidden = run(x)
    assert (hidden.sum(dim=1) == 6).all()
    patches = patchify(x, 5)
    patches[hidden] = 9.0
    assert_close(run(unpatchify(patches, 5, 3))[0], reconstruction)
    expected = (reconstruction - patchify(x, 5))[hidden].square().mean()
    assert_close(coder.loss(x, torch.Generator().manual_seed(0)), expected)


def test_autoencoder_puts_each_patch_back_in_its_place():
    coder, x = MaskedAutoencoder(make(), mask_ratio=6 / 9), images(1)
    torch.nn.init.zeros_(coder.mask_token)
    torch.nn.init.zeros_(coder.positions)
    coder.blocks = torch.nn.ModuleList()  # what was seen goes straight to the head
    reconstruction, hidden = coder(x, torch.Generator().manual_seed(0))
    keep = (~hidden[0]).nonzero()[:, 0]
    expected = coder.head(coder.norm(coder.vit.encode(x, keep[None])))
    assert_close(reconstruction[:, keep], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.bad_input
def test_bad_input_is_named():
    for ratio in (0.0, 1.0):
        with pytest.raises(ConfigError, match="at least one and leave at least one"):
            MaskedAutoencoder(make(), mask_ratio=ratio)
