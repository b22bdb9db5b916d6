"""Where a solver stops on its way from noise to data: falling times, evenly spaced or not."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import ConfigError, choose
from .paths import Path
from .schedules import Schedule


def spaced_timesteps(T: int, steps: int) -> list[int]:
    """Choose `steps` + 1 whole times, evenly spaced from T down to 0.

    Raises:
        ConfigError: steps lies outside [1, T].

    >>> spaced_timesteps(10, 4)
    [10, 8, 5, 2, 0]
    """
    if not 1 <= steps <= T:
        raise ConfigError(f"steps must lie between 1 and T = {T}, but it is {steps}.")
    return torch.linspace(T, 0, steps + 1, dtype=torch.float64).round().long().tolist()


def check_timesteps(timesteps: Sequence[int], schedule: Schedule) -> None:
    """Raise a ConfigError unless the timesteps fall strictly from T to 0."""
    falls = all(a > b for a, b in pairwise(timesteps))
    if len(timesteps) < 2 or timesteps[0] != schedule.T or timesteps[-1] != 0 or not falls:
        raise ConfigError(
            f"timesteps must fall from T = {schedule.T} to 0, but they are "
            f"{list(timesteps[:3])} ... {list(timesteps[-3:])}; "
            "spaced_timesteps(T, steps) makes a list that does."
        )


def _even(path: Path, steps: int) -> Tensor:
    return torch.linspace(path.T, 0, steps + 1, dtype=torch.float64)


def _leading(path: Path, steps: int) -> Tensor:
    times = path.T * torch.arange(steps - 1, -1, -1, dtype=torch.float64) / steps
    return torch.cat([times + path.T / 1000, times.new_zeros(1)])


def _karras(path: Path, steps: int, rho: float = 7.0) -> Tensor:
    alpha, sigma = path.levels(torch.tensor([path.T, path.T / 1000], dtype=torch.float64))
    largest, smallest = (sigma / alpha).pow(1 / rho)
    if not bool(torch.isfinite(largest)):
        raise ConfigError(
            "spacing must not be 'karras' or 'log_snr' on a path that ends in noise alone, where "
            "sigma / alpha is infinite, but it is; use 'even'."
        )
    share = torch.linspace(0, 1, steps, dtype=torch.float64)
    times = path.time_of((largest + share * (smallest - largest)).pow(rho))
    return torch.cat([times, times.new_zeros(1)])


def _log_snr(path: Path, steps: int) -> Tensor:
    return _karras(path, steps, rho=1e6)  # the limit of a large rho: even in log sigma / alpha


SPACINGS = {"even": _even, "leading": _leading, "karras": _karras, "log_snr": _log_snr}


def time_grid(path: Path, steps: int, spacing: str = "even") -> list[float]:
    """Choose `steps` + 1 falling times that end at 0, the first where sampling starts.

    Args:
        path: The noise schedule, or another path to noise.
        steps: How many steps a solver shall take.
        spacing: "even" in time, T included (called trailing elsewhere); "leading" shifts that down
            by a step but a thousandth of T, as the first DDIM did, and so starts from a level that
            is not pure noise; "karras" spaces (sigma / alpha)^(1/7) evenly from T to T / 1000, then
            adds 0; "log_snr" so spaces log(sigma / alpha).

    Raises:
        ConfigError: steps < 1, the spacing is unknown, or sigma / alpha is infinite at T and the
            spacing needs it.

    Source: Karras et al. 2022, equation 5, arXiv:2206.00364; leading and trailing: Lin et al. 2024,
        table 2, arXiv:2305.08891.
    """
    if steps < 1:
        raise ConfigError(f"steps must be at least 1, but it is {steps}; 20 is usual.")
    return choose("spacing", spacing, SPACINGS)(path, steps).tolist()


def check_falling(timesteps: Sequence[float | int], path: Path, *, order: int = 1) -> list[float]:
    """Return the times as numbers, if they fall strictly from at most T to at least 0.

    Raises:
        ConfigError: They do not, or there are fewer steps than the solver's order.
    """
    times = [float(t) for t in timesteps]
    falls = all(a > b for a, b in pairwise(times))
    if len(times) < 2 or not falls or times[0] > path.T or times[-1] < 0:
        raise ConfigError(
            f"timesteps must fall within T = {path.T} and 0, but they are {times[:3]} ... "
            f"{times[-3:]}; time_grid(path, steps) makes a list that does."
        )
    if len(times) <= order:
        raise ConfigError(
            f"timesteps must hold at least {order} steps for a solver of order {order}, but they "
            f"hold {len(times) - 1}; take more steps, or a solver of order 1 such as ddim_sample."
        )
    return times
