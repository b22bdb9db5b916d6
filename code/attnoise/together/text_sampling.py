"""Sampling images from text: conditioning with guidance, samplers, cross-attention maps."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..attention import record_weights
from ..diffusion import (
    Denoiser,
    GuidedDenoiser,
    NetworkDenoiser,
    dpm_solver_sample,
    euler_sample,
    heun_sample,
    last,
    make_timesteps,
    shift_times,
)
from ..errors import ConfigError, ShapeError, choose
from ..latent import Autoencoder
from .text_encoder import PADDING
from .text_to_image import TextToImage, check_latents

SAMPLERS: dict[str, Callable] = {
    "euler": partial(euler_sample, parametrisation="flow"),
    "heun": partial(heun_sample, parametrisation="flow"),
    "dpm_solver": dpm_solver_sample,
}


def condition_on_text(
    model: TextToImage, tokens: Int[Tensor, "b m"], guidance_scale: float | int
) -> tuple[Denoiser, Int[Tensor, " b"]]:
    """Return a text-conditional denoiser with guidance, and the labels to call it with.

    A label is the number of a caption; the number after the last is the empty caption, the
    unconditional one of classifier-free guidance. So every sampler of Part III draws from text,
    unchanged, and the text is encoded once.

    Args:
        model: Predicts velocities.
        tokens: One caption per sample.
        guidance_scale: 1 is off.

    Raises:
        ConfigError: guidance_scale is not finite.
        ShapeError, DataError: As in `TextEncoder`.
    """
    device = model.text.positions.device
    tokens = tokens.to(device)
    empty = torch.full_like(tokens[:1], PADDING)
    with torch.no_grad():
        words, attended = model.text(torch.cat([tokens, empty]))

    def network(x_t: Tensor, time: Tensor, label: Tensor) -> Tensor:
        mask = attended[label][:, None, None]
        return model.dit(x_t, time, context=words[label], context_mask=mask)

    denoiser = NetworkDenoiser(network, model.path, "u")
    labels = torch.arange(len(tokens), device=device)
    return GuidedDenoiser(denoiser, guidance_scale, null_label=len(tokens)), labels


@torch.no_grad()
def sample(
    model: TextToImage,
    autoencoder: Autoencoder,
    tokens: Int[Tensor, "b m"],
    generator: torch.Generator,
    *,
    steps: int = 8,
    guidance_scale: float | int = 2.0,
    sampler: str = "euler",
    shift: float | int = 1.0,
) -> Float[Tensor, "b c height width"]:
    """Sample one image per caption: noise, a sampler with guidance in the latent, the decoder.

    Runs where the model is; model and autoencoder may be in half precision.

    Args:
        model: Predicts velocities of the autoencoder's latents.
        autoencoder: Decodes them.
        tokens: The captions: `encode_captions(["a large red circle"])`.
        generator: Where the noise comes from, drawn on its device and moved to the model's.
        steps: Sampling steps; each calls the network with the caption and without: NFE is twice
            as many.
        guidance_scale: Of classifier-free guidance; 1 is off.
        sampler: "euler", "heun" or "dpm_solver".
        shift: Of the timesteps; above 1 takes smaller steps in noise; see `shift_times`.

    Returns:
        Images, pixels near [-1, 1].

    Raises:
        ConfigError: There are no captions, the sampler is unknown, steps are too few for it,
            guidance_scale is not finite, or shift is not above 0.
        ShapeError: The latents of model and autoencoder differ in size.
    """
    if not len(tokens):
        raise ConfigError("tokens must hold one caption or more, but there are none.")
    draw, config, other = choose("sampler", sampler, SAMPLERS), model.config, autoencoder.config
    wanted = (config.latent_channels, config.latent_size, config.latent_size)
    found = (other.latent_channels, other.latent_size, other.latent_size)
    if wanted != found:
        raise ShapeError(
            f"autoencoder must have latents of shape {wanted}, as the model predicts, but they "
            f"are {found}; load the one that the model was trained with."
        )
    denoiser, label = condition_on_text(model, tokens, guidance_scale)
    noise = torch.randn(len(tokens), *wanted, generator=generator, device=generator.device)
    even = torch.tensor(make_timesteps(model.path, steps), dtype=torch.float64, device="cpu")
    times = shift_times(even, shift).tolist()
    x_T = noise.to(model.text.positions)  # its device and dtype
    latents = last(draw(denoiser, x_T, model.path, generator, timesteps=times, label=label))
    return autoencoder.decode(latents.to(autoencoder.latent_std))


@torch.no_grad()
def cross_attention_maps(
    model: TextToImage,
    latents: Float[Tensor, "b c i j"],
    time: Float[Tensor, " b"],
    tokens: Int[Tensor, "b m"],
) -> Float[Tensor, "b layers h m rows columns"]:
    """Return the cross-attention map of each word: its weight at each position, block and head.

    Args:
        model: Whose blocks attend to words.
        latents: Noisy latents.
        time: Their times t / T, in [0, 1].
        tokens: Their captions.

    Raises:
        ShapeError, ConfigError, DataError: As in `TextToImage.forward`.

    Source: Hertz et al. 2022, section 3, arXiv:2208.01626.
    """
    check_latents(latents, model.config)
    with record_weights(model.dit) as recorded:
        model(latents, time, tokens)
    maps = [w for name, w in recorded.items() if name.endswith("cross_attention")]  # b h n m
    side = model.config.latent_size // model.config.patch
    stacked = torch.stack(maps, dim=1).transpose(-1, -2)  # b layers h m n
    return stacked.unflatten(-1, (side, side))
