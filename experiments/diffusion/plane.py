"""What the experiments on points in the plane share: the spiral, and what it is compared with."""

import torch
from torch import Tensor

from attnoise.data import spiral

ARM = spiral()
DATA = "the package's spiral, drawn afresh for every batch"


def real_points(n: int, seed: int = 100) -> Tensor:
    """Return points of the spiral, "n 2": those that samples are compared with, or a floor's."""
    return ARM.sample(n, torch.Generator().manual_seed(seed))


def one_gaussian(real: Tensor, generator: torch.Generator) -> Tensor:
    """Return as many points of the Gaussian with the mean and covariance of the real ones."""
    noise = torch.randn(real.shape, generator=generator)
    return noise @ torch.linalg.cholesky(real.T.cov()).T + real.mean(0)


def off_the_arm(distance: Tensor) -> Tensor:
    """Return the fraction of points farther than three std from the spiral's line."""
    return (distance > 3 * ARM.std).float().mean()


def distance_to_arm(x: Tensor) -> Tensor:
    """Return the distance of each point from the nearest of the spiral's centres: "n"."""
    return torch.cdist(x, ARM.centres).min(dim=1).values
