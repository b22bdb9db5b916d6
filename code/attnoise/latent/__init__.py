"""Part IV of the book: small codes of pictures, and diffusion among them."""

from .autoencoder import Autoencoder, AutoencoderConfig, reparameterise
from .latent_diffusion import LatentDiffusion
from .objectives import Elbo, autoencoder_loss, elbo, fit_latent_scale, kl_to_standard_normal
from .quantiser import FiniteScalarQuantiser

__all__ = [
    "Autoencoder",
    "AutoencoderConfig",
    "Elbo",
    "FiniteScalarQuantiser",
    "LatentDiffusion",
    "autoencoder_loss",
    "reparameterise",
    "elbo",
    "kl_to_standard_normal",
    "fit_latent_scale",
]
