"""A small U-Net: convolutions where the image is large, the course's own blocks where it is small.

Down: halve the image, widen it, keep each stage. Middle: every place attends to every place.
Up: double the image, and concatenate the stage of its size (skip connections).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_sizes
from ..errors import ConfigError
from ..transformers import Block, BlockConfig
from .networks import check_classes, check_denoiser_input, time_features


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Shape of a `UNet`.

    Args:
        image_size: Side of the square image in pixels.
        channels: Numbers per pixel.
        patch: Side of the squares that become one place before anything else; 2 makes 28 pixels
            14 places, at a quarter of the cost.
        widths: Channels of each stage; each is half as large as the one before. All even.
        depth: Blocks in the middle, at the last stage.
        heads: Their attention heads; must divide the last width.
        classes: Number of labels; 0 for a model without labels.
        null_class: Add one label more, `classes`, that means "no label": guidance needs it.

    Raises:
        ConfigError: Sizes are below 1 or do not divide, or there is a null class but no other.
    """

    image_size: int = 28
    channels: int = 1
    patch: int = 2
    widths: Sequence[int] = (48, 96)
    depth: int = 3
    heads: int = 4
    classes: int = 10
    null_class: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))  # a card holds a list
        check_sizes(
            image_size=self.image_size, channels=self.channels, patch=self.patch, depth=self.depth,
            heads=self.heads, widths=min(self.widths, default=0),
        )  # fmt: skip
        factor = self.patch * 2 ** (len(self.widths) - 1)
        if self.image_size % factor:
            raise ConfigError(
                f"image_size must be a multiple of patch times 2 for each further stage, {factor}, "
                f"but it is {self.image_size}; use fewer stages or another patch."
            )
        if any(width % GROUPS for width in self.widths) or self.widths[-1] % self.heads:
            raise ConfigError(
                f"widths must be multiples of {GROUPS}, the last one of heads, but they are "
                f"{self.widths} with {self.heads} heads."
            )
        check_classes(self.classes, self.null_class)


GROUPS = 8


class ResidualConvolutions(nn.Module):
    """Two convolutions beside a straight way; the condition scales and shifts in between.

    x + conv(SiLU(norm(h) (1 + scale) + shift)), h = conv(SiLU(norm(x)))

    The last convolution starts at zero: at first the stage passes x on.

    Source: Dhariwal & Nichol 2021, section 3.1 (adaptive group norm), arXiv:2105.05233.
    """

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(GROUPS, inputs), nn.GroupNorm(GROUPS, outputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(condition, 2 * outputs)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        for parameter in (*self.conv_2.parameters(), *self.modulate.parameters()):
            nn.init.zeros_(parameter)

    def forward(
        self, x: Float[Tensor, "b c i j"], condition: Float[Tensor, "b e"]
    ) -> Float[Tensor, "b d i j"]:
        """Return the features of the next stage."""
        scale, shift = self.modulate(condition)[:, :, None, None].chunk(2, dim=1)  # b d 1 1
        h = self.conv_1(F.silu(self.norm_1(x)))
        h = self.conv_2(F.silu(self.norm_2(h) * (1 + scale) + shift))
        return self.skip(x) + h


class UNet(nn.Module):
    """U-Net: downsampling, attention at the smallest stage, upsampling with skip connections.

    Args:
        config: Its shape.

    Source: Ronneberger et al. 2015, arXiv:1505.04597; as a denoiser: Ho et al. 2020, appendix B;
        blocks at the smallest stage: Hoogeboom et al. 2023, section 3.3, arXiv:2301.11093.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, d, pixels = config.widths, config.widths[-1], config.channels * config.patch**2
        self.time = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        rows = config.classes + config.null_class
        self.labels = nn.Embedding(rows, d) if config.classes else None
        self.read = nn.Conv2d(pixels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(ResidualConvolutions(w, w, d) for w in widths[:-1])
        self.shrink = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1)
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        side = config.image_size // (config.patch * 2 ** (len(widths) - 1))
        self.positions = nn.Parameter(0.02 * torch.randn(side**2, d))
        block = BlockConfig(d=d, heads=config.heads, condition_width=d)
        self.blocks = nn.ModuleList(Block(block) for _ in range(config.depth))
        self.enlarge = nn.ModuleList(
            nn.Conv2d(b, a, 3, padding=1) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.up = nn.ModuleList(ResidualConvolutions(2 * w, w, d) for w in widths[:-1])
        self.norm = nn.GroupNorm(GROUPS, widths[0])
        self.write = nn.Conv2d(widths[0], pixels, 3, padding=1)
        for parameter in self.write.parameters():  # so that the first prediction is zero
            nn.init.zeros_(parameter)

    def forward(
        self,
        x_t: Float[Tensor, "b c height width"],
        time: Float[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b c height width"]:
        """Return the prediction for noisy images.

        Args:
            x_t: Noisy images.
            time: t / T, in [0, 1].
            label: Their classes, exactly if the config has classes.

        Raises:
            ShapeError: A shape or dtype is off, or a label is missing or not asked for.
            ConfigError: A time lies outside [0, 1] (looked at on the CPU alone).
            DataError: A label is out of range (looked at on the CPU alone).
        """
        check_denoiser_input(self.config, x_t, time, label)
        features = time_features(time, self.positions.shape[1])
        condition = self.time(features.to(x_t.dtype))  # b d
        if self.labels is not None:
            condition = condition + self.labels(label)
        x = self.read(F.pixel_unshuffle(x_t, self.config.patch))
        seen = []
        for stage, shrink in zip(self.down, self.shrink, strict=True):
            x = stage(x, condition)
            seen.append(x)
            x = shrink(x)
        x = self._middle(x, condition)
        for stage, enlarge in reversed(list(zip(self.up, self.enlarge, strict=True))):
            x = enlarge(F.interpolate(x, scale_factor=2.0))
            x = stage(torch.cat([x, seen.pop()], dim=1), condition)
        return F.pixel_shuffle(self.write(F.silu(self.norm(x))), self.config.patch)

    def _middle(
        self, x: Float[Tensor, "b d i j"], condition: Float[Tensor, "b e"]
    ) -> Float[Tensor, "b d i j"]:
        side = x.shape[-1]
        x = rearrange(x, "b d i j -> b (i j) d") + self.positions
        for block in self.blocks:
            x = block(x, condition=condition)
        return rearrange(x, "b (i j) d -> b d i j", i=side)
