"""Latent diffusion: any denoiser in any latent; the autoencoder stays as it is."""

from functools import partial

import pytest
import torch

from attnoise.diffusion import (
    DenoisingTransformer,
    DenoisingTransformerConfig,
    UNet,
    UNetConfig,
    flow_loss,
    heun_sample,
)
from attnoise.errors import ShapeError
from attnoise.latent import Autoencoder, AutoencoderConfig, LatentDiffusion, measure_latents
from attnoise.latent.latent_diffusion import EULER
from attnoise.together import DiT, DiTConfig


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=5):
    return torch.rand(n, 1, 16, 16, generator=seeded(1)) * 2 - 1


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    config = AutoencoderConfig(image_size=16, channels=1, widths=(8, 16), latent_channels=3)
    model = Autoencoder(config)
    measure_latents(model, pictures(40))
    return model


LATENT = {"image_size": 4, "channels": 3, "patch": 2}
NETWORKS = {
    "transformer": lambda: DenoisingTransformer(
        DenoisingTransformerConfig(**LATENT, d=16, depth=1, heads=2, classes=2, null_class=True)
    ),
    "U-Net": lambda: UNet(
        UNetConfig(
            image_size=4, channels=3, patch=1, widths=(8, 16), depth=1, classes=2, null_class=True
        )
    ),
    "DiT": lambda: DiT(DiTConfig(**LATENT, d=16, depth=1, heads=2, classes=2, null_class=True)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_any_denoiser_trains_and_draws(name, autoencoder):
    model = LatentDiffusion(NETWORKS[name](), autoencoder)
    label = torch.tensor([0, 1, 1, 0, 1])
    optimizer = torch.optim.Adam(model.network.parameters(), lr=1e-3)
    before = [p.clone() for p in model.autoencoder.parameters()]
    for step in range(2):
        model.loss(pictures(), seeded(step), label=label).backward()
        optimizer.step()
    assert all(p.grad is None for p in model.autoencoder.parameters())
    assert all(map(torch.equal, before, model.autoencoder.parameters()))
    drawn = [
        model.sample(5, seeded(3), steps=3, label=label, scale=scale) for scale in (1.0, 1.0, 2.0)
    ]
    assert drawn[0].shape == (5, 1, 16, 16)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_loss_is_flow_matching_on_standardised_latents(autoencoder):
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder)
    torch.nn.init.normal_(model.network.write.weight, generator=seeded(2))
    label = torch.tensor([0, 1, 1, 0, 1])
    latents = autoencoder.encode(pictures())
    wanted = flow_loss(model.network, latents, seeded(4), label=label)
    torch.testing.assert_close(model.loss(pictures(), seeded(4), label=label), wanted)


def test_training_leaves_the_autoencoder_in_evaluation_mode(autoencoder):
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder.train()).train()
    assert model.network.training
    assert not model.autoencoder.training


def test_an_exact_velocity_brings_back_the_data(autoencoder):
    class Exact(torch.nn.Module):  # all data are one latent: the velocity is (x_t - z) / t
        config = DiTConfig(**LATENT)

        def forward(self, x_t, t):
            return (x_t - latent) / t[:, None, None, None].clamp(min=0.1)

    picture = pictures(1)
    latent = autoencoder.encode(picture).detach()
    model = LatentDiffusion(Exact(), autoencoder)
    wanted = autoencoder.decode(latent).expand(3, -1, -1, -1)
    for sampler in (EULER, partial(heun_sample, clock="flow")):
        drawn = model.sample(3, seeded(5), steps=4, sampler=sampler)
        torch.testing.assert_close(drawn, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.bad_input
def test_other_latents_are_refused(autoencoder):
    with pytest.raises(ShapeError, match="takes 4 channels of side 8, but the autoencoder's"):
        LatentDiffusion(DiT(DiTConfig(d=16, depth=1, heads=2)), autoencoder)
