"""ViT: an image as a sentence of patches, read by the same blocks as any other sentence."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import record_weights
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
        ConfigError: The patches do not tile the image, or the block is causal.
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
        if self.patch < 1 or self.image_size % self.patch:
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


def patchify(images: Float[Tensor, "b c height width"], p: int) -> Float[Tensor, "b n cpp"]:
    """Cut images into patches of side p, row by row, each written as one vector.

    >>> patchify(torch.ones(2, 3, 8, 8), 4).shape
    torch.Size([2, 4, 48])
    """
    if images.shape[-2] % p or images.shape[-1] % p:
        raise ShapeError(
            f"images must have sides that are multiples of p = {p}, but their shape is "
            f"{tuple(images.shape)}."
        )
    return rearrange(images, "b c (i p) (j q) -> b (i j) (c p q)", p=p, q=p)


def unpatchify(
    patches: Float[Tensor, "b n cpp"], p: int, c: int = 1
) -> Float[Tensor, "b c height width"]:
    """Put the patches of square images together again: the inverse of `patchify`."""
    i = round(patches.shape[1] ** 0.5)
    return rearrange(patches, "b (i j) (c p q) -> b c (i p) (j q)", i=i, c=c, p=p, q=p)


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
        keep: Int[Tensor, "b kept"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Return one vector per token, the class token first if there is one.

        Args:
            images: Pixels in [-1, 1].
            keep: Numbers of the patches to look at; all if not given. What is left out costs
                nothing, as in masked pre-training.

        Raises:
            ShapeError: The images have another size.
        """
        config = self.config
        wanted = (config.channels, config.image_size, config.image_size)
        if images.shape[1:] != wanted:
            raise ShapeError(
                f"images must have shape (batch, {', '.join(map(str, wanted))}), but their shape "
                f"is {tuple(images.shape)}; resize them, or build the model for that size."
            )
        x = self.patches(patchify(images, config.patch)) + self.positions[self.extra :]  # b n d
        if keep is not None:
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

    Source: Abnar & Zuidema 2020, section 3, arXiv:2005.00928.
    """
    first, *later = (each.mean(dim=1) for each in weights)  # each b n n
    identity = torch.eye(first.shape[-1], device=first.device)
    flow = (first + identity) / 2
    for each in later:
        flow = (each + identity) / 2 @ flow
    return flow


def attention_rollout(
    model: ViT, images: Float[Tensor, "b c height width"]
) -> Float[Tensor, "b n n"]:
    """Run a model on images and `roll_out` its attention."""
    with torch.no_grad(), record_weights(model) as recorded:
        model(images)
    return roll_out(recorded.values())


class MaskedAutoencoder(nn.Module):
    """Teach a ViT without labels: hide most patches, and ask for their pixels.

    Args:
        vit: Sees the patches that are left, and is what is kept afterwards.
        depth: Blocks of the small decoder that paints the hidden patches.
        hidden_share: Of the patches.

    Raises:
        ConfigError: hidden_share leaves no patch, or hides none.

    Source: He et al. 2021, arXiv:2111.06377.
    Differs: the decoder is as wide as the encoder, and pixels are not normalised per patch.
    """

    def __init__(self, vit: ViT, *, depth: int = 1, hidden_share: float = 0.75) -> None:
        super().__init__()
        self.vit, config = vit, vit.config
        self.hidden = round(hidden_share * config.patches)
        if not 0 < self.hidden < config.patches:
            raise ConfigError(
                f"hidden_share = {hidden_share} hides {self.hidden} of {config.patches} patches; "
                "it must hide at least one and leave at least one."
            )
        d = config.block.d
        self.mask_token = nn.Parameter(0.02 * torch.randn(d))
        self.positions = nn.Parameter(0.02 * torch.randn(config.patches, d))
        self.blocks = nn.ModuleList(Block(config.block) for _ in range(depth))
        self.norm = config.block.make_norm()
        self.head = nn.Linear(d, config.channels * config.patch**2)

    def forward(
        self, images: Float[Tensor, "b c height width"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "b n cpp"], Bool[Tensor, "b n"]]:
        """Return all patches as painted, and which of them were hidden."""
        b, n = len(images), self.vit.config.patches
        order = torch.rand(b, n, generator=generator, device=images.device).argsort(dim=1)
        keep = order[:, self.hidden :]  # b kept
        seen = self.vit.encode(images, keep)[:, self.vit.extra :]  # b kept d
        place = repeat(keep, "b n -> b n d", d=seen.shape[-1])
        x = self.mask_token.expand(b, n, -1).scatter(1, place, seen) + self.positions  # b n d
        for block in self.blocks:
            x = block(x)
        hidden = torch.ones(b, n, dtype=torch.bool, device=images.device)
        return self.head(self.norm(x)), hidden.scatter(1, keep, False)

    def loss(self, images: Tensor, generator: torch.Generator) -> Float[Tensor, ""]:
        """Return the mean squared error of the hidden patches' pixels."""
        painted, hidden = self(images, generator)
        true = patchify(images, self.vit.config.patch)
        return F.mse_loss(painted[hidden], true[hidden])
