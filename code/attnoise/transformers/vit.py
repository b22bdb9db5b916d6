"""ViT: an image as a sentence of patches, read by the same blocks as any other sentence."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..attention import record_weights
from ..checks import check_images, check_indices, check_sizes
from ..errors import ConfigError, ShapeError, choose
from .block import Block, BlockConfig
from .initialisation import initialise

POOLS = {"class": 1, "mean": 0}


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """Shape of a `ViT`.

    Args:
        image_size: Side of the square image in pixels.
        patch: Side of a patch; must divide image_size.
        channels: Numbers per pixel.
        classes: Number of classes.
        depth: Number of blocks.
        block: What they look like; not causal.
        pool: What the class is read from: "class" (a token of its own) or "mean" (all patches).

    Raises:
        ConfigError: A number is below 1, the patches do not tile the image, or the block is
            causal.
    """

    image_size: int = 28
    patch: int = 4
    channels: int = 1
    classes: int = 10
    depth: int = 4
    block: BlockConfig = field(default_factory=lambda: BlockConfig(d=96, heads=4))
    pool: str = "class"

    def __post_init__(self) -> None:
        choose("pool", self.pool, POOLS)
        check_sizes(image_size=self.image_size, patch=self.patch, channels=self.channels)
        check_sizes(classes=self.classes, depth=self.depth)
        if self.image_size % self.patch:
            raise ConfigError(
                f"image_size must be a multiple of patch, but they are {self.image_size} and "
                f"{self.patch}; patches tile the image."
            )
        if self.block.causal:
            raise ConfigError("block.causal must be False: every patch looks at every other.")

    @property
    def patches(self) -> int:
        """How many patches an image has."""
        return (self.image_size // self.patch) ** 2


def patchify(images: Float[Tensor, "b c height width"], p: int) -> Float[Tensor, "b n e"]:
    """Cut images into patches of side p, row by row, each written as one vector.

    Args:
        images: Sides that are multiples of p.
        p: Side of a patch in pixels.

    Returns:
        One row of e = c p^2 numbers per patch: channel, then row, then column.

    Raises:
        ConfigError: p < 1.
        ShapeError: The patches do not tile the images.

    >>> patchify(torch.ones(2, 3, 8, 8), 4).shape
    torch.Size([2, 4, 48])
    """
    check_sizes(p=p)
    if images.ndim != 4 or images.shape[-2] % p or images.shape[-1] % p:
        raise ShapeError(
            f"images must have shape (batch, channels, height, width), with sides that are "
            f"multiples of p = {p}, but their shape is {tuple(images.shape)}."
        )
    return rearrange(images, "b c (i p) (j q) -> b (i j) (c p q)", p=p, q=p)


def unpatchify(
    patches: Float[Tensor, "b n e"], p: int, c: int = 1
) -> Float[Tensor, "b c height width"]:
    """Put the patches of square images together again: the inverse of `patchify`.

    Args:
        patches: A square number n of patches, each of e = c p^2 numbers.
        p: Side of a patch in pixels.
        c: Channels.

    Raises:
        ConfigError: p or c < 1.
        ShapeError: n is no square, or e is not c p^2.
    """
    check_sizes(p=p, c=c)
    n, e = patches.shape[-2:]
    side = math.isqrt(n)
    if patches.ndim != 3 or side * side != n or e != c * p * p:
        raise ShapeError(
            f"patches must have shape (batch, a square number, {c * p * p}) for p = {p} and "
            f"c = {c}, but their shape is {tuple(patches.shape)}."
        )
    return rearrange(patches, "b (i j) (c p q) -> b c (i p) (j q)", i=side, c=c, p=p, q=p)


class ViT(nn.Module):
    """Read an image as patches and name what it shows.

    Args:
        config: Its shape.

    Source: Dosovitskiy et al. 2020, equations 1 to 4, arXiv:2010.11929.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        d, pixels = config.block.d, config.channels * config.patch**2
        self.extra = POOLS[config.pool]  # tokens that are no patches
        self.patches = nn.Linear(pixels, d)
        self.class_token = nn.Parameter(torch.zeros(self.extra, d))
        self.positions = nn.Parameter(0.02 * torch.randn(config.patches + self.extra, d))
        self.dropout = nn.Dropout(config.block.dropout)
        self.blocks = nn.ModuleList(Block(config.block) for _ in range(config.depth))
        self.norm = config.block.make_norm()
        self.head = nn.Linear(d, config.classes)
        initialise(self)
        # Patches arrive with a variance near 1, not as rows of an embedding.
        nn.init.normal_(self.patches.weight, std=pixels**-0.5)

    def encode(
        self,
        images: Float[Tensor, "b c height width"],
        keep: Int[Tensor, "b m"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Return one vector per token, the class token first if there is one.

        Args:
            images: Pixels in [-1, 1].
            keep: Numbers of the patches to look at; all if not given. What is left out costs
                nothing, as in masked pre-training.

        Raises:
            ShapeError: The images have another size, or are no floating-point numbers.
            DataError: A pixel is NaN or far outside [-1, 1], or keep names a patch that there is
                not; looked at on the CPU alone.
        """
        config = self.config
        check_images("images", images, (config.channels, config.image_size, config.image_size))
        x = self.patches(patchify(images, config.patch)) + self.positions[self.extra :]  # b n d
        if keep is not None:
            check_indices("keep", keep, config.patches)
            x = x.gather(1, repeat(keep, "b n -> b n d", d=x.shape[-1]))
        first = self.class_token + self.positions[: self.extra]
        x = torch.cat([repeat(first, "n d -> b n d", b=len(x)), x], dim=1)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, images: Float[Tensor, "b c height width"]) -> Float[Tensor, "b classes"]:
        """Return the logits of each image's class."""
        x = self.encode(images)
        return self.head(x[:, 0] if self.config.pool == "class" else x.mean(dim=1))


def roll_out(weights: Iterable[Float[Tensor, "b h n n"]]) -> Float[Tensor, "b n n"]:
    """Follow attention through blocks: how much of each token reaches each token of the last.

    R = A_L ... A_1, A_l = (mean over heads of the weights + identity) / 2

    The identity stands for the residual stream, counted as half of every block's output: a choice,
    not a measurement. It shows where information could come from, not what was made of it.

    Args:
        weights: Of every block, the first block first.

    Raises:
        ConfigError: There are no weights.

    Source: Abnar & Zuidema 2020, section 3, arXiv:2005.00928.
    """
    means = [each.mean(dim=1) for each in weights]  # each b n n
    if not means:
        raise ConfigError("weights must be those of at least one block, but there are none.")
    first, *later = means
    identity = torch.eye(first.shape[-1], dtype=first.dtype, device=first.device)
    flow = (first + identity) / 2
    for each in later:
        flow = (each + identity) / 2 @ flow
    return flow


def attention_rollout(
    model: ViT, images: Float[Tensor, "b c height width"]
) -> Float[Tensor, "b n n"]:
    """Run a model on images and `roll_out` its attention, one row of sources per token."""
    with torch.no_grad(), record_weights(model) as recorded:
        model(images)
    return roll_out(recorded.values())
