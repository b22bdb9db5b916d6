"""Latent diffusion: any denoiser in any latent; the autoencoder stays as it is."""

import copy
import pickle
from functools import partial

import pytest
import torch

from attnoise.diffusion import (
    Step,
    UNet,
    UNetConfig,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    flow_loss,
    heun_sample,
)
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.latent import Autoencoder, AutoencoderConfig, LatentDiffusion, fit_latent_scale
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
    fit_latent_scale(model, pictures(40))
    return model


LATENT = {"image_size": 4, "channels": 3, "patch": 2}
NETWORKS = {
    "transformer": lambda: DiT(
        DiTConfig(**LATENT, d=16, depth=1, heads=2, classes=2, null_class=True)
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
    assert all(p.grad is None and not p.requires_grad for p in model.autoencoder.parameters())
    assert all(map(torch.equal, before, model.autoencoder.parameters()))
    drawn = [
        model.sample(5, seeded(3), steps=3, label=label, guidance_scale=scale)
        for scale in (1.0, 1.0, 2.0)
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
    samplers = (EULER, partial(heun_sample, parametrisation="flow"), ddim_sample, dpm_solver_sample)
    for sampler in samplers:
        drawn = model.sample(3, seeded(5), steps=4, sampler=sampler)
        torch.testing.assert_close(drawn, wanted, atol=1e-4, rtol=1e-4)


def test_times_can_be_given_for_training_and_for_drawing(autoencoder):
    asked = []

    class Listens(torch.nn.Module):
        config = DiTConfig(**LATENT)

        def forward(self, x_t, t):
            asked.append(t)
            return x_t * t[:, None, None, None]

    model = LatentDiffusion(Listens(), autoencoder)
    model.sample(2, seeded(), timesteps=[1.0, 0.9, 0.3, 0.0])
    assert [round(t[0].item(), 6) for t in asked] == [1.0, 0.9, 0.3]
    latents = autoencoder.encode(pictures())
    options = {"time_sampling": "uniform", "shift": 3.0}
    wanted = flow_loss(model.network, latents, seeded(7), **options)
    torch.testing.assert_close(model.loss(pictures(), seeded(7), **options), wanted)


def test_a_stochastic_sampler_draws_from_the_generator(autoencoder):
    model, label = LatentDiffusion(NETWORKS["DiT"](), autoencoder), torch.tensor([0, 1, 1])
    draw = partial(model.sample, 3, steps=3, label=label, sampler=ddpm_sample)
    assert torch.equal(draw(seeded(3)), draw(seeded(3)))
    assert not torch.equal(draw(seeded(3)), draw(seeded(4)))


def test_samples_start_from_the_generators_noise(autoencoder):
    def stay(denoiser, x_T, path, generator, *, timesteps, label):
        yield Step(0, x_T, x_T)

    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder)
    wanted = autoencoder.decode(torch.randn(2, 3, 4, 4, generator=seeded(3)))
    with torch.device("meta"):  # a default device that is not the generator's
        drawn = model.sample(2, seeded(3), timesteps=[1.0, 0.0], sampler=stay)
    assert torch.equal(drawn, wanted)


class Recorder(torch.nn.Module):
    """Keeps what it was last asked; without parameters, unless it is given some."""

    config = DiTConfig(**LATENT)

    def forward(self, x_t, t, label=None):
        self.asked = x_t, label
        return x_t


def test_a_network_without_parameters_takes_the_autoencoders_precision(autoencoder):
    network = Recorder()
    drawn = LatentDiffusion(network, autoencoder.double()).sample(2, seeded(), steps=1)
    assert network.asked[0].dtype == drawn.dtype == torch.float64


def test_labels_go_where_the_network_is(autoencoder):
    network = Recorder()
    network.scale = torch.nn.Parameter(torch.ones(1))
    model = LatentDiffusion(network, autoencoder).to("meta")
    model.sample(2, seeded(), steps=1, label=torch.tensor([0, 1]))
    assert [tensor.device.type for tensor in network.asked] == ["meta", "meta"]


def test_pictures_have_the_autoencoders_precision(autoencoder):
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder.bfloat16())
    drawn = model.sample(2, seeded(), steps=2, label=torch.tensor([0, 1]))
    assert drawn.dtype == torch.bfloat16


@pytest.mark.bad_input
def test_an_autoencoder_without_a_scale_is_refused():
    config = AutoencoderConfig(image_size=16, channels=1, widths=(8, 16), latent_channels=3)
    with pytest.raises(ConfigError, match="never measured; call fit_latent_scale"):
        LatentDiffusion(NETWORKS["DiT"](), Autoencoder(config))


@pytest.mark.bad_input
def test_labels_that_do_not_fit_are_named(autoencoder):
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder)
    with pytest.raises(ShapeError, match=r"label must have shape \(3,\), .* is \(2,\)"):
        model.sample(3, seeded(), label=torch.tensor([0, 1]))
    with pytest.raises(ConfigError, match="label must be given"):
        model.sample(3, seeded(), guidance_scale=2.0)
    without = LatentDiffusion(DiT(DiTConfig(**LATENT, d=16, depth=1, heads=2)), autoencoder)
    with pytest.raises(ConfigError, match="null"):
        without.sample(2, seeded(), guidance_scale=2.0)


@pytest.mark.bad_input
def test_other_latents_are_refused(autoencoder):
    with pytest.raises(ShapeError, match="takes 4 channels of side 8, but the autoencoder's"):
        LatentDiffusion(DiT(DiTConfig(d=16, depth=1, heads=2)), autoencoder)


@pytest.mark.parametrize("name", NETWORKS)
def test_samples_where_the_network_is(name, autoencoder):
    model = LatentDiffusion(NETWORKS[name](), autoencoder).to("meta")
    images = model.sample(3, seeded(), steps=2, label=torch.tensor([0, 1, 1]), guidance_scale=2.0)
    assert images.device.type == "meta"
    assert images.shape == (3, 1, 16, 16)
    loss = model.loss(pictures().to("meta"), seeded(), label=torch.zeros(5).long().to("meta"))
    assert loss.device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_lands_near_single(autoencoder, dtype):
    torch.manual_seed(1)
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder)
    torch.nn.init.normal_(model.network.write.weight, std=0.1, generator=seeded(2))
    label = torch.tensor([0, 1, 1])
    whole = model.sample(3, seeded(3), steps=5, label=label)
    half = copy.deepcopy(model).to(dtype).sample(3, seeded(3), steps=5, label=label)
    assert half.dtype == dtype
    assert (half.float() - whole).square().mean() < 0.01 * whole.square().mean()


def test_can_be_copied_and_keeps_no_graph(autoencoder):
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder)
    label = torch.tensor([0, 1])
    drawn = model.sample(2, seeded(), steps=1, label=label)
    assert not drawn.requires_grad
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other.sample(2, seeded(), steps=1, label=label), drawn)


@pytest.mark.bad_input
def test_no_sample_is_no_number(autoencoder):
    model = LatentDiffusion(NETWORKS["DiT"](), autoencoder)
    for n in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="n must be a whole number of at least 1"):
            model.sample(n, seeded())
    with pytest.raises(DataError, match="images must have pixels in"):
        model.loss(255 * pictures().abs(), seeded(), label=torch.zeros(5).long())


def test_the_default_is_twenty_even_steps_without_guidance(autoencoder):
    asked = []

    class Listens(torch.nn.Module):
        config = DiTConfig(**LATENT)

        def forward(self, x_t, time):
            asked.append(time[0].item())
            return x_t

    LatentDiffusion(Listens(), autoencoder).sample(2, seeded())
    assert asked == pytest.approx([1 - k / 20 for k in range(20)], abs=1e-6)
