"""The forward process q: noise added step by step, at once, and undone when x0 is known."""

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..errors import ConfigError, ShapeError
from .paths import Path
from .schedules import Schedule


def forward_step(
    x: Float[Tensor, "b *axes"],
    t: Int[Tensor, " b"],
    schedule: Schedule,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b *axes"]:
    """Take one step of the chain, from time t - 1 to time t.

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
    beta = like(schedule.beta.to(x.device)[t], x)
    return (1 - beta).sqrt() * x + beta.sqrt() * noise_like(x, generator)


def add_noise(
    x0: Float[Tensor, "b *axes"],
    t: Num[Tensor, " b"],
    eps: Float[Tensor, "b *axes"],
    schedule: Path,
) -> Float[Tensor, "b *axes"]:
    """Jump from clean samples to time t at once.

    x_t = alpha(t) x0 + sigma(t) eps; in a `Schedule`, sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t)

    Args:
        x0: Clean samples.
        t: One time per sample, from 0 to T; t = 0 returns x0.
        eps: Standard normal noise of x0's shape.
        schedule: The noise schedule, or another path to noise.

    Raises:
        ShapeError: eps or t does not fit x0.
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
    alpha, sigma = (like(level, x0) for level in schedule.levels(t))
    return alpha * x0 + sigma * eps


def posterior(
    x0: Float[Tensor, "b *axes"],
    x_t: Float[Tensor, "b *axes"],
    t: Int[Tensor, " b"],
    schedule: Schedule,
    s: Int[Tensor, " b"] | None = None,
) -> tuple[Float[Tensor, "b *axes"], Float[Tensor, "b *ones"]]:
    """Say where x_s was, given where it started, x0, and where it is now, x_t.

    q(x_s | x_t, x0) = N(mean, posterior_std^2), with ratio = alpha_bar_t / alpha_bar_s:
    mean = sqrt(alpha_bar_s) (1 - ratio) / (1 - alpha_bar_t) x0
         + sqrt(ratio) (1 - alpha_bar_s) / (1 - alpha_bar_t) x_t
    posterior_std^2 = (1 - ratio) (1 - alpha_bar_s) / (1 - alpha_bar_t)

    Args:
        x0: Clean samples.
        x_t: The same samples at time t.
        t: From 1 to T.
        schedule: The noise schedule.
        s: An earlier time, 0 <= s < t; t - 1 if not given, and then 1 - ratio = beta_t.

    Returns:
        The mean, and the standard deviation ready to broadcast over it. Both are exact at
        s = 0: the mean is x0 and the standard deviation is 0.

    Raises:
        ConfigError: t or s is out of range.

    Source: Ho et al. 2020, equations 6 and 7, arXiv:2006.11239; any s < t: the same product of
        Gaussians with several steps taken as one.
    """
    schedule.check_time(t, first=1)
    s = t - 1 if s is None else s
    schedule.check_time(s)
    if not bool((s < t).all()):
        raise ConfigError(f"s must be earlier than t, but s = {s.tolist()} and t = {t.tolist()}.")
    alpha_bar = schedule.alpha_bar.to(x_t.device)
    now, before = alpha_bar[t], alpha_bar[s]
    ratio = now / before
    weight_x0 = before.sqrt() * (1 - ratio) / (1 - now)
    weight_xt = ratio.sqrt() * (1 - before) / (1 - now)
    posterior_std = ((1 - ratio) * (1 - before) / (1 - now)).sqrt()
    mean = like(weight_x0, x_t) * x0 + like(weight_xt, x_t) * x_t
    return mean, like(posterior_std, x_t)


def like(coefficient: Float[Tensor, " b"], x: Float[Tensor, "b *axes"]) -> Float[Tensor, "b *ones"]:
    """Give one number per sample the dtype and the number of axes of x, to broadcast over it.

    Raises:
        ShapeError: There is not one number per sample.
    """
    if coefficient.shape != x.shape[:1]:
        raise ShapeError(
            f"t must hold one time per sample: x has {len(x)} samples, but t has shape "
            f"{tuple(coefficient.shape)}; use torch.full(({len(x)},), t) for one time for all."
        )
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def noise_like(
    x: Float[Tensor, "b *axes"], generator: torch.Generator | None = None
) -> Float[Tensor, "b *axes"]:
    """Draw standard normal noise of x's shape, on the generator's device, then move it to x's."""
    device = x.device if generator is None else generator.device
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=device).to(x.device)
