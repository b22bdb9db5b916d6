"""Points in the plane whose density is known, so that scores and samplers can be checked."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_positive, check_sizes, values_may_be_read
from ..errors import ConfigError, DataError, ShapeError


def _device(generator: torch.Generator | None) -> torch.device | None:
    return None if generator is None else generator.device


class GaussianMixture:
    """A mixture of isotropic Gaussians with one standard deviation and equal weights.

    p(x) = 1/m sum_i N(x; centre_i, std^2 I)

    Args:
        centres: Where the m blobs are.
        std: Their standard deviation, above 0, in the unit of the plane.

    Raises:
        ShapeError: centres is not a list of points with floating-point numbers.
        DataError: On the CPU: centres holds NaN or infinity.
        ConfigError: std is not above 0 and finite.
    """

    def __init__(self, centres: Float[Tensor, "m e"], std: float) -> None:
        if centres.ndim != 2 or not len(centres) or not centres.is_floating_point():
            raise ShapeError(
                f"centres must have shape (blobs, axes) and a floating-point dtype, but it has "
                f"{tuple(centres.shape)} and {centres.dtype}."
            )
        if values_may_be_read(centres) and not bool(torch.isfinite(centres).all()):
            raise DataError("centres must be finite, but it holds NaN or infinity.")
        check_positive(std=std)
        self.centres, self.std = centres, std

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n e"]:
        """Sample n points, drawn on the generator's device and moved to that of the centres."""
        check_sizes(n=n)
        drawn_on = _device(generator)
        which = torch.randint(len(self.centres), (n,), generator=generator, device=drawn_on)
        noise = torch.randn(n, self.centres.shape[1], generator=generator, device=drawn_on)
        return self.centres[which.to(self.centres.device)] + self.std * noise.to(self.centres)

    def log_prob(self, x: Float[Tensor, "n e"]) -> Float[Tensor, " n"]:
        """Return the natural logarithm of the density at each point.

        Raises:
            ShapeError: x is not a list of points with as many axes as the centres.
        """
        m, e = self.centres.shape
        _check_points(x, e)
        square = torch.cdist(x, self.centres).square() / (2 * self.std**2)
        constant = math.log(m) + e * math.log(self.std * math.sqrt(2 * math.pi))
        return (-square).logsumexp(dim=-1) - constant


def _check_points(x: Tensor, axes: int) -> None:
    if x.ndim != 2 or x.shape[1] != axes:
        raise ShapeError(f"x must have shape (points, {axes}), but its shape is {tuple(x.shape)}.")


def ring_of_gaussians(blobs: int = 8, *, radius: float = 1.5, std: float = 0.1) -> GaussianMixture:
    """Return equal Gaussians on a circle, a classic test for mode collapse.

    Raises:
        ConfigError: blobs is below 1, or radius or std is not above 0.
    """
    check_sizes(blobs=blobs)
    check_positive(radius=radius)
    angles = 2 * math.pi * torch.arange(blobs) / blobs
    return GaussianMixture(radius * torch.stack([angles.cos(), angles.sin()], dim=-1), std)


def spiral(turns: float = 1.5, *, radius: float = 2.0, std: float = 0.08) -> GaussianMixture:
    """Return 200 small Gaussians along a spiral, near enough to one another to make one arm.

    Raises:
        ConfigError: turns, radius or std is not above 0.
    """
    check_positive(turns=turns, radius=radius)
    u = torch.linspace(0.15, 1.0, 200).sqrt()  # evenly spaced along the arm, nearly
    angles = 2 * math.pi * turns * u
    return GaussianMixture(radius * u[:, None] * torch.stack([angles.cos(), angles.sin()], -1), std)


class Checkerboard:
    """The uniform density on the dark fields of a checkerboard.

    p(x) = 1 / (area of the dark fields) on a dark field, else 0

    Args:
        fields: Fields along a side, an even number.
        half_width: The board reaches from -half_width to half_width on both axes.

    Raises:
        ConfigError: fields is odd, below 2 or no whole number, or half_width is not above 0.
    """

    def __init__(self, fields: int = 4, half_width: float = 2.0) -> None:
        check_positive(half_width=half_width)
        check_sizes(fields=fields)
        if fields % 2 or not fields >= 2:
            raise ConfigError(f"fields must be even and at least 2, but it is {fields}.")
        self.fields, self.half_width = fields, half_width

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Sample n points on the generator's device."""
        check_sizes(n=n)
        at = _device(generator)
        row = torch.randint(self.fields, (n,), generator=generator, device=at)
        pair = torch.randint(self.fields // 2, (n,), generator=generator, device=at)
        corner = torch.stack([2 * pair + row % 2, row], dim=-1)
        inside = torch.rand(n, 2, generator=generator, device=at)
        return (corner + inside) * (2 * self.half_width / self.fields) - self.half_width

    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Return the natural logarithm of the density at each point; -inf on light fields.

        Raises:
            ShapeError: x is not a list of points in the plane.
        """
        _check_points(x, 2)
        field = ((x + self.half_width) * (self.fields / (2 * self.half_width))).floor()
        dark = (field.sum(dim=-1) % 2 == 0) & (field >= 0).all(-1) & (field < self.fields).all(-1)
        area = (2 * self.half_width) ** 2 / 2
        return torch.where(dark, -math.log(area), -math.inf)
