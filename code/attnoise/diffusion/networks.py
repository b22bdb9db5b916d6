"""Two denoising networks: a small one for points in the plane, a transformer for images."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import ConfigError, ShapeError
from ..transformers import Block, BlockConfig


def time_features(t: Float[Tensor, " b"], width: int) -> Float[Tensor, "b width"]:
    """Spread a time in [0, 1] over sines and cosines of falling frequency.

    (cos(1000 t f_i), sin(1000 t f_i)), f_i = 10000^(-i / (width / 2))

    Args:
        t: Times as fractions of T.
        width: Even number of features.

    Source: Vaswani et al. 2017, section 3.5, arXiv:1706.03762, as used for diffusion times by Ho
        et al. 2020.
    """
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / half)
    angles = 1000 * t[:, None] * frequencies  # b half
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class PointDenoiser(nn.Module):
    """A network for points: a few residual layers, told the time at each.

    Args:
        axes: Numbers per point, 2 for the plane.
        d: Width of the hidden layers, an even number.
        depth: Number of residual layers.

    Raises:
        ConfigError: d is odd or depth < 1.
    """

    def __init__(self, axes: int = 2, *, d: int = 128, depth: int = 3) -> None:
        super().__init__()
        if d % 2 or depth < 1:
            raise ConfigError(f"d must be even and depth at least 1, but they are {d} and {depth}.")
        self.d = d
        self.read = nn.Linear(axes, d)
        self.time = nn.Linear(d, d)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
            for _ in range(depth)
        )
        self.write = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, axes))

    def forward(self, x_t: Float[Tensor, "b e"], t: Float[Tensor, " b"]) -> Float[Tensor, "b e"]:
        """Answer for noisy points at times given as fractions of T."""
        time = self.time(time_features(t, self.d))  # b d
        x = self.read(x_t)  # b d
        for layer in self.layers:
            x = x + layer(x + time)
        return self.write(x)


@runtime_checkable
class ImageConfig(Protocol):
    """What every config of an image denoiser says."""

    @property
    def image_size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def classes(self) -> int: ...


def check_images(config: ImageConfig, x_t: Tensor, label: Tensor | None) -> None:
    """Raise a ShapeError unless images and labels are those of the config's model."""
    wanted = (config.channels, config.image_size, config.image_size)
    if x_t.shape[1:] != wanted:
        raise ShapeError(
            f"x_t must have shape (batch, {', '.join(map(str, wanted))}), but its shape is "
            f"{tuple(x_t.shape)}; the model was built for that size."
        )
    if (label is None) == bool(config.classes):
        raise ShapeError(
            f"label: the model has {config.classes} classes, but "
            f"{'no label was' if label is None else 'a label was'} given; "
            "pass one class per image exactly if the config has classes."
        )


@dataclass(frozen=True, kw_only=True)
class DenoisingTransformerConfig:
    """Shape of a `DenoisingTransformer`.

    Args:
        image_size: Side of the square image in pixels.
        channels: Numbers per pixel.
        patch: Side of a patch; an 8 x 8 image in patches of 2 makes 16 tokens.
        d: Model width.
        depth: Number of blocks.
        heads: Attention heads; must divide d.
        classes: Number of labels; 0 for a model without labels.
        null_class: Add one label more, `classes`, that means "no label": guidance needs it.

    Raises:
        ConfigError: Sizes do not divide, or there is a null class but no other.
    """

    image_size: int = 8
    channels: int = 1
    patch: int = 2
    d: int = 96
    depth: int = 4
    heads: int = 4
    classes: int = 10
    null_class: bool = False

    def __post_init__(self) -> None:
        if self.patch < 1 or self.image_size % self.patch:
            raise ConfigError(
                f"image_size must be a multiple of patch, but they are {self.image_size} and "
                f"{self.patch}; patches tile the image."
            )
        if self.d % self.heads or self.d % 2:
            raise ConfigError(
                f"d must be even and a multiple of heads, but d = {self.d}, heads = {self.heads}."
            )
        if self.null_class and not self.classes:
            raise ConfigError("null_class must be False if there are no classes, but it is True.")


class DenoisingTransformer(nn.Module):
    """Denoise an image as a sentence of patches: blocks in between know time and class.

    Args:
        config: Its shape.

    Source: Peebles & Xie 2022, arXiv:2212.09748.
    Differs: learned positions instead of fixed sines.
    """

    def __init__(self, config: DenoisingTransformerConfig) -> None:
        super().__init__()
        self.config = config
        c, p, d = config.channels, config.patch, config.d
        tokens = (config.image_size // p) ** 2
        self.read = nn.Linear(c * p * p, d)
        self.positions = nn.Parameter(0.02 * torch.randn(tokens, d))
        self.time = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        rows = config.classes + config.null_class
        self.labels = nn.Embedding(rows, d) if config.classes else None
        self.blocks = nn.ModuleList(
            Block(BlockConfig(d=d, heads=config.heads, condition_width=d))
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(d)
        self.write = nn.Linear(d, c * p * p)
        nn.init.zeros_(self.write.weight)  # so that the first answer is zero, the mean of eps
        nn.init.zeros_(self.write.bias)

    def forward(
        self,
        x_t: Float[Tensor, "b c height width"],
        t: Float[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b c height width"]:
        """Answer for noisy images.

        Args:
            x_t: Noisy images.
            t: Their times as fractions of T, in [0, 1].
            label: Their classes, exactly if the config has classes.

        Raises:
            ShapeError: The images have another size, or a label is missing or not asked for.
        """
        check_images(self.config, x_t, label)
        p = self.config.patch
        x = rearrange(x_t, "b c (i p) (j q) -> b (i j) (c p q)", p=p, q=p)  # b n cpp
        x = self.read(x) + self.positions  # b n d
        condition = self.time(time_features(t, self.config.d))  # b d
        if self.labels is not None:
            condition = condition + self.labels(label)
        for block in self.blocks:
            x = block(x, condition=condition)
        x = self.write(self.norm(x))  # b n cpp
        i = self.config.image_size // p
        return rearrange(x, "b (i j) (c p q) -> b c (i p) (j q)", i=i, p=p, q=p)
