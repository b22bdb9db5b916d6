"""The forward process q: noise added step by step or at once, and its posterior given x0."""

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError, ShapeError
from .numerics import append_dims, noise_like, to_device
from .paths import Path
from .schedules import Schedule


def forward_step(
    x: Float[Tensor, "b *axes"],
    t: Int[Tensor, " b"],
    schedule: Schedule,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b *axes"]:
    """Take one step of the forward chain, from time t - 1 to time t: draw from q(x_t | x_{t-1}).

    x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) eps

    Args:
        x: Samples at time t - 1.
        t: The times to step to, from 1 to T.
        schedule: The noise schedule.
        generator: Where the noise comes from.

    Raises:
        ConfigError: t lies outside [1, T].

    Source: Ho et al. 2020, equation 2, arXiv:2006.11239.
    """
    schedule.check_time(t, first=1)
    beta = append_dims(to_device(schedule.beta, x)[t], x)
    return (1 - beta).sqrt() * x + beta.sqrt() * noise_like(x, generator)


def add_noise(
    x0: Float[Tensor, "b *axes"],
    t: Num[Tensor, " b"],
    eps: Float[Tensor, "b *axes"],
    path: Path,
) -> Float[Tensor, "b *axes"]:
    """Add noise to clean samples, up to time t at once: draw from q(x_t | x0).

    x_t = alpha(t) x0 + sigma(t) eps; in a `Schedule`, sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t)

    Args:
        x0: Clean samples.
        t: One time per sample, from 0 to T; t = 0 returns x0.
        eps: Standard normal noise of x0's shape.
        path: The noise schedule, or another path to noise.

    Raises:
        ShapeError: x0 is not floating, or eps or t does not fit it.
        ConfigError: t lies outside [0, T].

    Source: Ho et al. 2020, equation 4, arXiv:2006.11239.

    >>> from attnoise.diffusion import cosine_schedule
    >>> x0, t = torch.ones(2, 3), torch.tensor([0, 10])
    >>> add_noise(x0, t, torch.zeros(2, 3), cosine_schedule(10))[0].tolist()
    [1.0, 1.0, 1.0]
    """
    if eps.shape != x0.shape:
        raise ShapeError(
            f"eps must have the shape of x0, {tuple(x0.shape)}, but its shape is "
            f"{tuple(eps.shape)}; draw it with torch.randn(x0.shape, generator=generator)."
        )
    if not x0.is_floating_point():
        raise ShapeError(
            f"x0 must be floating-point, but its dtype is {x0.dtype}; for images of 0 to 255 pass "
            "x0.float() / 127.5 - 1."
        )
    alpha, sigma = (append_dims(level, x0) for level in path.levels(t))
    return alpha * x0 + sigma * eps


def posterior(
    x0: Float[Tensor, "b *axes"],
    x_t: Float[Tensor, "b *axes"],
    t: Num[Tensor, " b"],
    path: Path,
    s: Num[Tensor, " b"] | None = None,
) -> tuple[Float[Tensor, "b *axes"], Float[Tensor, "b *ones"]]:
    """Return the forward process posterior q(x_s | x_t, x0): its mean and standard deviation.

    q(x_s | x_t, x0) = N(mean, posterior_std^2), with r = alpha_t / alpha_s and the variance that
    the steps from s to t add, added = sigma_t^2 - r^2 sigma_s^2:
    mean = alpha_s added / sigma_t^2 x0 + r sigma_s^2 / sigma_t^2 x_t
    posterior_std^2 = added sigma_s^2 / sigma_t^2

    Args:
        x0: Clean samples.
        x_t: The same samples at time t.
        t: Above 0, at most T.
        path: The noise schedule, or another path to noise.
        s: An earlier time, 0 <= s < t; t - 1 if not given, and then added = beta_t.

    Returns:
        The mean, and the standard deviation ready to broadcast over it. Both are exact at
        s = 0: the mean is x0 and the standard deviation is 0.

    Raises:
        ConfigError: t or s is out of range (looked at on the CPU alone).
        ShapeError: x0, x_t and t do not fit.

    Source: Ho et al. 2020, equations 6 and 7, arXiv:2006.11239; any s < t: the same product of
        Gaussians with several steps taken as one.
    """
    s = t - 1 if s is None else s
    if x0.shape != x_t.shape:
        raise ShapeError(
            f"x_t must have the shape of x0, {tuple(x0.shape)}, but its shape is "
            f"{tuple(x_t.shape)}; they are the same samples."
        )
    if values_may_be_read(t) and not bool(((s >= 0) & (s < t)).all()):
        raise ConfigError(
            f"s must be at least 0 and earlier than t, but s = {s.tolist()} and t = {t.tolist()}."
        )
    levels = *path.levels(t), *path.levels(s)
    weight_x0, weight_xt, posterior_std, _ = posterior_coefficients(*levels)
    mean = append_dims(weight_x0, x_t) * x0 + append_dims(weight_xt, x_t) * x_t
    return mean, append_dims(posterior_std, x_t)


def posterior_coefficients(alpha_t, sigma_t, alpha_s, sigma_s):
    """Return the weights of x0 and x_t in the mean, posterior_std, and the root of `added`.

    For Python numbers and tensors alike; see `posterior`.
    """
    ratio = alpha_t / alpha_s
    added = abs(sigma_t**2 - (ratio * sigma_s) ** 2)  # rounding may leave it just below 0
    weight_x0, weight_xt = alpha_s * added / sigma_t**2, ratio * (sigma_s / sigma_t) ** 2
    return weight_x0, weight_xt, added**0.5 * sigma_s / sigma_t, added**0.5
