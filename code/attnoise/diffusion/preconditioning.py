"""EDM's preconditioning: a network that always sees and answers numbers of size one."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..errors import ConfigError, DataError
from .paths import Path
from .process import add_noise, like, noise_like


class PreconditionedDenoiser:
    """A network between a straight way and a scale, so that its input and target have variance 1.

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
        if not sigma_data > 0:
            raise ConfigError(f"sigma_data must be above 0, but it is {sigma_data}; try data.std()")
        self.model, self.path, self.sigma_data = model, path, sigma_data

    def __call__(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b *axes"]:
        """Return the guess of x0; at t = 0, x_t."""
        skip, out, into = self.coefficients(x_t, t)
        condition = () if label is None else (label,)
        fraction = (t / self.path.T).to(x_t.dtype)
        return skip * x_t + out * self.model(into * x_t, fraction, *condition)

    def coefficients(
        self, x_t: Float[Tensor, "b *axes"], t: Num[Tensor, " b"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return c_skip / alpha, c_out and c_in / alpha: the factors of x_t itself."""
        sd, (alpha, sigma) = self.sigma_data, self.path.levels(t)
        variance = (alpha * sd) ** 2 + sigma**2  # of x_t
        factors = alpha * sd**2 / variance, sigma * sd / variance.sqrt(), variance.rsqrt()
        return (like(factors[0], x_t), like(factors[1], x_t), like(factors[2], x_t))


def edm_loss(
    denoiser: PreconditionedDenoiser,
    x0: Float[Tensor, "b *axes"],
    generator: torch.Generator | None = None,
    *,
    label: Tensor | None = None,
    mean: float = -1.2,
    std: float = 1.2,
) -> Float[Tensor, ""]:
    """Score the network on targets of variance 1, mostly at the middle noise levels.

    E [ || x0 - x0_hat ||^2 / c_out^2 ], ln(sigma / alpha) ~ N(mean, std^2)

    Args:
        denoiser: The preconditioned network.
        x0: Clean samples.
        generator: Where noise levels and noise come from.
        label: One class per sample, or None.
        mean: Of the logarithm of sigma / alpha.
        std: Of the logarithm of sigma / alpha.

    Raises:
        DataError: x0 holds NaN or infinity.

    Source: Karras et al. 2022, table 1, arXiv:2206.00364.
    """
    if not bool(torch.isfinite(x0).all()):
        raise DataError("x0 must be finite, but it holds NaN or infinity; clean the data first.")
    device = x0.device if generator is None else generator.device
    normal = torch.randn(len(x0), generator=generator, dtype=torch.float64, device=device)
    t = denoiser.path.time_of((mean + std * normal.to(x0.device)).exp())
    x_t = add_noise(x0, t, noise_like(x0, generator), denoiser.path)
    scaled = (x0 - denoiser(x_t, t, label)) / denoiser.coefficients(x_t, t)[1]
    return scaled.square().mean()
