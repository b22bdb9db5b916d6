"""What denoising networks share, and a small one for points. `UNet` and `DiT` are for images."""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_sizes, values_may_be_read
from ..errors import ConfigError, DataError, ShapeError


def time_features(time: Float[Tensor, " b"], width: int) -> Float[Tensor, "b width"]:
    """Embed a diffusion time in sines and cosines of falling frequency (sinusoidal embedding).

    (cos(1000 time f_i), sin(1000 time f_i)), f_i = 10000^(-i / (width / 2))

    Args:
        time: Times as fractions of T, in [0, 1]. Half precision is raised to float32, since it
            cannot tell neighbouring steps apart.
        width: Even number of features.

    Raises:
        ConfigError: width is odd or below 2.

    Source: Vaswani et al. 2017, section 3.5, arXiv:1706.03762, as used for diffusion times by Ho
        et al. 2020.
    """
    if width < 2 or width % 2:
        raise ConfigError(f"width must be even and at least 2, but it is {width}.")
    half = width // 2
    time = time.to(torch.promote_types(time.dtype, torch.float32))
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=time.device) / half)
    angles = 1000 * time[:, None] * frequencies  # b half
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class PointDenoiser(nn.Module):
    """A denoising network for points: residual layers, each conditioned on the time.

    Args:
        axes: Numbers per point, 2 for the plane.
        d: Width of the hidden layers, an even number.
        depth: Number of residual layers.

    Raises:
        ConfigError: d is odd, or a size is below 1.
    """

    def __init__(self, axes: int = 2, *, d: int = 128, depth: int = 3) -> None:
        super().__init__()
        check_sizes(axes=axes, d=d, depth=depth)
        if d % 2:
            raise ConfigError(f"d must be even, for sines and cosines, but it is {d}.")
        self.d = d
        self.read = nn.Linear(axes, d)
        self.time = nn.Linear(d, d)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
            for _ in range(depth)
        )
        self.write = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, axes))

    def forward(self, x_t: Float[Tensor, "b e"], time: Float[Tensor, " b"]) -> Float[Tensor, "b e"]:
        """Return the prediction for noisy points.

        Args:
            x_t: Noisy points.
            time: t / T, in [0, 1].

        Raises:
            ShapeError: Points have another number of axes, or there is not one time for each.
            ConfigError: A time lies outside [0, 1] (looked at on the CPU alone).
        """
        if x_t.ndim != 2 or x_t.shape[1] != self.read.in_features:
            raise ShapeError(
                f"x_t must have shape (batch, {self.read.in_features}), but its shape is "
                f"{tuple(x_t.shape)}; the model was built for that many axes."
            )
        check_time(x_t, time)
        condition = self.time(time_features(time, self.d).to(x_t.dtype))  # b d
        x = self.read(x_t)  # b d
        for layer in self.layers:
            x = x + layer(x + condition)
        return self.write(x)


@runtime_checkable
class ImageConfig(Protocol):
    """What the config of every denoising network for images says."""

    @property
    def image_size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def null_class(self) -> bool: ...


def check_denoiser_input(
    config: ImageConfig, x_t: Tensor, time: Tensor, label: Tensor | None
) -> None:
    """Check images, times and labels against the config of the network that gets them.

    Raises:
        ShapeError: A shape or dtype is off, or a label is missing or not asked for.
        ConfigError: A time lies outside [0, 1] (looked at on the CPU alone).
        DataError: A label is out of range (looked at on the CPU alone).
    """
    wanted = (config.channels, config.image_size, config.image_size)
    if x_t.ndim != 4 or x_t.shape[1:] != wanted:
        raise ShapeError(
            f"x_t must have shape (batch, {', '.join(map(str, wanted))}), but its shape is "
            f"{tuple(x_t.shape)}; the model was built for that size, channels first."
        )
    if not x_t.is_floating_point():
        raise ShapeError(
            f"x_t must be floating-point numbers, but its dtype is {x_t.dtype}; scale images of 0 "
            "to 255 by x.float() / 127.5 - 1."
        )
    check_time(x_t, time)
    if (label is None) == bool(config.classes):
        raise ShapeError(
            f"label: the model has {config.classes} classes, but "
            f"{'no label was' if label is None else 'a label was'} given; "
            "pass one class per image exactly if the config has classes."
        )
    if label is None:
        return
    if label.shape != x_t.shape[:1] or label.is_floating_point():
        raise ShapeError(
            f"label must have shape ({len(x_t)},), one whole number for each of x_t, but it has "
            f"shape {tuple(label.shape)} and dtype {label.dtype}."
        )
    rows = config.classes + config.null_class
    if label.numel() and values_may_be_read(label):
        low, high = (end.item() for end in label.aminmax())
        if not 0 <= low <= high < rows:
            raise DataError(
                f"label must lie between 0 and {rows - 1}, but it ranges from {low} to {high}; "
                "the null label is there only with null_class=True."
            )


def check_time(x_t: Tensor, time: Tensor) -> None:
    """Raise an error unless a network is given one fraction t / T in [0, 1] per sample."""
    if time.shape != x_t.shape[:1] or not time.is_floating_point():
        raise ShapeError(
            f"time must have shape ({len(x_t)},), one fraction t / T for each of x_t, but it has "
            f"shape {tuple(time.shape)} and dtype {time.dtype}."
        )
    if not time.numel() or not values_may_be_read(time):
        return
    low, high = (end.item() for end in time.detach().aminmax())
    if not 0 <= low <= high <= 1:
        raise ConfigError(
            f"time must lie in [0, 1], but it ranges from {low:g} to {high:g}; networks take "
            "t / T, 0 for data and 1 for noise."
        )


def check_classes(classes: int, null_class: bool) -> None:
    """Raise a ConfigError if there are fewer than no classes, or a null class and no other."""
    if classes < null_class:
        raise ConfigError(
            "null_class must be False if there are no classes, and classes at least 0, but "
            f"they are {null_class} and {classes}."
        )
