"""DiT, the diffusion transformer: patches of an image or a latent through the blocks of Part II."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..checks import check_positive, check_sizes
from ..devices import on_cpu
from ..diffusion import time_features
from ..diffusion.networks import check_classes, check_denoiser_input
from ..errors import ConfigError, ShapeError, choose
from ..transformers import Block, BlockConfig, patchify, unpatchify
from ..transformers.block import Modulation

# Each takes the patches' tokens, those of time and label, and the text; it returns the tokens that
# the blocks see, and what else they are given.
CONDITIONINGS = {
    "adaln_zero": lambda x, tokens, text: (x, {"condition": tokens.sum(dim=1), **text}),
    "in_context": lambda x, tokens, text: (torch.cat([x, tokens], dim=1), text),
    "cross_attention": lambda x, tokens, text: (x, {"context": tokens}),
}
DIT_PRESETS: dict[str, dict] = {
    # Peebles & Xie 2022, table 1
    "DiT-S": {"d": 384, "depth": 12, "heads": 6},
    "DiT-B": {"d": 768, "depth": 12, "heads": 12},
    "DiT-L": {"d": 1024, "depth": 24, "heads": 16},
    "DiT-XL": {"d": 1152, "depth": 28, "heads": 16},
    # the shipped denoisers of 8 x 8 digits: positions learned, the last norm with a gain of its own
    "digits": {
        "channels": 1, "d": 64, "depth": 3, "heads": 4, "classes": 10, "positions": "learned",
        "time_width": 64, "final_modulation": False, "label_std": 1.0, "norm_eps": 1e-5,
        "mlp": "gelu",
    },
}  # fmt: skip
SIZES = "image_size", "channels", "patch", "d", "depth", "heads", "context_width", "time_width"


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Shape of a `DiT`. `DiTConfig(**DIT_PRESETS["DiT-S"], ...)` gives a published size.

    Args:
        image_size: Side of the latent or image.
        channels: Its channels.
        patch: Side of the square that becomes one token.
        d: Model width, a multiple of 4 with positions "sincos".
        depth: Number of blocks.
        heads: Attention heads; must divide d.
        classes: Number of labels; 0 for a model without labels.
        null_class: Add one label more, `classes`, that means "no label": guidance needs it.
        conditioning: How time and label reach the blocks: "adaln_zero" (they scale, shift and
            gate), "in_context" (two more tokens) or "cross_attention" (two tokens to look up).
        context_width: Width of the vectors of a text that every block looks up by
            cross-attention; None for a model without text.
        variance: Answer twice as many channels, the second half for the variance of a step.
        positions: "sincos", fixed, as published; or "learned", as ViT has them.
        time_width: Numbers that describe a time before the network has seen it; even. 256 as
            published.
        final_modulation: Scale and shift the last norm by the condition, as published; else it has
            a gain of its own. "adaln_zero" alone can.
        label_std: Standard deviation of the label embeddings at the start; 0.02 as published, but
            with 1 a short training learns the classes sooner.
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
    positions: str = "sincos"
    time_width: int = 256
    final_modulation: bool = True
    label_std: float = 0.02
    norm_eps: float = 1e-6
    mlp: str = "gelu_tanh"

    def __post_init__(self) -> None:
        choose("conditioning", self.conditioning, CONDITIONINGS)
        choose("positions", self.positions, dict.fromkeys(("sincos", "learned")))
        check_sizes(**{name: getattr(self, name) for name in SIZES})
        check_positive(label_std=self.label_std)
        check_classes(self.classes, self.null_class)
        if self.image_size % self.patch:
            raise ConfigError(
                f"image_size must be a multiple of patch, but they are {self.image_size} and "
                f"{self.patch}; patches tile the image."
            )
        step = 4 if self.positions == "sincos" else 1
        if self.d % self.heads or self.d % step or self.time_width % 2:
            raise ConfigError(
                f"d must be a multiple of heads and of {step}, and time_width even, but they are d "
                f"= {self.d}, heads = {self.heads}, time_width = {self.time_width}."
            )
        if self.conditioning == "cross_attention" and self.context_width is not None:
            raise ConfigError(
                "conditioning must not be 'cross_attention' if a text takes it, but context_width "
                f"is {self.context_width}; use 'adaln_zero' or 'in_context'."
            )
        self.block()  # checks mlp and norm_eps

    def block(self) -> BlockConfig:
        """Return the shape of each block."""
        return BlockConfig(
            d=self.d, heads=self.heads, mlp=self.mlp, norm_eps=self.norm_eps,
            condition_width=self.d if self.conditioning == "adaln_zero" else None,
            context_width=self.d if self.conditioning == "cross_attention" else self.context_width,
        )  # fmt: skip


@on_cpu
def grid_positions(side: int, d: int) -> Float[Tensor, "n d"]:
    """Describe each place of a square grid by sines and cosines: half for its column, half its row.

    For each coordinate m: (sin(m f_i), cos(m f_i)), f_i = 10000^(-i / (d / 4))

    Args:
        side: Places along an edge.
        d: A multiple of 4.

    Source: Peebles & Xie 2022, section 3.2; Vaswani et al. 2017, section 3.5, arXiv:1706.03762.
    """
    frequencies = 10_000.0 ** (-torch.arange(d // 4, dtype=torch.float64) / (d / 4))
    angles = torch.arange(side)[:, None] * frequencies  # side d/4
    axis = torch.cat([angles.sin(), angles.cos()], dim=-1)  # side d/2
    columns, rows = axis.repeat(side, 1), axis.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=-1).float()


class DiT(nn.Module):
    """Diffusion transformer (DiT): predict from a noisy image or latent, its time, label and text.

    Args:
        config: Its shape.

    Source: Peebles & Xie 2022, section 3, arXiv:2212.09748.
    Differs: patches are written channel by channel; labels are dropped in training loops; text.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        d, pixels = config.d, config.channels * config.patch**2
        self.read = nn.Linear(pixels, d)
        side = config.image_size // config.patch
        if config.positions == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(side**2, d))
        else:
            places = grid_positions(side, d).to(self.read.weight)
            self.register_buffer("positions", places, persistent=False)
        self.time = nn.Sequential(nn.Linear(config.time_width, d), nn.SiLU(), nn.Linear(d, d))
        rows = config.classes + config.null_class
        self.labels = nn.Embedding(rows, d) if rows else None
        self.blocks = nn.ModuleList(Block(config.block()) for _ in range(config.depth))
        modulated = config.final_modulation and config.conditioning == "adaln_zero"
        self.norm = nn.LayerNorm(d, eps=config.norm_eps, elementwise_affine=not modulated)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 2 * d)) if modulated else None
        self.write = nn.Linear(d, (1 + config.variance) * pixels)
        self._initialise()

    def _initialise(self) -> None:
        """Start as published: blocks are the identity (but for a text), the prediction is zero.

        Uniform as by Xavier elsewhere, so that signals keep their size in both directions.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        for layer in self.time:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
        if self.labels is not None:
            nn.init.normal_(self.labels.weight, std=self.config.label_std)
        zero = [m.to_vectors for m in self.modules() if isinstance(m, Modulation)]
        for layer in (*zero, *(self.modulation or ()), self.write):
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)

    def forward(
        self,
        x_t: Float[Tensor, "b c i j"],
        time: Float[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
        *,
        context: Float[Tensor, "b m e"] | None = None,
        context_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "b out i j"]:
        """Return the prediction for noisy images or latents.

        Args:
            x_t: Noisy images or latents.
            time: t / T, in [0, 1].
            label: Their classes, exactly if the config has classes.
            context: The vectors of a text, exactly if the config has a context_width.
            context_mask: Boolean, True = may be looked at; broadcasts to "b h n m".

        Raises:
            ShapeError: A shape or dtype is off, or a label or text is missing or not asked for.
            ConfigError: A time lies outside [0, 1] (looked at on the CPU alone).
            DataError: A label is out of range (looked at on the CPU alone).
        """
        config, text = self.config, {"context": context, "context_mask": context_mask}
        check_denoiser_input(config, x_t, time, label)
        self._check_text(context, context_mask)
        x = self.read(patchify(x_t, config.patch)) + self.positions  # b n d
        tokens = self.embed_condition(time, label)  # b 1-2 d
        x, inputs = CONDITIONINGS[config.conditioning](x, tokens, text)
        for block in self.blocks:
            x = block(x, **inputs)
        x = self.final_norm(x[:, : len(self.positions)], tokens.sum(dim=1))
        return unpatchify(self.write(x), config.patch, (1 + config.variance) * config.channels)

    def embed_condition(
        self, time: Float[Tensor, " b"], label: Int[Tensor, " b"] | None
    ) -> Float[Tensor, "b n d"]:
        """Embed the time and, if there is one, the label: one vector each."""
        dtype = next(self.time.parameters()).dtype
        features = time_features(time, self.config.time_width).to(dtype)
        named = [] if self.labels is None else [self.labels(label)]
        return torch.stack([self.time(features), *named], dim=1)

    def final_norm(
        self, x: Float[Tensor, "b n d"], condition: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b n d"]:
        """Normalise, scaled and shifted by the condition if the config says so."""
        x = self.norm(x)
        if self.modulation is None:
            return x
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=-1)  # b 1 d
        return (1 + scale) * x + shift

    def _check_text(self, context: Tensor | None, context_mask: Tensor | None) -> None:
        width, missing = self.config.context_width, context is None
        if missing != (width is None) or (missing and context_mask is not None):
            raise ShapeError(
                f"context: the model was built with context_width = {width}, but "
                f"{'no' if missing else 'a'} text was given; pass one exactly if it has a width."
            )
