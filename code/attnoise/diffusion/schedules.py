"""Noise schedules: how much of the data is left after t of T steps, and at times in between."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError
from .numerics import float_dtype
from .paths import check_range, check_ratio


@dataclass(frozen=True, eq=False, repr=False)
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
        # alpha^2 beside sigma^2: in float32 1 - alpha_bar would lose its digits near t = 0
        table = torch.stack([alpha_bar, 1 - alpha_bar], dim=1)
        object.__setattr__(self, "_tables", {alpha_bar.device: table})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self.name == other.name and torch.equal(self.alpha_bar, other.alpha_bar)

    def __hash__(self) -> int:
        return hash((self.name, *self.alpha_bar.tolist()))

    def __repr__(self) -> str:
        return f"Schedule({self.name!r}, T={self.T}, alpha_bar_T={self.alpha_bar[-1]:.3g})"

    @classmethod
    def from_beta(cls, beta: Float[Tensor, " steps"], name: str = "custom") -> "Schedule":
        """Build the schedule from the noise variances of its T steps.

        alpha_bar_t = prod_{s <= t} (1 - beta_s)

        Raises:
            ConfigError: A beta lies outside (0, 1).
        """
        if not beta.numel():
            raise ConfigError("beta must hold the variance of at least one step, but it is empty.")
        if not bool(((beta > 0) & (beta < 1)).all()):
            raise ConfigError(
                f"every beta must lie in (0, 1), but they range from {float(beta.min()):.3g} to "
                f"{float(beta.max()):.3g}; with few steps use a smaller beta_end or more steps."
            )
        kept = torch.cumprod(1 - beta.double(), dim=0)
        return cls(torch.cat([torch.ones(1, dtype=torch.float64, device="cpu"), kept]), name)

    @property
    def T(self) -> int:
        """The number of steps, and the time of pure noise."""
        return len(self.alpha_bar) - 1

    @property
    def ends_in_noise(self) -> bool:
        """Whether nothing of the data is left at T: zero terminal SNR."""
        return self.alpha_bar[-1].item() == 0

    @property
    def beta(self) -> Float[Tensor, " times"]:
        """Variance that the step into t adds, indexed by t; beta[0] = 0: no step leads there."""
        ratio = self.alpha_bar[1:] / self.alpha_bar[:-1]
        return torch.cat([torch.zeros(1, dtype=torch.float64, device="cpu"), 1 - ratio])

    def levels(self, t: Num[Tensor, "*b"]) -> tuple[Float[Tensor, "*b"], Float[Tensor, "*b"]]:
        """Return alpha and sigma at whole times and between them, in one look-up.

        They are float64 where t's device has it, else float32, rounded once.

        Raises:
            ConfigError: t lies outside [0, T].
        """
        alpha, sigma = self._variances(t).sqrt().unbind(dim=-1)
        return alpha, sigma

    def time_of(self, ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Return the time at which sigma / alpha is so large; at most T.

        Raises:
            ConfigError: A ratio is negative or NaN (looked at on the CPU alone).
        """
        check_ratio(ratio)
        falling = self._table(ratio.device)[:, 0]
        wanted = 1 / (1 + ratio.to(falling.dtype).square())
        after = torch.searchsorted(-falling, -wanted).clamp(1, self.T)
        start, end = falling[after - 1], falling[after]
        return (after - 1 + (start - wanted) / (start - end)).clamp(max=self.T)

    def alpha(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Coefficient of the clean sample in x_t: sqrt(alpha_bar_t), float32."""
        return self.levels(t)[0].float()

    def sigma(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Noise level of x_t: sqrt(1 - alpha_bar_t), float32."""
        return self.levels(t)[1].float()

    def snr(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b"]:
        """Signal-to-noise ratio alpha^2 / sigma^2, float32; infinite at t = 0.

        Source: Kingma et al. 2021, equation 2, arXiv:2107.00630.
        """
        kept, added = self._variances(t).unbind(dim=-1)
        return (kept / added).float()

    def check_time(self, t: Int[Tensor, "*b"], *, first: int = 0) -> None:
        """Raise a ConfigError unless t holds whole numbers from `first` to T.

        The numbers themselves are looked at on the CPU alone.
        """
        if t.dtype.is_floating_point or t.dtype == torch.bool:
            raise ConfigError(
                f"t must hold whole numbers, but its dtype is {t.dtype}; "
                "this schedule is indexed by steps: pass t.long()."
            )
        if not t.numel() or not values_may_be_read(t):
            return
        low, high = (end.item() for end in t.aminmax())
        if not first <= low <= high <= self.T:
            raise ConfigError(
                f"t must lie between {first} and T = {self.T}, but it ranges from {low} "
                f"to {high}; t = 0 is data and t = T is noise."
            )

    def _variances(self, t: Num[Tensor, "*b"]) -> Float[Tensor, "*b 2"]:
        """Return alpha^2 and sigma^2 at times, side by side."""
        table = self._table(t.device)
        if not t.dtype.is_floating_point:
            self.check_time(t)
            return table[t.long()]
        check_range(t, self.T)
        t = t.to(table.dtype)
        before = t.floor().clamp(0, self.T - 1)
        start, end = table[before.long()], table[before.long() + 1]
        return torch.lerp(start, end, (t - before)[..., None])

    def _table(self, device: torch.device) -> Float[Tensor, "times 2"]:
        """Return the table of variances on a device, copied there once."""
        tables: dict[torch.device, Tensor] = self._tables  # type: ignore[attr-defined]
        if device not in tables:
            table = next(iter(tables.values()))
            tables[device] = table.to(float_dtype(device)).to(device)
        return tables[device]


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
        ConfigError: T < 1, or a beta leaves (0, 1), as with rescaling for T below 21.

    Source: Ho et al. 2020, section 4, arXiv:2006.11239; rescaling: openai/guided-diffusion,
        gaussian_diffusion.py.
    """
    check_steps(T)
    factor = 1000 / T if rescale else 1.0
    if not (0 < beta_start * factor < 1 and 0 < beta_end * factor < 1):
        raise ConfigError(
            f"beta_start and beta_end must lie in (0, 1) once they are multiplied by {factor:g}, "
            f"but they are {beta_start} and {beta_end}; with few steps (T = {T}) choose smaller "
            "ones, or rescale=False."
        )
    beta = torch.linspace(
        beta_start * factor, beta_end * factor, T, dtype=torch.float64, device="cpu"
    )
    return Schedule.from_beta(beta, "linear")


def cosine_schedule(T: int = 1000, *, offset: float = 0.008, beta_max: float = 0.999) -> Schedule:
    """Let alpha_bar follow a squared cosine: slow at both ends, so that no steps are wasted.

    alpha_bar_t = f(t) / f(0), f(t) = cos^2((t / T + offset) / (1 + offset) * pi / 2)

    Args:
        T: Number of steps.
        offset: Keeps the first betas from being vanishingly small.
        beta_max: Betas are clipped here, so that alpha_bar_T stays above 0.

    Raises:
        ConfigError: T < 1, offset is below 0 or beta_max outside (0, 1).

    Source: Nichol & Dhariwal 2021, equation 17, arXiv:2102.09672.
    """
    check_steps(T)
    if not (0 <= offset < math.inf and 0 < beta_max < 1):
        raise ConfigError(
            f"offset must be at least 0 and beta_max lie in (0, 1), but they are {offset} and "
            f"{beta_max}; 0.008 and 0.999 are usual."
        )
    u = torch.arange(T + 1, dtype=torch.float64, device="cpu") / T
    f = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return Schedule.from_beta((1 - f[1:] / f[:-1]).clamp(max=beta_max), "cosine")


def check_steps(T: int) -> None:
    """Raise a ConfigError unless T is a whole number of at least 1."""
    if not isinstance(T, int) or T < 1:
        raise ConfigError(
            f"T must be a whole number of at least 1, but it is {T!r}; 1000 is usual."
        )
