"""DiT: the transformer takes the U-Net's place. Latents become patches, and blocks do the rest."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..diffusion import time_features
from ..diffusion.networks import check_images
from ..errors import ConfigError, ShapeError, choose
from ..transformers import Block, BlockConfig, patchify, unpatchify
from ..transformers.block import Modulation

CONDITIONING = ("adaln_zero", "in_context", "cross_attention")
PRESETS = {  # Peebles & Xie 2022, table 1
    "DiT-S": {"d": 384, "depth": 12, "heads": 6},
    "DiT-B": {"d": 768, "depth": 12, "heads": 12},
    "DiT-L": {"d": 1024, "depth": 24, "heads": 16},
    "DiT-XL": {"d": 1152, "depth": 28, "heads": 16},
}
POSITIVE = "image_size", "channels", "patch", "d", "depth", "heads", "context_width", "norm_eps"
FREQUENCIES = 256  # numbers that describe a time before the network has seen it


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Shape of a `DiT`. `DiTConfig(**PRESETS["DiT-S"], ...)` gives a published size.

    Args:
        image_size: Side of the latent or image.
        channels: Its channels.
        patch: Side of the square that becomes one token.
        d: Model width, a multiple of 4.
        depth: Number of blocks.
        heads: Attention heads; must divide d.
        classes: Number of labels; 0 for a model without labels.
        null_class: Add one label more, `classes`, that means "no label": guidance needs it.
        conditioning: How time and label reach the blocks: "adaln_zero" (they scale, shift and
            gate), "in_context" (two more tokens) or "cross_attention" (two tokens to look up).
        context_width: Width of the vectors of a text that every block looks up by
            cross-attention; None for a model without text.
        variance: Answer twice as many channels, the second half for the variance of a step.
        norm_eps, mlp: As in `BlockConfig`; the defaults are the published ones.

    Raises:
        ConfigError: Sizes are out of range or do not divide, or settings exclude each other.
    """

    image_size: int = 8
    channels: int = 4
    patch: int = 2
    d: int = 128
    depth: int = 4
    heads: int = 4
    classes: int = 0
    null_class: bool = False
    conditioning: str = "adaln_zero"
    context_width: int | None = None
    variance: bool = False
    norm_eps: float = 1e-6
    mlp: str = "gelu_tanh"

    def __post_init__(self) -> None:
        choose("conditioning", self.conditioning, dict.fromkeys(CONDITIONING))
        for name in POSITIVE:
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ConfigError(f"{name} must be above 0, but it is {value}.")
        if self.image_size % self.patch:
            raise ConfigError(
                f"image_size must be a multiple of patch, but they are {self.image_size} and "
                f"{self.patch}; patches tile the image."
            )
        if self.d % self.heads or self.d % 4:
            raise ConfigError(
                f"d must be a multiple of heads and of 4, for two axes of sines and cosines, but "
                f"d = {self.d}, heads = {self.heads}."
            )
        if self.classes < self.null_class:
            raise ConfigError(
                "null_class must be False if there are no classes, and classes at least 0, but "
                f"they are {self.null_class} and {self.classes}."
            )
        if self.conditioning == "cross_attention" and self.context_width is not None:
            raise ConfigError(
                "conditioning must not be 'cross_attention' if there is a text, which takes the "
                f"blocks' cross-attention, but context_width is {self.context_width}; use "
                "'adaln_zero' or 'in_context'."
            )
        self.block()  # knows which mlp there is

    def block(self) -> BlockConfig:
        """Return the shape of each block."""
        return BlockConfig(
            d=self.d, heads=self.heads, mlp=self.mlp, norm_eps=self.norm_eps,
            condition_width=self.d if self.conditioning == "adaln_zero" else None,
            context_width=self.d if self.conditioning == "cross_attention" else self.context_width,
        )  # fmt: skip


def grid_positions(side: int, d: int) -> Float[Tensor, "n d"]:
    """Describe each place of a square grid by sines and cosines: half for its column, half its row.

    For each coordinate m: (sin(m f_i), cos(m f_i)), f_i = 10000^(-i / (d / 4))

    Args:
        side: Places along an edge.
        d: A multiple of 4.

    Source: Peebles & Xie 2022, section 3.2; Vaswani et al. 2017, section 3.5, arXiv:1706.03762.
    """
    frequencies = 10_000.0 ** (-torch.arange(d // 4, dtype=torch.float64) / (d / 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies  # side d/4
    axis = torch.cat([angles.sin(), angles.cos()], dim=-1)  # side d/2
    columns, rows = axis.repeat(side, 1), axis.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=-1).float()


class DiT(nn.Module):
    """Denoise latents with the blocks of Part II, told the time, a label and a text.

    Args:
        config: Its shape.

    Source: Peebles & Xie 2022, section 3, arXiv:2212.09748.
    Differs: patches are written channel by channel; labels are dropped in training loops; text.
    """

    positions: Tensor

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        d, pixels = config.d, config.channels * config.patch**2
        self.read = nn.Linear(pixels, d)
        side = config.image_size // config.patch
        self.register_buffer("positions", grid_positions(side, d), persistent=False)
        self.time = nn.Sequential(nn.Linear(FREQUENCIES, d), nn.SiLU(), nn.Linear(d, d))
        rows = config.classes + config.null_class
        self.labels = nn.Embedding(rows, d) if config.classes else None
        self.blocks = nn.ModuleList(Block(config.block()) for _ in range(config.depth))
        modulated = config.conditioning == "adaln_zero"
        self.norm = nn.LayerNorm(d, eps=config.norm_eps, elementwise_affine=not modulated)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 2 * d)) if modulated else None
        self.write = nn.Linear(d, (1 + config.variance) * pixels)
        self._initialise()

    def _initialise(self) -> None:
        """Start as published: blocks pass on what they get (but for a text), the answer is zero.

        Uniform as by Xavier elsewhere, so that signals keep their size in both directions; small
        numbers where time and label come in.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        for layer in (*self.time, self.labels):
            if isinstance(layer, nn.Linear | nn.Embedding):
                nn.init.normal_(layer.weight, std=0.02)
        zero = [m.to_vectors for m in self.modules() if isinstance(m, Modulation)]
        for layer in (*zero, *(self.modulation or ()), self.write):
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)

    def forward(
        self,
        x_t: Float[Tensor, "b c i j"],
        t: Float[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
        *,
        context: Float[Tensor, "b m e"] | None = None,
        context_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "b out i j"]:
        """Answer for noisy latents.

        Args:
            x_t: Noisy latents.
            t: Their times as fractions of T, in [0, 1].
            label: Their classes, exactly if the config has classes.
            context: The vectors of a text, exactly if the config has a context_width.
            context_mask: Boolean, True = may be looked at; broadcasts to "b h n m".

        Raises:
            ShapeError: A shape is off, or a label or a text is missing or not asked for.
        """
        config = self.config
        self._check(x_t, t, label, context, context_mask)
        x = self.read(patchify(x_t, config.patch)) + self.positions  # b n d
        named = [] if self.labels is None else [self.labels(label)]  # b d
        tokens = torch.stack([self.time(time_features(t, FREQUENCIES)), *named], dim=1)  # b 1-2 d
        inputs = {"context": context, "context_mask": context_mask}
        if config.conditioning == "adaln_zero":
            inputs["condition"] = tokens.sum(dim=1)
        elif config.conditioning == "cross_attention":
            inputs = {"context": tokens}
        else:
            x = torch.cat([x, tokens], dim=1)
        for block in self.blocks:
            x = block(x, **inputs)
        x = self.norm(x[:, : len(self.positions)])
        if self.modulation is not None:
            shift, scale = self.modulation(inputs["condition"])[:, None].chunk(2, dim=-1)
            x = (1 + scale) * x + shift
        return unpatchify(self.write(x), config.patch, (1 + config.variance) * config.channels)

    def _check(self, x_t, t, label, context, context_mask) -> None:
        check_images(self.config, x_t, label)
        if t.shape != x_t.shape[:1] or (label is not None and label.shape != t.shape):
            raise ShapeError(
                f"t and label must have shape ({len(x_t)},), one number for each of x_t, but t has "
                f"{tuple(t.shape)} and label {None if label is None else tuple(label.shape)}."
            )
        width, silent = self.config.context_width, context is None
        if silent != (width is None) or (silent and context_mask is not None):
            raise ShapeError(
                f"context: the model was built with context_width = {width}, but "
                f"{'no text' if silent else 'a text'} was given; pass one, with a mask or without, "
                "exactly if it has a width."
            )
