"""Losses of autoencoders: evidence lower bound, beta-VAE loss; and the scale of their latents."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_positive, check_sizes
from ..errors import ConfigError, DataError
from .autoencoder import Autoencoder, check_moments, reparameterise


def kl_to_standard_normal(
    mean: Float[Tensor, "b *axes"], log_variance: Float[Tensor, "b *axes"]
) -> Float[Tensor, " b"]:
    """Return the KL divergence of a diagonal Gaussian from the standard normal, in nats per sample.

    KL = 1/2 sum(mean^2 + std^2 - 1 - log std^2)

    Computed in float32 or better: in float16 a variance of e^12 is infinite.

    Raises:
        ShapeError: mean and log_variance differ in shape.

    Source: Kingma & Welling 2013, appendix B, arXiv:1312.6114.
    """
    check_moments(mean, log_variance)
    mean, log_variance = _upcast(mean), _upcast(log_variance)
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return each.flatten(1).sum(dim=1) / 2


class Elbo(NamedTuple):
    """The two parts of the evidence lower bound, in nats per sample; `total` is their difference.

    Args:
        reconstruction: log p(x | z), averaged over one draw of z.
        kl: Divergence of the posterior of the latents from standard noise: the rate.
    """

    reconstruction: Float[Tensor, " b"]
    kl: Float[Tensor, " b"]

    @property
    def total(self) -> Float[Tensor, " b"]:
        """The bound itself: log p(x) is at least this."""
        return self.reconstruction - self.kl

    def bits_per_dimension(self, dimensions: int) -> Float[Tensor, " b"]:
        """Return the negative bound in bits per dimension.

        -total / (dimensions ln 2); a density's bits may be negative

        Args:
            dimensions: Numbers per sample, at least 1.

        Raises:
            ConfigError: dimensions is below 1.
        """
        check_sizes(dimensions=dimensions)
        return -self.total / (dimensions * math.log(2))


def elbo(
    model: Autoencoder,
    images: Float[Tensor, "b c height width"],
    generator: torch.Generator,
    *,
    std: float = 0.1,
) -> Elbo:
    """Return the evidence lower bound of a VAE, with a Gaussian around each pixel.

    log p(x) >= E log N(x; decode(z), std^2 I) - KL(q(z | x) || N(0, I)), z ~ q(z | x)

    Args:
        model: A variational autoencoder.
        images: Pixels in [-1, 1].
        generator: Where latents are drawn from.
        std: Standard deviation of a pixel around its reconstruction, above 0.

    Raises:
        ConfigError: The model is not variational, or std is not above 0.
        ShapeError, DataError: As in `Autoencoder.posterior`.

    Source: Kingma & Welling 2013, equation 10, arXiv:1312.6114.
    """
    if model.config.bottleneck != "vae":
        raise ConfigError(
            f"model must have bottleneck 'vae', but it is {model.config.bottleneck!r}: without a "
            "variance there is no bound."
        )
    check_positive(std=std)
    mean, log_variance = model.posterior(images)
    reconstruction = model.decoder(reparameterise(mean, log_variance, generator))
    error = _upcast(images - reconstruction).square() / std**2 + math.log(2 * math.pi * std**2)
    return Elbo(-error.flatten(1).sum(dim=1) / 2, kl_to_standard_normal(mean, log_variance))


def autoencoder_loss(
    model: Autoencoder,
    images: Float[Tensor, "b c height width"],
    generator: torch.Generator,
    *,
    kl_weight: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the mean squared error per pixel, and for a VAE the weighted KL per pixel (beta-VAE).

    loss = mean (x - decode(z))^2 + kl_weight KL / numbers in x

    With kl_weight = 2 std^2 this is the negative `elbo` at that std, up to a factor and a constant.
    Latent diffusion has a weight of 1e-6, beside sums of other losses (absolute error, perceptual,
    adversarial): its VAE is nearly a plain autoencoder.

    Raises:
        ConfigError: kl_weight is negative or NaN, or not 0 for a model that is not variational.
        ShapeError, DataError: As in `Autoencoder.posterior`.

    Source: Higgins et al. 2017 (beta-VAE); Rombach et al. 2021, appendix G, arXiv:2112.10752.
    """
    variational = model.config.bottleneck == "vae"
    if not 0 <= kl_weight < math.inf or (kl_weight and not variational):
        raise ConfigError(
            f"kl_weight must be at least 0, and 0 for bottleneck {model.config.bottleneck!r}, but "
            f"it is {kl_weight}."
        )
    mean, log_variance = model.posterior(images)
    z = reparameterise(mean, log_variance, generator) if variational else mean
    error = _upcast(images - model.decoder(z)).square().mean()
    if not variational:
        return error
    rate = kl_to_standard_normal(mean, log_variance).mean() / images[0].numel()
    return error + kl_weight * rate


def _upcast(x: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """Return half precision as float32, in which sums over pixels neither overflow nor stall."""
    return x.float() if x.element_size() < 4 else x


@torch.no_grad()
def fit_latent_scale(model: Autoencoder, images: Float[Tensor, "b c height width"]) -> None:
    """Standardise the latents: set their mean and deviation per channel from training images.

    From then on `encode` returns mean 0 and standard deviation 1. Stable Diffusion multiplies its
    latents by 0.18215 for the same reason: one over their standard deviation, as it was measured
    for that autoencoder.

    Args:
        model: Its `latent_mean` and `latent_std` are set, per channel.
        images: Training images, some hundreds or more.

    Raises:
        DataError: images hold NaN or infinity or are too few, or a channel of the latents is
            constant. The model's scale stays as it was.
    """
    if not len(images) or not bool(torch.isfinite(images).all()):  # once, whatever the device
        raise DataError(
            f"images must be finite, and some hundreds, but there are {len(images)}, or they hold "
            "NaN or infinity; clean them, or take more."
        )
    latents = torch.cat([model.posterior(chunk)[0].float() for chunk in images.split(256)])
    std, mean = torch.std_mean(latents, dim=(0, 2, 3))
    dead = (~(std > 1e-6)).nonzero().flatten().tolist()
    if dead:
        raise DataError(
            f"latents must vary in every channel, but channels {dead} are constant: the "
            "posterior has collapsed; lower the KL weight or use fewer latent channels."
        )
    model.latent_mean.copy_(mean)
    model.latent_std.copy_(std)
