"""The evidence lower bound: its divergence against torch, its value against a known density."""

import math

import pytest
import torch
from torch import nn

from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.latent import (
    Autoencoder,
    AutoencoderConfig,
    autoencoder_loss,
    elbo,
    fit_latent_scale,
    kl_to_standard_normal,
    reparameterise,
)

STD = 0.3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_divergence_equals_torchs():
    mean, log_variance = torch.randn(2, 5, 3, 2, 2, generator=seeded())
    normal = torch.distributions.Normal
    q = normal(mean, (log_variance / 2).exp())
    theirs = torch.distributions.kl_divergence(q, normal(0, 1)).flatten(1).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), theirs)


def linear_model(shift=0.0):
    """Build a VAE on pictures of 2 x 2 whose decoder is linear and whose posterior is exact.

    x = W z + STD noise with orthogonal columns: z given x is N(w x / (w^2 + STD^2), ...) per axis.
    """
    config = AutoencoderConfig(
        image_size=2, channels=1, patch=2, widths=(8,), latent_channels=2, bottleneck="vae"
    )
    model = Autoencoder(config)
    weight = torch.tensor([[0.9, 0.0], [0.0, 0.5], [-0.4, 0.0], [0.0, 1.2]])  # 4 numbers, 2 latents
    square = weight.square().sum(0) + STD**2
    encode, decode = nn.Linear(4, 4), nn.Linear(2, 4, bias=False)
    decode.weight.data = weight
    encode.weight.data = torch.cat([weight.T / square[:, None], torch.zeros(2, 4)])
    encode.bias.data = torch.cat([torch.full((2,), shift), (STD**2 / square).log()])
    model.encoder = nn.Sequential(nn.Flatten(), encode, nn.Unflatten(1, (4, 1, 1)))
    model.decoder = nn.Sequential(nn.Flatten(), decode, nn.Unflatten(1, (1, 2, 2)))
    covariance = weight @ weight.T + STD**2 * torch.eye(4)
    return model, torch.distributions.MultivariateNormal(torch.zeros(4), covariance)


def test_the_bound_is_the_density_where_the_posterior_is_exact():
    model, density = linear_model()
    for x in torch.randn(3, 4, generator=seeded(1)):
        draws = x.reshape(1, 1, 2, 2).expand(40_000, -1, -1, -1)
        with torch.no_grad():
            bound = elbo(model, draws, seeded(2), std=STD).total
        error = bound.std() / len(bound) ** 0.5
        assert abs(bound.mean() - density.log_prob(x)) < 4 * error + 1e-3


def test_a_wrong_posterior_costs_exactly_its_divergence():
    shift = 0.2
    model, density = linear_model(shift)
    x = torch.randn(4, generator=seeded(1))
    draws = x.reshape(1, 1, 2, 2).expand(40_000, -1, -1, -1)
    with torch.no_grad():
        bound = elbo(model, draws, seeded(2), std=STD).total
        variance = model.posterior(draws[:1])[1].exp()
    gap = density.log_prob(x) - bound.mean()
    wanted = (shift**2 / variance / 2).sum()  # two Gaussians of equal variance
    assert abs(gap - wanted) < 4 * bound.std() / len(bound) ** 0.5 + 1e-3
    assert gap > 0.1


def test_weighted_loss_is_the_bound_up_to_a_constant():
    model, _ = linear_model(0.1)
    x = torch.randn(6, 1, 2, 2, generator=seeded(3))
    loss = autoencoder_loss(model, x, seeded(4), kl_weight=2 * STD**2)
    bound = elbo(model, x, seeded(4), std=STD).total.mean()
    constant = math.log(2 * math.pi * STD**2) / 2
    torch.testing.assert_close(loss, -2 * STD**2 * (bound / 4 + constant))


def test_bits_are_what_torchs_density_costs():
    model, density = linear_model()  # its posterior is exact: every draw gives the density
    x = torch.randn(40_000, 4, generator=seeded(5)) * 0.5
    with torch.no_grad():
        bits = elbo(model, x.reshape(-1, 1, 2, 2), seeded(6), std=STD).bits_per_dimension(4)
    wanted = -density.log_prob(x) / 4 / math.log(2)
    assert bits.mean().item() == pytest.approx(wanted.mean().item(), abs=0.01)


def test_without_a_weight_only_the_error_counts():
    model, _ = linear_model()
    x = torch.randn(6, 1, 2, 2, generator=seeded(3))
    reconstruction = model(x, seeded(4))
    torch.testing.assert_close(
        autoencoder_loss(model, x, seeded(4)), (reconstruction - x).square().mean()
    )


@pytest.mark.parametrize("n", [1, 5])
def test_the_rate_counts_per_number(n):
    model, _ = linear_model(0.1)
    x = torch.randn(n, 1, 2, 2, generator=seeded(3))
    bare, weighted = (autoencoder_loss(model, x, seeded(4), kl_weight=w) for w in (0.0, 0.7))
    rate = kl_to_standard_normal(*model.posterior(x)).sum() / x.numel()
    torch.testing.assert_close(weighted - bare, 0.7 * rate)


def test_the_loss_of_a_plain_model_draws_nothing():
    config = AutoencoderConfig(image_size=4, channels=1, patch=2, widths=(8,))
    model, x = Autoencoder(config), torch.randn(5, 1, 4, 4, generator=seeded(3))
    generator, before = seeded(4), seeded(4).get_state()
    loss = autoencoder_loss(model, x, generator)
    torch.testing.assert_close(loss, (model(x) - x).square().mean())
    assert torch.equal(generator.get_state(), before)


def test_double_precision_is_kept():
    mean, log_variance = torch.randn(2, 5, 3, generator=seeded(), dtype=torch.float64)
    each = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
    found = kl_to_standard_normal(mean, log_variance)
    torch.testing.assert_close(found, each.sum(dim=1), atol=0, rtol=1e-14)


def test_a_deviation_of_a_millionth_counts_as_constant():
    model, _ = linear_model()
    weight = model.encoder[1].weight.data.zero_()
    x = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1).expand(-1, -1, 2, 2)
    weight[0, 0], weight[1, 1] = 1e-6, 2e-6  # the deviations
    with pytest.raises(DataError, match=r"channels \[0\] are constant"):
        fit_latent_scale(model, x)
    weight[0, 0] = 1.1e-6
    fit_latent_scale(model, x)
    torch.testing.assert_close(model.latent_std, torch.tensor([1.1e-6, 2e-6]), atol=0, rtol=1e-5)


@pytest.mark.bad_input
def test_bad_input():
    plain = Autoencoder(AutoencoderConfig())
    with pytest.raises(ConfigError, match="bottleneck 'vae', but it is 'plain'"):
        elbo(plain, torch.zeros(1, 3, 32, 32), seeded())
    with pytest.raises(ConfigError, match="std must be above 0"):
        elbo(linear_model()[0], torch.zeros(1, 1, 2, 2), seeded(), std=0)
    for std in (math.nan, math.inf, -1):
        with pytest.raises(ConfigError, match="std must be above 0"):
            elbo(linear_model()[0], torch.zeros(1, 1, 2, 2), seeded(), std=std)
    bound = elbo(linear_model()[0], torch.zeros(1, 1, 2, 2), seeded())
    with pytest.raises(ConfigError, match="dimensions must be a whole number"):
        bound.bits_per_dimension(0)


def test_divergence_of_half_precision_stays_finite():
    mean, log_variance = torch.zeros(1, 2).half(), torch.full((1, 2), 20.0).half()
    found = kl_to_standard_normal(mean, log_variance)
    torch.testing.assert_close(found, torch.tensor([math.exp(20) - 21]))


def test_the_posteriors_variance_has_bounds():
    model, _ = linear_model()
    for bias, bound in ((90.0, 20.0), (-90.0, -30.0)):
        model.encoder[1].bias.data[2:] = bias
        _, log_variance = model.posterior(torch.zeros(1, 1, 2, 2))
        assert (log_variance == bound).all()


def test_the_defaults_are_a_tenth_and_no_rate():
    model, x = linear_model()[0], torch.randn(6, 1, 2, 2, generator=seeded(3))
    assert torch.equal(elbo(model, x, seeded(4)).total, elbo(model, x, seeded(4), std=0.1).total)
    bare = autoencoder_loss(model, x, seeded(4))
    assert torch.equal(bare, autoencoder_loss(model, x, seeded(4), kl_weight=0.0))


@pytest.mark.bad_input
def test_every_mean_needs_its_variance():
    for function in (kl_to_standard_normal, lambda a, b: reparameterise(a, b, seeded())):
        with pytest.raises(ShapeError, match=r"same shape, but theirs are \(2, 3\) and \(3,\)"):
            function(torch.zeros(2, 3), torch.zeros(3))
