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


def make(pool="mean") -> ViT:
    torch.manual_seed(0)
    shape = {"image_size": 15, "patch": 5, "channels": 3, "classes": 7, "depth": 2}
    return ViT(ViTConfig(**shape, block=BlockConfig(d=20, heads=5), pool=pool)).eval()


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


def test_defaults_and_how_it_starts():
    torch.manual_seed(0)
    block = BlockConfig(d=64, heads=4)
    coder = MaskedAutoencoder(ViT(ViTConfig(image_size=40, patch=4, block=block)))
    assert coder.hidden == 75 and len(coder.blocks) == 1
    assert coder.positions.std().item() == pytest.approx(0.02, rel=0.05)
    assert coder.mask_token.std().item() == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_the_decoder_by_hand(pool):
    coder, x = MaskedAutoencoder(make(pool), depth=2, mask_ratio=6 / 9), images(2)
    reconstruction, hidden = coder(x, torch.Generator().manual_seed(0))
    y = coder.mask_token.expand(2, 9, -1).clone()
    for row in range(2):
        keep = (~hidden[row]).nonzero()[:, 0]
        y[row, keep] = coder.vit.encode(x[row : row + 1], keep[None])[0, pool == "class" :]
    y = y + coder.positions
    for block in coder.blocks:
        y = block(y)
    assert_close(reconstruction, coder.head(coder.norm(y)), atol=1e-5, rtol=1e-5)
    assert not torch.equal(hidden[0], hidden[1])


def test_what_was_seen_may_be_in_half_precision():
    coder = MaskedAutoencoder(make())
    with torch.autocast("cpu", torch.bfloat16):
        reconstruction, _ = coder(images(2), torch.Generator().manual_seed(0))
    precise, _ = coder(images(2), torch.Generator().manual_seed(0))
    assert_close(reconstruction.float(), precise, atol=0.05, rtol=0.05)


def test_one_patch_may_be_hidden_or_seen():
    assert [MaskedAutoencoder(make(), mask_ratio=r / 9).hidden for r in (1, 8)] == [1, 8]


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="^depth must be a whole number"):
        MaskedAutoencoder(make(), depth=0)
    for ratio in (-0.1, 0.0, 0.05, 0.95, 1.0):
        with pytest.raises(ConfigError, match="at least one and leave at least one"):
            MaskedAutoencoder(make(), mask_ratio=ratio)
