"""Convolutional autoencoders: images to small latents and back. Plain, variational or quantised."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_images, check_sizes
from ..errors import ConfigError, ShapeError, choose
from .quantiser import FiniteScalarQuantiser, check_levels

GROUPS = 8
BOTTLENECKS = ("plain", "vae", "fsq")


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Shape of an `Autoencoder`.

    Args:
        image_size: Side of the square image in pixels.
        channels: Numbers per pixel.
        patch: Side of the squares that become one position before anything else.
        widths: Channels of each stage, multiples of 8, the groups of the group norm; each stage is
            half as large as the one before.
        depth: Residual blocks in each stage, down and up.
        latent_channels: Numbers per position of the latent.
        bottleneck: "plain"; "vae", a diagonal Gaussian posterior per number; or "fsq", finite
            scalar quantisation.
        levels: For "fsq", how many levels each latent channel has.

    Raises:
        ConfigError: Sizes do not divide, are below 1 or no whole numbers, or levels do not fit
            the bottleneck.
    """

    image_size: int = 32
    channels: int = 3
    patch: int = 2
    widths: Sequence[int] = (32, 64)
    depth: int = 1
    latent_channels: int = 4
    bottleneck: str = "plain"
    levels: Sequence[int] = ()

    def __post_init__(self) -> None:
        for name in ("widths", "levels"):  # a card holds lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        choose("bottleneck", self.bottleneck, dict.fromkeys(BOTTLENECKS))
        names = ("image_size", "channels", "patch", "depth", "latent_channels")
        check_sizes(**{name: getattr(self, name) for name in names})
        if not self.widths or any(width < 1 or width % GROUPS for width in self.widths):
            raise ConfigError(f"widths must be multiples of {GROUPS}, but they are {self.widths}.")
        if self.image_size % (self.patch * 2 ** (len(self.widths) - 1)):
            raise ConfigError(
                f"image_size must be a multiple of patch times 2 for each further stage, "
                f"{self.patch * 2 ** (len(self.widths) - 1)}, but it is {self.image_size}; use "
                "fewer stages or another patch."
            )
        wanted = self.latent_channels if self.bottleneck == "fsq" else 0
        if len(self.levels) != wanted:
            raise ConfigError(
                f"levels must hold {wanted} numbers for bottleneck {self.bottleneck!r} and "
                f"{self.latent_channels} latent channels, but it is {self.levels}."
            )
        if wanted:
            check_levels(self.levels)

    @property
    def latent_size(self) -> int:
        """Side of the latent."""
        return self.image_size // (self.patch * 2 ** (len(self.widths) - 1))


class ResidualBlock(nn.Module):
    """Residual block of two convolutions, normalised before each (pre-activation).

    x + conv(SiLU(norm(conv(SiLU(norm(x))))))

    The second convolution starts at zero, so that at first the block is the identity.

    Source: He et al. 2016, arXiv:1603.05027.
    Differs: group norm and SiLU, as in diffusion's autoencoders, for batch norm and ReLU.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(GROUPS, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(GROUPS, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Float[Tensor, "b c i j"]) -> Float[Tensor, "b c i j"]:
        """Return x plus the residual."""
        return x + self.layers(x)


class Autoencoder(nn.Module):
    """Convolutional encoder and decoder: images to latents, and latents to reconstructions.

    Latents are standardised: once `fit_latent_scale` has seen data, `encode` returns numbers of
    mean 0 and standard deviation 1 per channel, and `decode` expects them so. Diffusion starts
    from standard noise and needs that; the numbers are part of the weights.

    Gradients flow through `encode` and `decode`; put inference under `torch.no_grad()`.

    Args:
        config: Its shape.

    Source: Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647; Kingma & Welling 2013,
        arXiv:1312.6114; as the first stage of diffusion: Rombach et al. 2021, arXiv:2112.10752.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, z, pixels = config.widths, config.latent_channels, config.channels * config.patch**2
        down: list[nn.Module] = [nn.Conv2d(pixels, widths[0], 3, padding=1)]
        up: list[nn.Module] = [nn.Conv2d(z, widths[-1], 3, padding=1), ResidualBlock(widths[-1])]

        def stage(width: int) -> list[nn.Module]:
            return [ResidualBlock(width) for _ in range(config.depth)]

        for a, b in zip(widths[:-1], widths[1:], strict=True):
            down += [*stage(a), nn.Conv2d(a, b, 3, stride=2, padding=1)]
        for b, a in zip(widths[:0:-1], widths[-2::-1], strict=True):
            up += [*stage(b), nn.Upsample(scale_factor=2), nn.Conv2d(b, a, 3, padding=1)]
        outputs = 2 * z if config.bottleneck == "vae" else z
        last, first = widths[-1], widths[0]
        down += [*stage(last), nn.GroupNorm(GROUPS, last), nn.SiLU(), nn.Conv2d(last, outputs, 1)]
        up += [*stage(first), nn.GroupNorm(GROUPS, first), nn.SiLU()]
        self.encoder = nn.Sequential(nn.PixelUnshuffle(config.patch), *down)
        self.decoder = nn.Sequential(
            *up, nn.Conv2d(first, pixels, 3, padding=1), nn.PixelShuffle(config.patch)
        )
        self.quantiser = FiniteScalarQuantiser(config.levels) if config.levels else None
        self.register_buffer("latent_mean", torch.zeros(z))
        self.register_buffer("latent_std", torch.ones(z))

    @property
    def has_latent_scale(self) -> bool:
        """Whether `fit_latent_scale` has seen data; until then mean and deviation are 0 and 1."""
        return bool(self.latent_mean.any() or (self.latent_std != 1).any())

    def posterior(
        self, images: Float[Tensor, "b c height width"]
    ) -> tuple[Float[Tensor, "b z i j"], Float[Tensor, "b z i j"]]:
        """Return mean and log-variance of the approximate posterior q(z | x), not standardised.

        Without a variance, in a plain autoencoder, the log-variance is minus infinity.

        Args:
            images: Pixels in [-1, 1].

        Raises:
            ShapeError: The images have another size, or are no floating-point numbers.
            DataError: On the CPU: a pixel is NaN, infinite, or far outside [-1, 1].
        """
        config = self.config
        check_images("images", images, (config.channels, config.image_size, config.image_size))
        z = self.encoder(images)
        if config.bottleneck == "vae":
            mean, log_variance = z.chunk(2, dim=1)
            return mean, log_variance.clamp(-30, 20)
        z = z if self.quantiser is None else self.quantiser(z)
        return z, torch.full_like(z, -math.inf)

    def encode(self, images: Float[Tensor, "b c height width"]) -> Float[Tensor, "b z i j"]:
        """Return standardised latents; of a VAE the posterior means."""
        mean, _ = self.posterior(images)
        return (mean - self.latent_mean[:, None, None]) / self.latent_std[:, None, None]

    def decode(self, latents: Float[Tensor, "b z i j"]) -> Float[Tensor, "b c height width"]:
        """Return the reconstruction of standardised latents: images, pixels near [-1, 1].

        Raises:
            ShapeError: The latents have another size, or are no floating-point numbers.
        """
        config = self.config
        wanted = (config.latent_channels, config.latent_size, config.latent_size)
        if latents.shape[1:] != wanted or not latents.is_floating_point():
            raise ShapeError(
                f"latents must have shape (batch, {', '.join(map(str, wanted))}) and a "
                f"floating-point dtype, but they have {tuple(latents.shape)} and {latents.dtype}; "
                "`encode` makes them."
            )
        z = latents * self.latent_std[:, None, None] + self.latent_mean[:, None, None]
        return self.decoder(z)

    def forward(
        self, images: Float[Tensor, "b c height width"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b c height width"]:
        """Return the reconstructions of images.

        Args:
            images: Pixels in [-1, 1].
            generator: Draws a VAE's latents; the posterior means are taken without one.
        """
        mean, log_variance = self.posterior(images)
        return self.decoder(reparameterise(mean, log_variance, generator))


def check_moments(mean: Tensor, log_variance: Tensor) -> None:
    """Raise a ShapeError unless every mean has its variance."""
    if mean.shape != log_variance.shape:
        raise ShapeError(
            f"mean and log_variance must have the same shape, but theirs are {tuple(mean.shape)} "
            f"and {tuple(log_variance.shape)}."
        )


def reparameterise(
    mean: Float[Tensor, "*b"],
    log_variance: Float[Tensor, "*b"],
    generator: torch.Generator | None,
) -> Float[Tensor, "*b"]:
    """Sample a diagonal Gaussian by the reparameterisation trick, so that gradients reach both.

    z = mean + std eps, eps ~ N(0, I), std = exp(log_variance / 2)

    Args:
        mean: Mean of each number.
        log_variance: Logarithm of its variance; minus infinity where there is none.
        generator: Where eps comes from, drawn on its device; without one the mean is returned.

    Raises:
        ShapeError: mean and log_variance differ in shape.

    Source: Kingma & Welling 2013, section 2.4, arXiv:1312.6114.
    """
    check_moments(mean, log_variance)
    if generator is None:
        return mean
    noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
    return mean + (log_variance / 2).exp() * noise
