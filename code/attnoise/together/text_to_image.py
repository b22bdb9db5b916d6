"""From a caption to a picture: a text encoder, a diffusion transformer, a decoder of latents."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..attention import record_weights
from ..diffusion import (
    Denoiser,
    GuidedDenoiser,
    LinearPath,
    NetworkDenoiser,
    dpm_solver_sample,
    euler_sample,
    flow_loss,
    heun_sample,
    last,
    make_timesteps,
    shift_times,
)
from ..errors import ConfigError, choose
from ..latent import Autoencoder
from .dit import DiT, DiTConfig
from .text_encoder import PADDING, TextEncoder

PATH = LinearPath()
SAMPLERS: dict[str, Callable] = {
    "euler": partial(euler_sample, parametrisation="flow"),
    "heun": partial(heun_sample, parametrisation="flow"),
    "dpm_solver": dpm_solver_sample,
}


@dataclass(frozen=True, kw_only=True)
class TextToImageConfig:
    """Shape of a `TextToImage`.

    Args:
        vocabulary: Number of tokens, padding included.
        length: Tokens of the longest caption.
        latent_size: Side of a latent.
        latent_channels: Its channels.
        patch: Side of the square of latents that is one token.
        d: Width of the diffusion transformer.
        depth: Its blocks.
        heads: Its attention heads; must divide d.
        text_width: Width of the text encoder.
        text_depth: Its blocks.
        text_heads: Its heads.

    Raises:
        ConfigError: Sizes do not divide.
    """

    vocabulary: int = 20
    length: int = 10
    latent_size: int = 8
    latent_channels: int = 4
    patch: int = 2
    d: int = 144
    depth: int = 4
    heads: int = 4
    text_width: int = 96
    text_depth: int = 2
    text_heads: int = 4

    def dit(self) -> DiTConfig:
        """Return the shape of the diffusion transformer."""
        return DiTConfig(
            image_size=self.latent_size,
            channels=self.latent_channels,
            patch=self.patch,
            d=self.d,
            depth=self.depth,
            heads=self.heads,
            context_width=self.text_width,
        )


class TextToImage(nn.Module):
    """Predict the velocity of a latent on its way from noise, told by a caption where to go.

    The words reach the latents by cross-attention in every block; the time comes in by adaLN-Zero.

    Args:
        config: Its shape.

    Source: text by cross-attention: Rombach et al. 2021, section 3.3, arXiv:2112.10752; blocks:
        Peebles & Xie 2022, arXiv:2212.09748.
    Differs: the text encoder is small and trained jointly, not taken from a language model.
    """

    def __init__(self, config: TextToImageConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.text = TextEncoder(
            c.vocabulary, c.length, c.text_width, depth=c.text_depth, heads=c.text_heads
        )
        self.dit = DiT(config.dit())

    def forward(
        self,
        x_t: Float[Tensor, "b c i j"],
        t: Float[Tensor, " b"],
        tokens: Int[Tensor, "b m"],
    ) -> Float[Tensor, "b c i j"]:
        """Return the velocity of noisy latents at times in [0, 1], 1 being noise."""
        words, known = self.text(tokens)
        return self.dit(x_t, t, context=words, context_mask=known[:, None, None])

    def loss(
        self,
        latents: Float[Tensor, "b c i j"],
        tokens: Int[Tensor, "b m"],
        generator: torch.Generator,
        *,
        dropped: float = 0.1,
    ) -> Float[Tensor, ""]:
        """Return the flow-matching loss; a share of the captions is dropped, for guidance."""
        drawn = torch.rand(len(tokens), generator=generator, device=generator.device)
        silent = (drawn < dropped).to(tokens.device)
        tokens = tokens.masked_fill(silent[:, None], PADDING)
        return flow_loss(lambda x_t, t: self(x_t, t, tokens), latents, generator)


def captioned(
    model: TextToImage, tokens: Int[Tensor, "b m"], scale: float | int
) -> tuple[Denoiser, Int[Tensor, " b"]]:
    """Return a denoiser that hears one caption per sample, and the labels to call it with.

    A label is the number of a caption; the number after the last is the caption without words,
    which guidance compares with. So every sampler of Part III draws from text, unchanged.
    """
    silence = torch.full_like(tokens[:1], PADDING)
    with torch.no_grad():
        words, known = model.text(torch.cat([tokens, silence]))

    def network(x_t: Tensor, t: Tensor, label: Tensor) -> Tensor:
        mask = known[label][:, None, None]
        return model.dit(x_t, t, context=words[label], context_mask=mask)

    denoiser = NetworkDenoiser(network, PATH, "u")
    return GuidedDenoiser(denoiser, scale, null_label=len(tokens)), torch.arange(len(tokens))


def sample(
    model: TextToImage,
    autoencoder: Autoencoder,
    tokens: Int[Tensor, "b m"],
    generator: torch.Generator,
    *,
    steps: int = 8,
    scale: float | int = 2.0,
    sampler: str = "euler",
    shift: float | int = 1.0,
) -> Float[Tensor, "b c h w"]:
    """Draw one picture per caption.

    Args:
        model: Predicts velocities of the autoencoder's latents.
        autoencoder: Decodes them.
        tokens: What to draw: `encode_captions(["a large red circle"])`.
        generator: Where the noise comes from.
        steps: Of the sampler; each asks the network with the caption and without.
        scale: Of guidance; 1 is off.
        sampler: "euler", "heun" or "dpm_solver".
        shift: Of the times at which it stops; above 1 takes smaller steps in noise.

    Returns:
        Pictures, pixels near [-1, 1].

    Raises:
        ConfigError: There are no captions, the sampler is unknown, steps are too few for it, or
            shift is not above 0.
        ShapeError: The latents of model and autoencoder differ in size.
    """
    if not len(tokens):
        raise ConfigError("tokens must hold one caption or more, but there are none.")
    draw = choose("sampler", sampler, SAMPLERS)
    denoiser, label = captioned(model, tokens, scale)
    side, channels = model.config.latent_size, model.config.latent_channels
    noise = torch.randn(len(tokens), channels, side, side, generator=generator)
    times = shift_times(
        torch.tensor(make_timesteps(PATH, steps), dtype=torch.float64), shift
    ).tolist()
    latents = last(draw(denoiser, noise, PATH, timesteps=times, label=label))
    with torch.no_grad():
        return autoencoder.decode(latents)


def word_maps(
    model: TextToImage,
    latents: Float[Tensor, "b c i j"],
    t: Float[Tensor, " b"],
    tokens: Int[Tensor, "b m"],
) -> Float[Tensor, "b layers h m rows columns"]:
    """Return how much each place of the picture looks at each word, in every block and head.

    Args:
        latents: Noisy latents.
        t: Their times in [0, 1].
        tokens: The captions that they become.

    Source: Hertz et al. 2022, section 3, arXiv:2208.01626.
    """
    with torch.no_grad(), record_weights(model.dit) as recorded:
        model(latents, t, tokens)
    maps = [w for name, w in recorded.items() if name.endswith("cross_attention")]  # b h n m
    side = model.config.latent_size // model.config.patch
    stacked = torch.stack(maps, dim=1).transpose(-1, -2)  # b layers h m n
    return stacked.unflatten(-1, (side, side))
