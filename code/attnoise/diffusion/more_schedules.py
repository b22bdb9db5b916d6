"""More noise schedules: sigmoid, zero-terminal, shifted for larger images, and all by name."""

import math
from collections.abc import Callable

import torch

from ..errors import ConfigError, choose
from .schedules import Schedule, check_steps, cosine_schedule, linear_schedule


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
    if not (tau > 0 and start < end):
        raise ConfigError(
            f"sigmoid_schedule needs tau > 0 and start < end, but tau = {tau}, start = {start} "
            f"and end = {end}; the defaults are -3, 3 and 1."
        )
    u = torch.arange(T + 1, dtype=torch.float64, device="cpu") / T
    curve = torch.sigmoid((start + (end - start) * u) / tau)
    alpha_bar = (curve[-1] - curve) / (curve[-1] - curve[0])
    ratio = alpha_bar[1:] / alpha_bar[:-1]
    return Schedule.from_beta((1 - ratio).clamp(max=0.999), "sigmoid")


def zero_terminal(schedule: Schedule) -> Schedule:
    """Stretch a schedule so that nothing of the data is left at its end.

    alpha_t -> (alpha_t - alpha_T) / (1 - alpha_T)

    A network that predicts the noise cannot say anything about x0 at T then: predict x0, v or the
    flow's velocity.

    Source: Lin et al. 2024, algorithm 1, arXiv:2305.08891.
    """
    alpha = schedule.alpha_bar.sqrt()
    stretched = (alpha - alpha[-1]) / (1 - alpha[-1])
    return Schedule(stretched.square(), f"{schedule.name}, to zero")


def shift_schedule(schedule: Schedule, shift: float) -> Schedule:
    """Put more noise at every time, so that sigma / alpha grows by a factor.

    sigma_t / alpha_t -> shift sigma_t / alpha_t

    Neighbouring pixels of a large image say the same, and their mean shows through noise that would
    drown a small one. A schedule that suits images of side a suits those of side b if shifted by
    b / a.

    Args:
        schedule: What is shifted.
        shift: Above 1 for more noise, below 1 for less.

    Raises:
        ConfigError: shift is not above 0 or infinite.

    Source: Hoogeboom et al. 2023, section 3.1, arXiv:2301.11093.
    """
    if not 0 < shift < math.inf:
        raise ConfigError(f"shift must be above 0, but it is {shift}; 1 changes nothing.")
    kept = schedule.alpha_bar
    return Schedule(kept / (kept + shift**2 * (1 - kept)), f"{schedule.name}, shifted by {shift:g}")


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
