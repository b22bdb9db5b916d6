"""Latent diffusion: flow matching in the latents of an autoencoder, with any network."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..checks import check_sizes
from ..diffusion import (
    Denoiser,
    GuidedDenoiser,
    LinearPath,
    NetworkDenoiser,
    euler_sample,
    flow_loss,
    last,
    make_timesteps,
)
from ..diffusion.networks import ImageConfig
from ..errors import ConfigError, ShapeError
from .autoencoder import Autoencoder

EULER = partial(euler_sample, parametrisation="flow")  # along the velocity, as flows are drawn


class LatentDiffusion(nn.Module):
    """Flow matching between noise and the latents of images; the decoder makes images of samples.

    Args:
        network: Predicts the velocity of latents: a `UNet`, a `DiT`, or anything
            with their config. It is what is trained.
        autoencoder: Trained and measured before; it is frozen.

    Raises:
        ShapeError: The network was built for latents of another size.
        ConfigError: The autoencoder's latents were never measured.

    Source: Rombach et al. 2021, section 3, arXiv:2112.10752, with the straight paths of Liu et al.
        2022, arXiv:2209.03003.
    """

    path = LinearPath()

    def __init__(self, network: nn.Module, autoencoder: Autoencoder) -> None:
        super().__init__()
        config, latent = cast(ImageConfig, network.config), autoencoder.config
        found = (config.channels, config.image_size)
        if found != (latent.latent_channels, latent.latent_size):
            raise ShapeError(
                f"network takes {found[0]} channels of side {found[1]}, but the autoencoder's "
                f"latents have {latent.latent_channels} of side {latent.latent_size}; build the "
                "network with channels and image_size of the latents."
            )
        if not autoencoder.has_latent_scale:
            raise ConfigError(
                "autoencoder must have latents of mean 0 and standard deviation 1, but they were "
                "never measured; call fit_latent_scale(autoencoder, images) once it is trained."
            )
        self.network, self.config = network, config
        self.autoencoder = autoencoder.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "LatentDiffusion":
        """Set the training mode of the network alone."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def loss(
        self,
        images: Float[Tensor, "b c height width"],
        generator: torch.Generator,
        *,
        label: Int[Tensor, " b"] | None = None,
        time_sampling: str = "logit_normal",
        shift: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Return the flow-matching loss of the images' latents; options as in `flow_loss`.

        Args:
            images: Pixels in [-1, 1]; encoded without gradients.
            generator: Where times and noise come from.
            label: One class per image, exactly if the network has classes.
            time_sampling: "logit_normal" or "uniform".
            shift: Moves the times; see `shift_times`.
        """
        with torch.no_grad():
            latents = self.autoencoder.encode(images)
        return flow_loss(
            self.network,
            latents,
            generator,
            label=label,
            time_sampling=time_sampling,
            shift=shift,
        )

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        *,
        steps: int = 20,
        timesteps: Sequence[float] | None = None,
        label: Int[Tensor, " b"] | None = None,
        guidance_scale: float = 1.0,
        sampler: Callable = EULER,
    ) -> Float[Tensor, "b c height width"]:
        """Sample images: a sampler of Part III from noise to latents, then the decoder.

        Args:
            n: How many.
            generator: Where noise comes from, drawn on its device and moved to the model's.
            steps: Sampling steps, even in time.
            timesteps: Other times instead, falling from 1 to 0.
            label: One class per image, exactly if the network has classes.
            guidance_scale: Of classifier-free guidance, for a network with a null class; 1 is off.
            sampler: One of Part III. Those with a parametrisation need "flow" or "trig": the
                straight path ends in noise alone, where the time of "ve" is infinite.

        Raises:
            ShapeError: There is not one label per image.
            ConfigError: n is below 1, or there is guidance without a null class or a label.
        """
        check_sizes(n=n)
        config, scale = self.config, self.autoencoder.latent_std
        at = next(self.network.parameters(), scale)  # its device and dtype
        if label is not None and label.shape != (n,):
            raise ShapeError(
                f"label must have shape ({n},), one class per image, but its shape is "
                f"{tuple(label.shape)}."
            )
        denoiser: Denoiser = NetworkDenoiser(self.network, self.path, "u")
        if guidance_scale != 1:
            denoiser = GuidedDenoiser(denoiser, guidance_scale, null_label=config.classes)
        shape = (n, config.channels, config.image_size, config.image_size)
        noise = torch.randn(shape, generator=generator, device=generator.device).to(at)
        times = make_timesteps(self.path, steps) if timesteps is None else timesteps
        label = None if label is None else label.to(at.device)
        steps_of = sampler(denoiser, noise, self.path, generator, timesteps=times, label=label)
        return self.autoencoder.decode(last(steps_of).to(scale))
