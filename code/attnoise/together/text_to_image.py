"""Text to image: a text encoder and a diffusion transformer that predicts velocities of latents.

Images are sampled in `text_sampling`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..checks import check_sizes
from ..diffusion import LinearPath, flow_loss
from ..diffusion.numerics import check_samples
from ..errors import ConfigError, ShapeError
from .dit import DiT, DiTConfig
from .text_encoder import PADDING, TextEncoder


@dataclass(frozen=True, kw_only=True)
class TextToImageConfig:
    """Shape of a `TextToImage`.

    Args:
        vocab: Number of tokens, padding included.
        max_length: Tokens of the longest caption.
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
        ConfigError: A size is below 1 or no whole number, or sizes do not divide.
    """

    vocab: int = 20
    max_length: int = 10
    latent_size: int = 8
    latent_channels: int = 4
    patch: int = 2
    d: int = 144
    depth: int = 4
    heads: int = 4
    text_width: int = 96
    text_depth: int = 2
    text_heads: int = 4

    def __post_init__(self) -> None:
        names = ("vocab", "max_length", "text_width", "text_depth", "text_heads")
        check_sizes(latent_size=self.latent_size, latent_channels=self.latent_channels)
        check_sizes(**{name: getattr(self, name) for name in names})
        self.dit()  # knows what its sizes must be
        if self.text_width % self.text_heads:
            raise ConfigError(
                f"text_width must be a multiple of text_heads, but they are {self.text_width} and "
                f"{self.text_heads}."
            )

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


def check_latents(latents: Tensor, config: TextToImageConfig) -> None:
    """Check that latents have the size that a model was built for.

    Raises:
        ShapeError: They have another.
    """
    wanted = (config.latent_channels, config.latent_size, config.latent_size)
    if latents.ndim != 4 or latents.shape[1:] != wanted:
        raise ShapeError(
            f"latents must have shape (batch, {', '.join(map(str, wanted))}), but their shape is "
            f"{tuple(latents.shape)}; the autoencoder's `encode` makes them."
        )


class TextToImage(nn.Module):
    """Text-conditional flow matching: predict the velocity of noisy latents, given a caption.

    The latents attend to the words by cross-attention in every block; the time enters by
    adaLN-Zero.

    Args:
        config: Its shape.

    Source: text by cross-attention: Rombach et al. 2021, section 3.3, arXiv:2112.10752; blocks:
        Peebles & Xie 2022, arXiv:2212.09748.
    Differs: the text encoder is small and trained jointly, not taken from a language model.
    """

    path = LinearPath()

    def __init__(self, config: TextToImageConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.text = TextEncoder(
            c.vocab, c.max_length, c.text_width, depth=c.text_depth, heads=c.text_heads
        )
        self.dit = DiT(config.dit())

    def forward(
        self,
        x_t: Float[Tensor, "b c i j"],
        time: Float[Tensor, " b"],
        tokens: Int[Tensor, "b m"],
    ) -> Float[Tensor, "b c i j"]:
        """Return the predicted velocity, noise minus data.

        Args:
            x_t: Noisy latents.
            time: t / T, in [0, 1]; 1 is noise.
            tokens: Their captions; all padding for an unconditional prediction.

        Raises:
            ShapeError, ConfigError, DataError: As in `DiT` and `TextEncoder`.
        """
        words, attended = self.text(tokens)
        return self.dit(x_t, time, context=words, context_mask=attended[:, None, None])

    def loss(
        self,
        latents: Float[Tensor, "b c i j"],
        tokens: Int[Tensor, "b m"],
        generator: torch.Generator,
        *,
        cond_drop_prob: float = 0.1,
    ) -> Float[Tensor, ""]:
        """Return the flow-matching loss with condition dropout, for classifier-free guidance.

        Args:
            latents: Standardised latents of images.
            tokens: Their captions.
            generator: Draws which captions are dropped, times and noise.
            cond_drop_prob: Probability that a caption is replaced by the empty one, in [0, 1].

        Raises:
            ConfigError: cond_drop_prob lies outside [0, 1].
            ShapeError: There is not one caption per latent, or the latents have another size.
            DataError: On the CPU: latents hold NaN, infinity, or are not standardised.

        Source: dropout of the condition: Ho & Salimans 2022, algorithm 1, arXiv:2207.12598.
        """
        if not 0 <= cond_drop_prob <= 1:
            raise ConfigError(
                f"cond_drop_prob must lie between 0 and 1, but it is {cond_drop_prob}; 0.1 is "
                "usual."
            )
        check_latents(latents, self.config)
        check_samples("latents", latents)
        if len(tokens) != len(latents):
            raise ShapeError(
                f"tokens must hold one caption per latent, but there are {len(tokens)} captions "
                f"and {len(latents)} latents."
            )
        drawn = torch.rand(len(tokens), generator=generator, device=generator.device)
        unconditional = (drawn < cond_drop_prob).to(tokens.device)
        tokens = tokens.masked_fill(unconditional[:, None], PADDING)
        return flow_loss(lambda x_t, time: self(x_t, time, tokens), latents, generator)
