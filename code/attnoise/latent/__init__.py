"""Part IV of the book: small codes of pictures, and diffusion among them."""

from .autoencoder import Autoencoder, AutoencoderConfig, draw_latents
from .latent_diffusion import LatentDiffusion
from .objectives import Elbo, autoencoder_loss, elbo, kl_to_standard_normal, measure_latents
from .quantiser import FiniteScalarQuantiser

__all__ = [
    "Autoencoder",
    "AutoencoderConfig",
    "Elbo",
    "FiniteScalarQuantiser",
    "LatentDiffusion",
    "autoencoder_loss",
    "draw_latents",
    "elbo",
    "kl_to_standard_normal",
    "measure_latents",
]
