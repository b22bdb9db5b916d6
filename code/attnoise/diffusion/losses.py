"""The training loss of a diffusion model: noise a sample to a random time, score the prediction."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError, choose
from .numerics import append_dims, check_samples, network_time, noise_like
from .schedules import Schedule
from .targets import make_target

Weight = Callable[[Tensor, Tensor], Tensor]

# The mean squared error of each target, up to a factor that all share: that of x0 is sigma^2.
SQUARED_ERRORS: dict[str, Weight] = {
    "eps": lambda alpha, sigma: alpha**2,
    "x0": lambda alpha, sigma: sigma**2,
    "v": lambda alpha, sigma: alpha**2 + sigma**2,
    "u": lambda alpha, sigma: (alpha + sigma) ** 2,
}

# Weights of the squared error of x0, up to that factor; over snr = alpha^2 / sigma^2 they are
# snr, 1, 1 + snr, (1 + sqrt(snr))^2 and min(snr, 5).
# simple: Ho et al. 2020, equation 14; min_snr: Hang et al. 2023, gamma = 5, arXiv:2303.09556.
WEIGHTINGS: dict[str, Weight] = {
    "simple": SQUARED_ERRORS["eps"],
    "x0": SQUARED_ERRORS["x0"],
    "v": SQUARED_ERRORS["v"],
    "u": SQUARED_ERRORS["u"],
    "min_snr": lambda alpha, sigma: torch.minimum(alpha**2, 5.0 * sigma**2),
}
SMALLEST = 1e-12  # keeps 0 / 0 at pure noise at its limit: eps is weighed by 1 there


def simple_loss(
    model: Callable[..., Tensor],
    x0: Float[Tensor, "b *axes"],
    schedule: Schedule,
    generator: torch.Generator | None = None,
    *,
    label: Int[Tensor, " b"] | None = None,
    target: str = "eps",
    weighting: str = "simple",
) -> Float[Tensor, ""]:
    """Return the diffusion training loss: the squared error of a prediction at a random time.

    E_{t, eps} [ w(t) || target - model(x_t, t / T) ||^2 ], a mean over samples and elements

    Args:
        model: Called as model(x_t, t / T, label) if there is a label, else model(x_t, t / T).
        x0: Clean samples, of about size 1.
        schedule: The noise schedule; times are drawn evenly from 1 to T.
        generator: Where times and noise come from.
        label: One class per sample, or None.
        target: What the network predicts: "eps", "x0", "v" or "u".
        weighting: "simple" weighs every time as plain eps-prediction does, whatever the target;
            "x0", "v" and "u" as plain prediction of these does; "min_snr" cuts the weight of x0's
            error off at 5.

    Raises:
        ConfigError: Target or weighting is unknown, or the weight of eps is infinite at T.
        ShapeError: x0 is not floating, as images of 0 to 255 are not.
        DataError: x0 holds NaN or infinity, or is not scaled (looked at on the CPU alone).

    Source: Ho et al. 2020, equation 14, arXiv:2006.11239.
    """
    check_samples("x0", x0)
    weigh = _weight(target, weighting, schedule)
    device = x0.device if generator is None else generator.device
    t = torch.randint(1, schedule.T + 1, x0.shape[:1], generator=generator, device=device)
    t = t.to(x0.device)
    eps = noise_like(x0, generator)
    levels = schedule.levels(t)
    alpha, sigma = (append_dims(level, x0) for level in levels)
    x_t = alpha * x0 + sigma * eps
    condition = () if label is None else (label,)
    prediction = model(x_t, network_time(t, schedule.T, x0), *condition)
    error = make_target(target, x0, eps, alpha, sigma) - prediction
    return (weigh(*levels).to(error.dtype) * error.square().flatten(1).mean(dim=1)).mean()


def _weight(target: str, weighting: str, schedule: Schedule) -> Weight:
    """Return the weight of a target's squared error as a function of alpha and sigma."""
    wanted, own = (
        choose("weighting", weighting, WEIGHTINGS),
        choose("target", target, SQUARED_ERRORS),
    )
    if target == "eps" and weighting in ("x0", "v", "u") and schedule.ends_in_noise:
        raise ConfigError(
            f"weighting must be 'simple' or 'min_snr' for eps on a schedule that ends in noise "
            f"alone, where {weighting!r} would weigh it infinitely, but it is {weighting!r}; or "
            "predict 'x0', 'v' or 'u'."
        )

    def weight(alpha: Tensor, sigma: Tensor) -> Tensor:
        alpha = alpha.clamp(min=SMALLEST)
        return wanted(alpha, sigma) / own(alpha, sigma)

    return weight
