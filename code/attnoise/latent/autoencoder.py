"""Autoencoders: a picture through a narrow place and back. Plain, variational, or with codes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import ConfigError, ShapeError, choose
from .quantiser import FiniteScalarQuantiser

GROUPS = 8
BOTTLENECKS = ("plain", "vae", "fsq")


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Shape of an `Autoencoder`.

    Args:
        image_size: Side of the square image in pixels.
        channels: Numbers per pixel.
        patch: Side of the squares that become one place before anything else.
        widths: Channels of each stage, multiples of 8; each is half as large as the one before.
        depth: Pairs of convolutions in each stage, down and up.
        latent_channels: Numbers per place of the latent.
        bottleneck: "plain"; "vae", where each number has a mean and a variance; or "fsq", where
            each number is rounded to one of a few levels.
        levels: For "fsq", how many levels each latent channel has.

    Raises:
        ConfigError: Sizes do not divide or are below 1, or levels do not fit the bottleneck.
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
        for name in ("image_size", "channels", "depth", "latent_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, but it is {getattr(self, name)}.")
        if not self.widths or any(width < 1 or width % GROUPS for width in self.widths):
            raise ConfigError(f"widths must be multiples of {GROUPS}, but they are {self.widths}.")
        if self.patch < 1 or self.image_size % (self.patch * 2 ** (len(self.widths) - 1)):
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

    @property
    def latent_size(self) -> int:
        """Side of the latent."""
        return self.image_size // (self.patch * 2 ** (len(self.widths) - 1))


class ResidualPair(nn.Module):
    """Two convolutions beside a straight way: x + conv(SiLU(norm(conv(SiLU(norm(x)))))).

    The second convolution starts at zero, so that at first the pair passes x on.

    Source: He et al. 2016, arXiv:1603.05027, with group norm.
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
        """Return what comes next, of the same shape."""
        return x + self.layers(x)


class Autoencoder(nn.Module):
    """Squeeze pictures into small latents, and paint them again.

    Latents are standardised: once `measure_latents` has seen data, `encode` returns numbers of
    mean 0 and standard deviation 1 per channel, and `decode` expects them so. Diffusion starts
    from standard noise and needs that; the numbers are part of the weights.

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
        up: list[nn.Module] = [nn.Conv2d(z, widths[-1], 3, padding=1), ResidualPair(widths[-1])]

        def stage(width: int) -> list[nn.Module]:
            return [ResidualPair(width) for _ in range(config.depth)]

        for a, b in zip(widths[:-1], widths[1:], strict=True):
            down += [*stage(a), nn.Conv2d(a, b, 3, stride=2, padding=1)]
        for b, a in zip(widths[:0:-1], widths[-2::-1], strict=True):
            up += [*stage(b), nn.Upsample(scale_factor=2), nn.Conv2d(b, a, 3, padding=1)]
        outputs = 2 * z if config.bottleneck == "vae" else z
        last, first = widths[-1], widths[0]
        down += [
            *stage(last),
            nn.GroupNorm(GROUPS, last),
            nn.SiLU(),
            nn.Conv2d(last, outputs, 1),
        ]
        up += [*stage(first), nn.GroupNorm(GROUPS, first), nn.SiLU()]
        self.encoder = nn.Sequential(nn.PixelUnshuffle(config.patch), *down)
        self.decoder = nn.Sequential(
            *up, nn.Conv2d(first, pixels, 3, padding=1), nn.PixelShuffle(config.patch)
        )
        self.quantiser = FiniteScalarQuantiser(config.levels) if config.levels else None
        self.register_buffer("latent_mean", torch.zeros(z))
        self.register_buffer("latent_std", torch.ones(z))

    @property
    def measured(self) -> bool:
        """Whether `measure_latents` has seen data; until then the scale is 0 and 1."""
        return bool(self.latent_mean.any() or (self.latent_std != 1).any())

    def posterior(
        self, images: Float[Tensor, "b c height width"]
    ) -> tuple[Float[Tensor, "b z i j"], Float[Tensor, "b z i j"]]:
        """Return mean and log-variance of each latent number, not standardised.

        Without a variance, in a plain autoencoder, the log-variance is minus infinity.

        Raises:
            ShapeError: The images have another size.
        """
        config = self.config
        wanted = (config.channels, config.image_size, config.image_size)
        if images.shape[1:] != wanted:
            raise ShapeError(
                f"images must have shape (batch, {', '.join(map(str, wanted))}), but their shape "
                f"is {tuple(images.shape)}."
            )
        z = self.encoder(images)
        if config.bottleneck == "vae":
            mean, log_variance = z.chunk(2, dim=1)
            return mean, log_variance.clamp(-30, 20)
        z = z if self.quantiser is None else self.quantiser(z)
        return z, torch.full_like(z, -math.inf)

    def encode(self, images: Float[Tensor, "b c height width"]) -> Float[Tensor, "b z i j"]:
        """Return standardised latents; of a VAE their means."""
        mean, _ = self.posterior(images)
        return (mean - self.latent_mean[:, None, None]) / self.latent_std[:, None, None]

    def decode(self, latents: Float[Tensor, "b z i j"]) -> Float[Tensor, "b c height width"]:
        """Paint pictures from standardised latents.

        Raises:
            ShapeError: The latents have another size.
        """
        config = self.config
        wanted = (config.latent_channels, config.latent_size, config.latent_size)
        if latents.shape[1:] != wanted:
            raise ShapeError(
                f"latents must have shape (batch, {', '.join(map(str, wanted))}), but their shape "
                f"is {tuple(latents.shape)}."
            )
        z = latents * self.latent_std[:, None, None] + self.latent_mean[:, None, None]
        return self.decoder(z)

    def forward(
        self, images: Float[Tensor, "b c height width"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b c height width"]:
        """Return the pictures after the round trip.

        Args:
            images: Pixels in [-1, 1].
            generator: Where a VAE's latents are drawn from; their means are taken without one.
        """
        mean, log_variance = self.posterior(images)
        return self.decoder(draw_latents(mean, log_variance, generator))


def draw_latents(
    mean: Float[Tensor, "*b"],
    log_variance: Float[Tensor, "*b"],
    generator: torch.Generator | None,
) -> Float[Tensor, "*b"]:
    """Draw latents as mean + std * noise, so that gradients reach both; the mean without noise.

    Source: the reparameterisation trick, Kingma & Welling 2013, section 2.4, arXiv:1312.6114.
    """
    if generator is None:
        return mean
    noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
    return mean + (log_variance / 2).exp() * noise
