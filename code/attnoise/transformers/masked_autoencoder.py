"""Masked autoencoder: pre-train a ViT without labels, by the pixels of hidden patches."""

import torch
from einops import repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..checks import check_sizes
from ..errors import ConfigError
from .block import Block
from .vit import ViT, patchify


class MaskedAutoencoder(nn.Module):
    """Teach a ViT without labels: hide most patches, and ask for their pixels.

    Args:
        vit: Sees the patches that are left, and is what is kept afterwards.
        depth: Blocks of the small decoder that predicts the hidden patches.
        mask_ratio: Of the patches that are hidden.

    Raises:
        ConfigError: depth < 1, or mask_ratio leaves no patch, or hides none.

    Source: He et al. 2021, arXiv:2111.06377.
    Differs: the decoder is as wide as the encoder, and pixels are not normalised per patch.
    """

    def __init__(self, vit: ViT, *, depth: int = 1, mask_ratio: float = 0.75) -> None:
        super().__init__()
        check_sizes(depth=depth)
        self.vit, config = vit, vit.config
        if not 0 < mask_ratio < 1 or not 0 < round(mask_ratio * config.patches) < config.patches:
            raise ConfigError(
                f"mask_ratio must hide at least one and leave at least one of {config.patches} "
                f"patches, but it is {mask_ratio}."
            )
        self.hidden = round(mask_ratio * config.patches)
        d = config.block.d
        self.mask_token = nn.Parameter(0.02 * torch.randn(d))
        self.positions = nn.Parameter(0.02 * torch.randn(config.patches, d))
        self.blocks = nn.ModuleList(Block(config.block) for _ in range(depth))
        self.norm = config.block.make_norm()
        self.head = nn.Linear(d, config.channels * config.patch**2)

    def forward(
        self, images: Float[Tensor, "b c height width"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "b n e"], Bool[Tensor, "b n"]]:
        """Return the reconstruction, as patches, and which of them were hidden.

        Args:
            images: Pixels in [-1, 1].
            generator: Draws what is hidden, on the images' device or on the CPU.
        """
        b, n = len(images), self.vit.config.patches
        draw = torch.rand(b, n, generator=generator, device=generator.device)
        keep = draw.to(images.device).argsort(dim=1)[:, self.hidden :]  # b m
        seen = self.vit.encode(images, keep)[:, self.vit.extra :]  # b m d
        place = repeat(keep, "b m -> b m d", d=seen.shape[-1])
        x = self.mask_token.expand(b, n, -1).to(seen).scatter(1, place, seen)  # b n d
        x = x + self.positions
        for block in self.blocks:
            x = block(x)
        hidden = torch.ones(b, n, dtype=torch.bool, device=images.device)
        return self.head(self.norm(x)), hidden.scatter(1, keep, False)

    def loss(
        self, images: Float[Tensor, "b c height width"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Return the mean squared error of the hidden patches' pixels."""
        reconstruction, hidden = self(images, generator)
        true = patchify(images, self.vit.config.patch)
        error = (reconstruction - true).square().mean(dim=-1)  # b n
        return (error * hidden).sum() / (len(images) * self.hidden)  # no count is read back
