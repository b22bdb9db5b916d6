"""Noise schedules: how much of the data is left after t of T steps, and at times in between."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..errors import ConfigError, choose
from .paths import check_range


@dataclass(frozen=True)
class Schedule:
    """A variance-preserving noise schedule over the times t = 0 (data) to t = T (noise).

    x_t = alpha(t) x0 + sigma(t) eps, with alpha^2 = alpha_bar and alpha^2 + sigma^2 = 1

    Between two whole times alpha_bar is a straight line, so that solvers may stop anywhere.

    Args:
        alpha_bar: T + 1 numbers, float64, that start at 1 and fall; only the last may be 0.
            Indexed by t.
        name: What plots and cards call it.

    Raises:
        ConfigError: alpha_bar does not start at 1, does not fall, or falls below 0.

    Source: Ho et al. 2020, equation 4, arXiv:2006.11239.
    """

    alpha_bar: Float[Tensor, " times"]
    name: str = "custom"

    def __post_init__(self) -> None:
        alpha_bar = self.alpha_bar
        if alpha_bar.ndim != 1 or len(alpha_bar) < 2 or alpha_bar.dtype != torch.float64:
            raise ConfigError(
                "alpha_bar must be a float64 tensor of T + 1 numbers, but it has shape "
                f"{tuple(alpha_bar.shape)} and dtype {alpha_bar.dtype}; "
                "build it from betas with Schedule.from_beta."
            )
        falls = bool((alpha_bar.diff() < 0).all()) and alpha_bar[-1] >= 0
        if alpha_bar[0] != 1 or not falls:
            raise ConfigError(
                "alpha_bar must start at 1 and fall at every step, not below 0, but it runs "
                f"from {alpha_bar[0]:.3g} to {alpha_bar[-1]:.3g}; t = 0 is clean data."
            )

    @classmethod
    def from_beta(cls, beta: Float[Tensor, " steps"], name: str = "custom") -> "Schedule":
        """Build the schedule from the noise variances of its T steps.

        alpha_bar_t = prod_{s <= t} (1 - beta_s)

        Raises:
            ConfigError: A beta lies outside (0, 1).
        """
        if not bool(((beta > 0) & (beta < 1)).all()):
            raise ConfigError(
                f"every beta must lie in (0, 1), but they range from {float(beta.min()):.3g} to "
                f"{float(beta.max()):.3g}; with few steps use a smaller beta_end or more steps."
            )
        kept = torch.cumprod(1 - beta.double(), dim=0)
        return cls(torch.cat([torch.ones(1, dtype=torch.float64), kept]), name)

    @property
    def T(self) -> int:
        """The number of steps, and the time of pure noise."""
        return len(self.alpha_bar) - 1

    @property
    def beta(self) -> Float[Tensor, " times"]:
        """Variance that the step into t adds, indexed by t; beta[0] = 0: no step leads there."""
        ratio = self.alpha_bar[1:] / self.alpha_bar[:-1]
        return torch.cat([torch.zeros(1, dtype=torch.float64), 1 - ratio])

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha and sigma at whole times and between them, float64.

        Raises:
            ConfigError: t lies outside [0, T].
        """
        alpha_bar = self._at(t)
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large, float64; at most T."""
        wanted, falling = 1 / (1 + ratio.double().square()), self.alpha_bar.to(ratio.device)
        after = torch.searchsorted(-falling, -wanted).clamp(1, self.T)
        start, end = falling[after - 1], falling[after]
        return (after - 1 + (start - wanted) / (start - end)).clamp(max=self.T)

    def alpha(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Share of the clean sample in x_t: sqrt(alpha_bar_t), float32."""
        return self.levels(t)[0].float()

    def sigma(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Noise level of x_t: sqrt(1 - alpha_bar_t), float32."""
        return self.levels(t)[1].float()

    def snr(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Signal-to-noise ratio alpha^2 / sigma^2, float32; infinite at t = 0.

        Source: Kingma et al. 2021, equation 2, arXiv:2107.00630.
        """
        alpha_bar = self._at(t)
        return (alpha_bar / (1 - alpha_bar)).float()

    def check_time(self, t: Int[Tensor, "*b"], *, first: int = 0) -> None:
        """Raise a ConfigError unless t holds whole numbers from `first` to T."""
        if t.dtype.is_floating_point or t.dtype == torch.bool:
            raise ConfigError(
                f"t must hold whole numbers, but its dtype is {t.dtype}; "
                "this schedule is indexed by steps: pass t.long()."
            )
        if t.numel() and not first <= int(t.min()) <= int(t.max()) <= self.T:
            raise ConfigError(
                f"t must lie between {first} and T = {self.T}, but it ranges from {int(t.min())} "
                f"to {int(t.max())}; t = 0 is data and t = T is noise."
            )

    def _at(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        alpha_bar = self.alpha_bar.to(t.device)
        if not t.dtype.is_floating_point:
            self.check_time(t)
            return alpha_bar[t]
        check_range(t, self.T)
        before = t.floor().long().clamp(max=self.T - 1)
        return torch.lerp(alpha_bar[before], alpha_bar[before + 1], t.double() - before)


def linear_schedule(
    T: int = 1000, *, beta_start: float = 1e-4, beta_end: float = 0.02, rescale: bool = True
) -> Schedule:
    """Let beta grow in a straight line.

    beta_t from beta_start to beta_end, times 1000 / T

    Args:
        T: Number of steps.
        beta_start: First beta of the schedule with 1,000 steps.
        beta_end: Last beta of the schedule with 1,000 steps.
        rescale: Multiply the betas by 1000 / T, so that x_T is noise whatever T is. Without it
            100 steps leave alpha_bar_T = 0.36: more than half of the picture is still there.

    Raises:
        ConfigError: T < 1, or a beta leaves (0, 1), as with rescaling below 21 steps.

    Source: Ho et al. 2020, section 4, arXiv:2006.11239; rescaling: openai/guided-diffusion,
        gaussian_diffusion.py.
    """
    check_steps(T)
    factor = 1000 / T if rescale else 1.0
    beta = torch.linspace(beta_start * factor, beta_end * factor, T, dtype=torch.float64)
    return Schedule.from_beta(beta, "linear")


def cosine_schedule(T: int = 1000, *, offset: float = 0.008, beta_max: float = 0.999) -> Schedule:
    """Let alpha_bar follow a squared cosine: slow at both ends, so that no steps are wasted.

    alpha_bar_t = f(t) / f(0), f(t) = cos^2((t / T + offset) / (1 + offset) * pi / 2)

    Args:
        T: Number of steps.
        offset: Keeps the first betas from being vanishingly small.
        beta_max: Betas are clipped here, so that alpha_bar_T stays above 0.

    Raises:
        ConfigError: T < 1.

    Source: Nichol & Dhariwal 2021, equation 17, arXiv:2102.09672.
    """
    check_steps(T)
    u = torch.arange(T + 1, dtype=torch.float64) / T
    f = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return Schedule.from_beta((1 - f[1:] / f[:-1]).clamp(max=beta_max), "cosine")


def sigmoid_schedule(
    T: int = 1000, *, start: float = -3.0, end: float = 3.0, tau: float = 1.0
) -> Schedule:
    """Let alpha_bar follow a falling logistic curve.

    alpha_bar_t = (s(end / tau) - s(g / tau)) / (s(end / tau) - s(start / tau)),
    g = start + (end - start) t / T, with s the logistic function

    Args:
        T: Number of steps.
        start: Where on the logistic curve t = 0 lies.
        end: Where t = T lies.
        tau: Temperature; below 1 the fall is steeper in the middle.

    Raises:
        ConfigError: T < 1, tau <= 0 or start >= end.

    Source: Jabri et al. 2022, arXiv:2212.11972; Chen 2023, algorithm 1, arXiv:2301.10972.
    """
    check_steps(T)
    if tau <= 0 or start >= end:
        raise ConfigError(
            f"sigmoid_schedule needs tau > 0 and start < end, but tau = {tau}, start = {start} "
            f"and end = {end}; the defaults are -3, 3 and 1."
        )
    u = torch.arange(T + 1, dtype=torch.float64) / T
    curve = torch.sigmoid((start + (end - start) * u) / tau)
    alpha_bar = (curve[-1] - curve) / (curve[-1] - curve[0])
    ratio = alpha_bar[1:] / alpha_bar[:-1]
    return Schedule.from_beta((1 - ratio).clamp(max=0.999), "sigmoid")


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "linear": linear_schedule,
    "cosine": cosine_schedule,
    "sigmoid": sigmoid_schedule,
}


def make_schedule(name: str, T: int = 1000, **options: float) -> Schedule:
    """Build a schedule by its name: "linear", "cosine" or "sigmoid".

    Raises:
        ConfigError: The name is unknown; the message lists those that are known.
    """
    return choose("name", name, SCHEDULES)(T, **options)


def check_steps(T: int) -> None:
    """Raise a ConfigError unless T is a whole number of at least 1."""
    if not isinstance(T, int) or T < 1:
        raise ConfigError(
            f"T must be a whole number of at least 1, but it is {T!r}; 1000 is usual."
        )
