"""What a network may be asked to predict (eps, x0, v or u), how the answers convert and weigh."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import DataError, choose
from .process import add_noise, like, noise_like
from .schedules import Schedule

# Each entry: the target from (x0, eps, alpha, sigma), and x0 from (output, x_t, alpha, sigma).
# v: Salimans & Ho 2022, section 4, arXiv:2202.00512. u, the velocity of a flow in a straight line:
# Liu et al. 2022, equation 1, arXiv:2209.03003. All hold for any alpha and sigma, not both 0.
TARGETS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "eps": (
        lambda x0, eps, alpha, sigma: eps,
        lambda output, x_t, alpha, sigma: (x_t - sigma * output) / alpha,
    ),
    "x0": (
        lambda x0, eps, alpha, sigma: x0,
        lambda output, x_t, alpha, sigma: output,
    ),
    "v": (
        lambda x0, eps, alpha, sigma: alpha * eps - sigma * x0,
        lambda output, x_t, alpha, sigma: (alpha * x_t - sigma * output) / (alpha**2 + sigma**2),
    ),
    "u": (
        lambda x0, eps, alpha, sigma: eps - x0,
        lambda output, x_t, alpha, sigma: (x_t - sigma * output) / (alpha + sigma),
    ),
}

# The squared error of a target is this many times the squared error of x0 (alpha^2 + sigma^2 = 1).
ERROR_PER_X0: dict[str, Callable[[Tensor], Tensor]] = {
    "eps": lambda snr: snr,
    "x0": torch.ones_like,
    "v": lambda snr: snr + 1,
    "u": lambda snr: (snr.sqrt() + 1).square(),
}

# Weight of the squared error of x0 as a function of the signal-to-noise ratio.
# simple: Ho et al. 2020, equation 14; min_snr: Hang et al. 2023, gamma = 5, arXiv:2303.09556.
WEIGHTINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "simple": lambda snr: snr,
    "x0": torch.ones_like,
    "v": lambda snr: snr + 1,
    "u": lambda snr: (snr.sqrt() + 1).square(),
    "min_snr": lambda snr: snr.clamp(max=5.0),
}


def make_target(
    target: str,
    x0: Float[Tensor, "b *axes"],
    eps: Float[Tensor, "b *axes"],
    alpha: Float[Tensor, "b *ones"],
    sigma: Float[Tensor, "b *ones"],
) -> Float[Tensor, "b *axes"]:
    """Return what the network should have answered.

    eps;  x0;  v = alpha eps - sigma x0;  u = eps - x0

    Raises:
        ConfigError: The target is unknown; the message lists those that are known.
    """
    return choose("target", target, TARGETS)[0](x0, eps, alpha, sigma)


def to_x0(
    target: str,
    output: Float[Tensor, "b *axes"],
    x_t: Float[Tensor, "b *axes"],
    alpha: Float[Tensor, "b *ones"],
    sigma: Float[Tensor, "b *ones"],
) -> Float[Tensor, "b *axes"]:
    """Turn a network's answer into its guess of the clean sample.

    eps: (x_t - sigma eps_hat) / alpha;  v: (alpha x_t - sigma v_hat) / (alpha^2 + sigma^2);
    u: (x_t - sigma u_hat) / (alpha + sigma)

    Raises:
        ConfigError: The target is unknown; the message lists those that are known.
    """
    return choose("target", target, TARGETS)[1](output, x_t, alpha, sigma)


def to_eps(
    target: str,
    output: Float[Tensor, "b *axes"],
    x_t: Float[Tensor, "b *axes"],
    alpha: Float[Tensor, "b *ones"],
    sigma: Float[Tensor, "b *ones"],
) -> Float[Tensor, "b *axes"]:
    """Turn a network's answer into its guess of the noise: (x_t - alpha x0_hat) / sigma.

    Raises:
        ConfigError: The target is unknown; the message lists those that are known.
    """
    if target == "eps":
        return output
    return (x_t - alpha * to_x0(target, output, x_t, alpha, sigma)) / sigma


def simple_loss(
    model: Callable[..., Tensor],
    x0: Float[Tensor, "b *axes"],
    schedule: Schedule,
    generator: torch.Generator | None = None,
    *,
    label: Tensor | None = None,
    target: str = "eps",
    weighting: str = "simple",
) -> Float[Tensor, ""]:
    """Noise each sample to a random time and score the network's answer.

    E_{t, eps} [ w(t) || target - model(x_t, t / T) ||^2 ], a mean over samples and elements

    Args:
        model: Called as model(x_t, t / T, label) if there is a label, else model(x_t, t / T).
        x0: Clean samples.
        schedule: The noise schedule; times are drawn evenly from 1 to T.
        generator: Where times and noise come from.
        label: One class per sample, or None.
        target: What the network predicts: "eps", "x0", "v" or "u".
        weighting: "simple" weighs every time as plain eps-prediction does, whatever the target;
            "x0", "v" and "u" as plain prediction of these does; "min_snr" cuts the weight of x0's
            error off at 5.

    Raises:
        ConfigError: Target or weighting is unknown.
        DataError: x0 holds NaN or infinity.

    Source: Ho et al. 2020, equation 14, arXiv:2006.11239.
    """
    if not bool(torch.isfinite(x0).all()):
        raise DataError("x0 must be finite, but it holds NaN or infinity; clean the data first.")
    weigh = choose("weighting", weighting, WEIGHTINGS)
    per_x0 = choose("target", target, ERROR_PER_X0)
    device = x0.device if generator is None else generator.device
    t = torch.randint(1, schedule.T + 1, x0.shape[:1], generator=generator, device=device)
    t = t.to(x0.device)
    eps = noise_like(x0, generator)
    x_t = add_noise(x0, t, eps, schedule)
    condition = () if label is None else (label,)
    output = model(x_t, t / schedule.T, *condition)
    wanted = make_target(target, x0, eps, like(schedule.alpha(t), x0), like(schedule.sigma(t), x0))
    weight = weigh(schedule.snr(t)) / per_x0(schedule.snr(t))
    return (weight * (wanted - output).square().flatten(1).mean(dim=1)).mean()
