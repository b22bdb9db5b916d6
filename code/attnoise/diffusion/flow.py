"""Flows in straight lines from noise to data: rectified flow, also called flow matching."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..errors import ConfigError, DataError, choose
from .paths import check_range
from .process import add_noise, like, noise_like
from .samplers import Step
from .targets import TARGETS, to_x0


class LinearPath:
    """The straight path of rectified flow, from data at t = 0 to noise at t = 1.

    x_t = (1 - t) x0 + t eps

    Source: Liu et al. 2022, arXiv:2209.03003; Lipman et al. 2022, example II, arXiv:2210.02747.
        There t = 1 is data; here, as everywhere in this course, it is noise.
    """

    T = 1.0

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha = 1 - t and sigma = t, float64.

        Raises:
            ConfigError: t lies outside [0, 1].
        """
        check_range(t, self.T)
        t = t.double()
        return 1 - t, t

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large, float64."""
        return 1 - 1 / (1 + ratio.double())


class TrigPath:
    """The path along a quarter of a circle, from data at t = 0 to noise at t = pi / 2.

    x_t = cos(t) x0 + sin(t) eps

    Source: Salimans & Ho 2022, appendix D, where t is called phi, arXiv:2202.00512; Lu & Song 2024,
        section 3.1, arXiv:2410.11081, as TrigFlow.
    """

    T = math.pi / 2

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha = cos t, exactly 0 at T, and sigma = sin t, float64.

        Raises:
            ConfigError: t lies outside [0, pi / 2].
        """
        check_range(t, self.T)
        t = t.double()
        return (self.T - t).sin(), t.sin()

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large, float64."""
        return ratio.double().atan()


def uniform_times(n: int, generator: torch.Generator | None = None) -> Float[Tensor, " n"]:
    """Draw times evenly from (0, 1], float64."""
    device = None if generator is None else generator.device
    return 1 - torch.rand(n, generator=generator, dtype=torch.float64, device=device)


def logit_normal_times(
    n: int, generator: torch.Generator | None = None, *, mean: float = 0.0, std: float = 1.0
) -> Float[Tensor, " n"]:
    """Draw times that are mostly in the middle, where the velocity is hard to guess.

    t = 1 / (1 + exp(-z)), z ~ N(mean, std^2)

    Args:
        n: How many.
        generator: Where they come from.
        mean: Above 0 moves them towards noise.
        std: Spread of z, above 0.

    Raises:
        ConfigError: std is not above 0.

    Source: Esser et al. 2024, equation 19, arXiv:2403.03206.
    """
    if not std > 0:
        raise ConfigError(f"std must be above 0, but it is {std}; 1 is usual.")
    device = None if generator is None else generator.device
    z = torch.randn(n, generator=generator, dtype=torch.float64, device=device)
    return torch.sigmoid(mean + std * z)


def shift_times(t: Float[Tensor, "*b"], shift: float) -> Float[Tensor, "*b"]:
    """Move times towards noise (shift above 1), as large images need it.

    t' = shift t / (1 + (shift - 1) t), so that sigma / alpha grows by the factor shift

    Raises:
        ConfigError: shift is not above 0, or t lies outside [0, 1].

    Source: Esser et al. 2024, equation 23, arXiv:2403.03206.
    """
    if not shift > 0:
        raise ConfigError(f"shift must be above 0, but it is {shift}; 1 changes nothing.")
    check_range(t, 1)
    return shift * t / (1 + (shift - 1) * t)


TIMES = {"logit_normal": logit_normal_times, "uniform": uniform_times}


def flow_loss(
    model: Callable[..., Tensor],
    x0: Float[Tensor, "b *axes"],
    generator: torch.Generator | None = None,
    *,
    label: Int[Tensor, " b"] | None = None,
    target: str = "u",
    times: str = "logit_normal",
    shift: float = 1.0,
    eps: Float[Tensor, "b *axes"] | None = None,
) -> Float[Tensor, ""]:
    """Score a network's velocity on straight lines between noise and data.

    E || (eps - x0) - u_hat ||^2 at x_t = (1 - t) x0 + t eps, u_hat = (x_t - x0_hat) / t

    Args:
        model: Called as model(x_t, t) or model(x_t, t, label).
        x0: Clean samples.
        generator: Where times and noise come from.
        label: One class per sample, or None.
        target: What the network predicts: "u", or "eps", "x0", "v", which are turned into u, so
            that the loss is the same for all.
        times: "logit_normal" or "uniform".
        shift: Moves the times; see `shift_times`.
        eps: The noise, if it is to be paired with the data; drawn afresh if not given.

    Raises:
        ConfigError: Target or times are unknown.
        DataError: x0 holds NaN or infinity.

    Source: Lipman et al. 2022, arXiv:2210.02747; Liu et al. 2022, equation 1, arXiv:2209.03003.
    """
    if not bool(torch.isfinite(x0).all()):
        raise DataError("x0 must be finite, but it holds NaN or infinity; clean the data first.")
    choose("target", target, TARGETS)
    t = shift_times(choose("times", times, TIMES)(len(x0), generator), shift).to(x0.device)
    t = t if target == "u" else t.clamp(1e-3, 1 - 1e-3)  # at the ends conversions divide by 0
    eps = noise_like(x0, generator) if eps is None else eps
    x_t = add_noise(x0, t, eps, LinearPath())
    condition = () if label is None else (label,)
    output = model(x_t, t.to(x0.dtype), *condition)
    if target != "u":
        alpha, sigma = like(1 - t, x0), like(t, x0)
        output = (x_t - to_x0(target, output, x_t, alpha, sigma)) / sigma
    return (eps - x0 - output).square().mean()


def pair_by_transport(
    x0: Float[Tensor, "b *axes"], eps: Float[Tensor, "b *axes"]
) -> Float[Tensor, "b *axes"]:
    """Give each sample of a batch the noise that lies best for it: the least sum of squares.

    Args:
        x0: Samples.
        eps: As much noise.

    Returns:
        The same noise in another order.

    Source: Tong et al. 2023, section 3.2, arXiv:2302.00482; Pooladian et al. 2023,
        arXiv:2304.14772. The assignment is scipy's.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and seldom needed

    cost = torch.cdist(x0.flatten(1).double(), eps.flatten(1).double()).square()
    _, order = linear_sum_assignment(cost.cpu().numpy())
    return eps[torch.from_numpy(order).to(eps.device)]


def straightness(steps: Iterable[Step]) -> float:
    """Return how straight paths are: their end-to-end distance by their length, 1 at best.

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
