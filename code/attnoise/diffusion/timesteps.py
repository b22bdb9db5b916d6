"""Timesteps: the falling times at which a sampler calls the denoiser, evenly spaced or not."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import ConfigError, choose
from .paths import Path

Times = list[float | int]


def _whole(path: Path) -> bool:
    """Say whether a path counts its time in steps, as a `Schedule` does."""
    return isinstance(path.T, int)


def _numbers(times: Tensor, whole: bool) -> Times:
    return times.round().long().tolist() if whole else times.tolist()


def _even(path: Path, steps: int) -> Times:
    return _numbers(
        torch.linspace(path.T, 0, steps + 1, dtype=torch.float64, device="cpu"), whole=False
    )


def _trailing(path: Path, steps: int) -> Times:
    return _numbers(
        torch.linspace(path.T, 0, steps + 1, dtype=torch.float64, device="cpu"), _whole(path)
    )


def _leading(path: Path, steps: int) -> Times:
    step = path.T // steps if _whole(path) else path.T / steps
    times = torch.arange(steps - 1, -1, -1, dtype=torch.float64, device="cpu") * step + _first(path)
    return [*_numbers(times, _whole(path)), 0]


def _linspace(path: Path, steps: int) -> Times:
    first = _first(path)
    times = torch.linspace(path.T - first, 0, steps, dtype=torch.float64, device="cpu")
    return [*(first + t for t in _numbers(times, _whole(path))), 0]


def _first(path: Path) -> float | int:
    """Return the smallest time with noise: the first step, or a thousandth."""
    return 1 if _whole(path) else path.T / 1000


def _karras(path: Path, steps: int, rho: float = 7.0) -> Times:
    alpha, sigma = path.levels(
        torch.tensor([path.T, path.T / 1000], dtype=torch.float64, device="cpu")
    )
    largest, smallest = (sigma / alpha).pow(1 / rho)
    if not bool(torch.isfinite(largest)):
        raise ConfigError(
            "spacing must not be 'karras' or 'log_snr' on a path that ends in noise alone, where "
            "sigma / alpha is infinite, but it is; use 'even'."
        )
    place = torch.linspace(0, 1, steps, dtype=torch.float64, device="cpu")
    times = path.time_of((largest + place * (smallest - largest)).pow(rho))
    return [*times.tolist(), 0.0]


def _log_snr(path: Path, steps: int) -> Times:
    return _karras(path, steps, rho=1e6)  # the limit of a large rho: even in log sigma / alpha


SPACINGS: dict[str, Callable[[Path, int], Times]] = {
    "even": _even,
    "trailing": _trailing,
    "leading": _leading,
    "linspace": _linspace,
    "karras": _karras,
    "log_snr": _log_snr,
}


def make_timesteps(path: Path, steps: int, spacing: str = "even") -> Times:
    """Choose the timesteps of a sampler: `steps` + 1 falling times that end at 0.

    Args:
        path: The noise schedule, or another path to noise.
        steps: How many steps a sampler shall take.
        spacing: "even" in time, from T. "trailing", "leading" and "linspace" are those of diffusers
            and whole numbers in a `Schedule`: "trailing" is "even", rounded; "leading" counts
            upwards from 1 in equal steps, and so starts at a level that is not pure noise;
            "linspace" is even from T to 1, then adds 0. "karras" spaces (sigma / alpha)^(1/7)
            evenly from T to T / 1000, then adds 0; "log_snr" so spaces log(sigma / alpha).

    Raises:
        ConfigError: steps < 1, or more than a schedule has where times are whole; the spacing is
            unknown; or sigma / alpha is infinite at T and the spacing needs it.

    Source: Karras et al. 2022, equation 5, arXiv:2206.00364; leading, linspace and trailing: Lin et
        al. 2024, table 2, arXiv:2305.08891.
    Differs: diffusers counts steps from 0; here step t ends at time t, so that ours are larger by
        1, and the last, 0, is data.

    >>> from attnoise.diffusion import cosine_schedule
    >>> make_timesteps(cosine_schedule(10), 4, "trailing")
    [10, 8, 5, 2, 0]
    """
    if not isinstance(steps, int) or steps < 1:
        raise ConfigError(
            f"steps must be a whole number of at least 1, but it is {steps!r}; 20 is usual."
        )
    make = choose("spacing", spacing, SPACINGS)
    if make in (_trailing, _leading, _linspace) and _whole(path) and steps > path.T:
        raise ConfigError(f"steps must lie between 1 and T = {path.T}, but it is {steps}.")
    return make(path, steps)


def check_timesteps(
    timesteps: Sequence[float | int] | Tensor, path: Path, *, order: int = 1
) -> Times:
    """Return the times as Python numbers, if they fall strictly from at most T to at least 0.

    Raises:
        ConfigError: They do not, or there are fewer steps than the sampler's order.
    """
    given = timesteps.tolist() if isinstance(timesteps, Tensor) else timesteps
    times = [t if isinstance(t, int) else float(t) for t in given]
    falls = all(a > b for a, b in pairwise(times))
    ends = times and math.isfinite(times[0]) and times[0] <= path.T and times[-1] >= 0
    if len(times) < 2 or not falls or not ends:
        raise ConfigError(
            f"timesteps must fall within T = {path.T} and 0, but they are {times[:3]} ... "
            f"{times[-3:]}; make_timesteps(path, steps) makes a list that does."
        )
    if len(times) <= order:
        raise ConfigError(
            f"timesteps must hold at least {order} steps for a sampler of order {order}, but they "
            f"hold {len(times) - 1}; take more steps, or a sampler of order 1 such as ddim_sample."
        )
    return times
