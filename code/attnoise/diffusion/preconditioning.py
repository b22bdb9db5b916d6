"""EDM's preconditioning: a network whose input and training target have variance 1."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..errors import ConfigError
from .numerics import (
    append_dims,
    check_samples,
    float_dtype,
    network_time,
    noise_like,
    to_device,
    widen,
)
from .paths import Path
from .process import add_noise


class PreconditionedDenoiser:
    """EDM preconditioning: a skip connection, and scales that keep input and target at variance 1.

    x0_hat = c_skip z + c_out F(c_in z, t / T), with z = x_t / alpha, s = sigma / alpha:
    c_skip = sd^2 / (s^2 + sd^2), c_out = s sd / sqrt(s^2 + sd^2), c_in = 1 / sqrt(s^2 + sd^2)

    Where no noise is left, x0_hat is x_t itself, whatever the network says. With sd = 1 on a
    variance-preserving path F is -v.

    Args:
        model: F, called as model(x, t / T) or model(x, t / T, label). Gradients reach it.
        path: The noise schedule, or another path to noise.
        sigma_data: sd, the standard deviation of the data, above 0; 0.5 for most images.

    Raises:
        ConfigError: sigma_data is not above 0.

    Source: Karras et al. 2022, table 1 and appendix B.6, arXiv:2206.00364; written for x_t, so that
        it holds at pure noise, too.
    """

    def __init__(
        self, model: Callable[..., Tensor], path: Path, *, sigma_data: float = 0.5
    ) -> None:
        if not 0 < sigma_data < math.inf:
            raise ConfigError(f"sigma_data must be above 0, but it is {sigma_data}; try data.std()")
        self.model, self.path, self.sigma_data = model, path, sigma_data

    def __call__(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b *axes"]:
        """Return x0_hat; at t = 0, x_t."""
        x = widen(x_t)
        skip, out, into = self.coefficients(x, t)
        condition = () if label is None else (label,)
        time = network_time(t, self.path.T, x_t)
        output = self.model((into * x).to(x_t.dtype), time, *condition)
        return (skip * x + out * output).to(x_t.dtype)

    def coefficients(
        self, x_t: Float[Tensor, "b *axes"], t: Num[Tensor, " b"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return c_skip / alpha, c_out and c_in / alpha: the factors of x_t itself."""
        sd, (alpha, sigma) = self.sigma_data, self.path.levels(t)
        variance = (alpha * sd) ** 2 + sigma**2  # of x_t
        skip, out, into = alpha * sd**2 / variance, sigma * sd / variance.sqrt(), variance.rsqrt()
        return append_dims(skip, x_t), append_dims(out, x_t), append_dims(into, x_t)


def edm_loss(
    denoiser: PreconditionedDenoiser,
    x0: Float[Tensor, "b *axes"],
    generator: torch.Generator | None = None,
    *,
    label: Int[Tensor, " b"] | None = None,
    mean: float = -1.2,
    std: float = 1.2,
) -> Float[Tensor, ""]:
    """Return EDM's training loss: targets of variance 1, log-normally drawn noise levels.

    E [ || x0 - x0_hat ||^2 / c_out^2 ], ln(sigma / alpha) ~ N(mean, std^2)

    Args:
        denoiser: The preconditioned network.
        x0: Clean samples.
        generator: Where noise levels and noise come from.
        label: One class per sample, or None.
        mean: Of the logarithm of sigma / alpha.
        std: Of the logarithm of sigma / alpha.

    Raises:
        ConfigError: std is below 0, or mean is not finite.
        ShapeError: x0 is not floating.
        DataError: x0 holds NaN or infinity, or is not scaled (looked at on the CPU alone).

    Source: Karras et al. 2022, table 1, arXiv:2206.00364.
    """
    check_samples("x0", x0)
    if not (0 <= std < math.inf and math.isfinite(mean)):
        raise ConfigError(
            f"std must be at least 0 and mean finite, but they are {std} and {mean}; 1.2 and -1.2 "
            "are usual."
        )
    device = x0.device if generator is None else generator.device
    normal = torch.randn(len(x0), generator=generator, dtype=float_dtype(device), device=device)
    t = denoiser.path.time_of(to_device((mean + std * normal).exp(), x0))
    x_t = add_noise(x0, t, noise_like(x0, generator), denoiser.path)
    scaled = (x0 - denoiser(x_t, t, label)) / denoiser.coefficients(x_t, t)[1]
    return scaled.square().mean()
