"""Schedules made of others: stretched to end in noise alone, or shifted for larger images."""

from ..errors import ConfigError
from .schedules import Schedule


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
        ConfigError: shift is not above 0.

    Source: Hoogeboom et al. 2023, section 3.1, arXiv:2301.11093.
    """
    if not shift > 0:
        raise ConfigError(f"shift must be above 0, but it is {shift}; 1 changes nothing.")
    kept = schedule.alpha_bar
    return Schedule(kept / (kept + shift**2 * (1 - kept)), f"{schedule.name}, shifted by {shift:g}")
