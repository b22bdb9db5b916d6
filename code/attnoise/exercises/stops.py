"""How far eight calls of DPM-Solver++ miss, for the last exercise of `diffusion/samplers`."""

import math
from functools import cache
from itertools import pairwise

import torch

from ..data import ring_of_gaussians
from ..diffusion import IdealDenoiser, dpm_solver_sample, heun_sample, last, linear_schedule


@cache
def _plane():
    schedule, ring = linear_schedule(1000), ring_of_gaussians(8, std=0.2)
    denoiser = IdealDenoiser(ring.centres.double(), schedule, std=ring.std)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(200, 2, generator=generator, dtype=torch.float64)
    ratio = torch.logspace(4, -4, 1001, base=10, dtype=torch.float64).clamp(max=150)
    fine = sorted({*schedule.time_of(ratio).tolist(), 1000.0}, reverse=True) + [0.0]
    return denoiser, schedule, x, last(heun_sample(denoiser, x, schedule, timesteps=fine))


def error_by_interval(times) -> list[float]:
    """Return DPM-Solver++'s median error of each step alone: started at the right place.

    The step gets the exact point at its start and, as it remembers one, the exact prediction at the
    start of the step before. What it misses at its end is measured in the noise's own unit there.

    Args:
        times: Falling times from 1000 to 0.
    """
    denoiser, schedule, x, _ = _plane()
    points, found = [x], []
    for now, then in pairwise(times):
        fine = torch.linspace(now, then, 101, dtype=torch.float64).tolist()
        points.append(last(heun_sample(denoiser, points[-1], schedule, timesteps=fine)))
    for i, (now, then) in enumerate(pairwise(times)):
        t = torch.tensor([now, then], dtype=torch.float64)
        (alpha, alpha_s), (sigma, sigma_s) = (level.tolist() for level in schedule.levels(t))
        x0_hat = D = denoiser(points[i], t[:1].expand(len(x)))
        shrunk = alpha * sigma_s / (alpha_s * sigma)  # e^{-h}
        if i and then > 0:
            before = torch.tensor([times[i - 1]], dtype=torch.float64)
            earlier = denoiser(points[i - 1], before.expand(len(x)))
            a, s = (float(level) for level in schedule.levels(before))
            D = x0_hat + math.log(shrunk) / (2 * math.log(a * sigma / (alpha * s))) * (
                x0_hat - earlier
            )
        end = sigma_s / sigma * points[i] + alpha_s * (1 - shrunk) * D
        found.append(float((end - points[i + 1]).norm(dim=1).median()))
    return found


def error_of(times) -> float:
    """Return DPM-Solver++'s median distance from the exact end points, over 200 points.

    Args:
        times: Falling times from 1000 to 0.
    """
    denoiser, schedule, x, truth = _plane()
    end = last(dpm_solver_sample(denoiser, x, schedule, timesteps=times))
    return float((end - truth).norm(dim=1).median())
