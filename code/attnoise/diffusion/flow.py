"""Flows in straight lines from noise to data: rectified flow, also called flow matching."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError, ShapeError, choose
from .numerics import (
    append_dims,
    check_samples,
    float_dtype,
    network_time,
    noise_like,
    to_device,
)
from .paths import LinearPath, check_range
from .process import add_noise
from .samplers import Step
from .targets import TARGETS, to_x0


def uniform_times(n: int, generator: torch.Generator | None = None) -> Float[Tensor, " n"]:
    """Draw times evenly from (0, 1], float64 where the generator's device has it."""
    device = torch.device("cpu") if generator is None else generator.device
    return 1 - torch.rand(n, generator=generator, dtype=float_dtype(device), device=device)


def logit_normal_times(
    n: int, generator: torch.Generator | None = None, *, mean: float = 0.0, std: float = 1.0
) -> Float[Tensor, " n"]:
    """Draw logit-normal times: mostly in the middle, where the velocity is hard to predict.

    t = 1 / (1 + exp(-z)), z ~ N(mean, std^2)

    Args:
        n: How many.
        generator: Where they come from.
        mean: Above 0 moves them towards noise.
        std: Spread of z, above 0.

    Raises:
        ConfigError: std is not above 0, mean is not finite, or n is below 0.

    Source: Esser et al. 2024, equation 19, arXiv:2403.03206.
    """
    if not (0 < std < math.inf and math.isfinite(mean)):
        raise ConfigError(
            f"std must be above 0 and mean finite, but they are {std} and {mean}; 1 and 0 are "
            "usual."
        )
    if n < 0:
        raise ConfigError(f"n must be at least 0, but it is {n}; it counts the times.")
    device = torch.device("cpu") if generator is None else generator.device
    z = torch.randn(n, generator=generator, dtype=float_dtype(device), device=device)
    return torch.sigmoid(mean + std * z)


def shift_times(t: Float[Tensor, "*b"], shift: float) -> Float[Tensor, "*b"]:
    """Move times towards noise (shift above 1), as large images need it.

    t' = shift t / (1 + (shift - 1) t), so that sigma / alpha grows by the factor shift

    Raises:
        ConfigError: shift is not above 0, or t lies outside [0, 1].

    Source: Esser et al. 2024, equation 23, arXiv:2403.03206.
    """
    if not 0 < shift < math.inf:
        raise ConfigError(f"shift must be above 0, but it is {shift}; 1 changes nothing.")
    check_range(t, 1)
    return shift * t / (1 + (shift - 1) * t)


TIME_SAMPLINGS = {"logit_normal": logit_normal_times, "uniform": uniform_times}


def flow_loss(
    model: Callable[..., Tensor],
    x0: Float[Tensor, "b *axes"],
    generator: torch.Generator | None = None,
    *,
    label: Int[Tensor, " b"] | None = None,
    target: str = "u",
    time_sampling: str = "logit_normal",
    shift: float = 1.0,
    eps: Float[Tensor, "b *axes"] | None = None,
) -> Float[Tensor, ""]:
    """Return the flow-matching loss: the squared error of a velocity on straight lines to noise.

    E || (eps - x0) - u_hat ||^2 at x_t = (1 - t) x0 + t eps, u_hat = (x_t - x0_hat) / t

    Args:
        model: Called as model(x_t, t) or model(x_t, t, label).
        x0: Clean samples.
        generator: Where times and noise come from.
        label: One class per sample, or None.
        target: What the network predicts: "u", or "eps", "x0", "v", which are turned into u, so
            that the loss is the same for all.
        time_sampling: How times are drawn: "logit_normal" or "uniform".
        shift: Moves the times; see `shift_times`.
        eps: The noise, if it is to be paired with the data; drawn afresh if not given.

    Raises:
        ConfigError: Target or time_sampling is unknown, or shift is not above 0.
        ShapeError: x0 is not floating, or eps has another shape.
        DataError: x0 holds NaN or infinity, or is not scaled (looked at on the CPU alone).

    Source: Lipman et al. 2022, arXiv:2210.02747; Liu et al. 2022, equation 1, arXiv:2209.03003.
    """
    check_samples("x0", x0)
    choose("target", target, TARGETS)
    draw = choose("time_sampling", time_sampling, TIME_SAMPLINGS)
    t = to_device(shift_times(draw(len(x0), generator), shift), x0)
    t = t if target == "u" else t.clamp(1e-3, 1 - 1e-3)  # at the ends conversions divide by 0
    eps = noise_like(x0, generator) if eps is None else eps
    x_t = add_noise(x0, t, eps, LinearPath())
    condition = () if label is None else (label,)
    prediction = model(x_t, network_time(t, 1, x0), *condition)
    if target != "u":
        alpha, sigma = append_dims(1 - t, x0), append_dims(t, x0)
        prediction = (x_t - to_x0(target, prediction, x_t, alpha, sigma)) / sigma
    return (eps - x0 - prediction).square().mean()


def pair_by_transport(
    x0: Float[Tensor, "b *axes"], eps: Float[Tensor, "b *axes"]
) -> Float[Tensor, "b *axes"]:
    """Pair a batch with its noise by optimal transport: the least sum of squared distances.

    Args:
        x0: Samples.
        eps: As much noise.

    Returns:
        The same noise in another order. The assignment is made on the CPU, in float64.

    Raises:
        ShapeError: There is not as much noise as there are samples.
        DataError: A number is NaN or infinite.

    Source: Tong et al. 2023, section 3.2, arXiv:2302.00482; Pooladian et al. 2023,
        arXiv:2304.14772. The assignment is scipy's.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and seldom needed

    if x0.shape != eps.shape:
        raise ShapeError(
            f"eps must have the shape of x0, {tuple(x0.shape)}, but its shape is "
            f"{tuple(eps.shape)}; draw it with torch.randn(x0.shape, generator=generator)."
        )
    check_samples("x0", x0)
    check_samples("eps", eps)
    points, noise = (part.detach().flatten(1).cpu().double() for part in (x0, eps))
    _, order = linear_sum_assignment(torch.cdist(points, noise).square().numpy())
    return eps[torch.from_numpy(order).to(eps.device)]


def straightness(steps: Iterable[Step]) -> float:
    """Measure the straightness of sampling trajectories: end-to-end distance by length, 1 at best.

    Args:
        steps: A sampler that has not begun. Its first yield is where paths begin.

    Raises:
        ConfigError: There are fewer than two steps.
    """
    points = [step.x.flatten(1) for step in steps]
    if len(points) < 2:
        raise ConfigError(f"steps must hold at least 2 steps, but they hold {len(points)}.")
    length = sum((b - a).norm(dim=1) for a, b in pairwise(points))
    return float(((points[-1] - points[0]).norm(dim=1) / length).mean())
