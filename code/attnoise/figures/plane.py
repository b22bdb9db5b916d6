"""Checks of what figures are given: points in the plane, and numbers that a page can read."""

import torch
from torch import Tensor

from ..errors import DataError, ShapeError


def check_finite(name: str, values: Tensor) -> None:
    """Check that numbers are finite: json has no others.

    Raises:
        DataError: One is NaN or infinite.
    """
    if not bool(torch.isfinite(values).all()):
        raise DataError(f"{name} must be finite, but it holds NaN or infinity.")


def check_plane(name: str, points: Tensor, least: int = 1, most: int | None = None) -> None:
    """Check that points lie in the plane, and that they are not too few or too many.

    Raises:
        ShapeError: The shape is not (points, 2), or there are too few or too many.
        DataError: A coordinate is NaN or infinite.
    """
    count = f"{least} to {most}" if most else f"{least} or more"
    fits = points.ndim == 2 and points.shape[1] == 2 and len(points) >= least
    if not fits or (most is not None and len(points) > most):
        raise ShapeError(
            f"{name} must be {count} points in the plane, shape (points, 2), but its shape is "
            f"{tuple(points.shape)}."
        )
    check_finite(name, points)
