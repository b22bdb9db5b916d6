"""Coefficients, times and noise that fit a sample: its dtype, its axes and its device."""

import torch
from jaxtyping import Float, Num
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import DataError, ShapeError

LARGEST = 20.0  # standardised data stay below; pixels from 0 to 255 do not


def float_dtype(device: torch.device) -> torch.dtype:
    """Return float64 where a device is known to have it, else float32."""
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32


def append_dims(
    coefficient: Float[Tensor, " b"], x: Float[Tensor, "b *axes"]
) -> Float[Tensor, "b *ones"]:
    """Append dimensions of size 1 to a coefficient per sample, and cast it, to broadcast over x.

    Raises:
        ShapeError: There is not one number per sample.
    """
    if coefficient.shape != x.shape[:1]:
        raise ShapeError(
            f"coefficient must hold one number per sample, as t must hold one time: x has {len(x)} "
            f"samples, but its shape is {tuple(coefficient.shape)}; use torch.full(({len(x)},), t) "
            "for one time for all."
        )
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def noise_like(
    x: Float[Tensor, "b *axes"], generator: torch.Generator | None = None
) -> Float[Tensor, "b *axes"]:
    """Draw standard normal noise of x's shape, on the generator's device, then move it to x's.

    Half precision gets the numbers that float32 would get, rounded.

    Raises:
        ShapeError: x is not floating-point.
    """
    if not x.is_floating_point():
        raise ShapeError(f"x must be floating-point, but its dtype is {x.dtype}; pass x.float().")
    device = x.device if generator is None else generator.device
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.randn(x.shape, generator=generator, dtype=dtype, device=device).to(x)


def widen(x: Tensor) -> Tensor:
    """Raise half precision to float32, for sums and differences; leave the rest as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def to_device(values: Float[Tensor, "*b"], x: Tensor) -> Float[Tensor, "*b"]:
    """Move numbers to the device of x, in the best precision that it has."""
    return values.to(float_dtype(x.device)).to(x.device)


def batch_of(t: float | int, x: Float[Tensor, "b *axes"]) -> Num[Tensor, " b"]:
    """Return a time once for each sample of x: whole numbers as int64, others in floating point."""
    dtype = torch.int64 if isinstance(t, int) else float_dtype(x.device)
    return torch.full(x.shape[:1], t, dtype=dtype, device=x.device)


def network_time(
    t: Num[Tensor, " b"], T: float | int, x: Float[Tensor, "b *axes"]
) -> Float[Tensor, " b"]:
    """Return t / T as a network takes it: float32 also for half-precision samples.

    bfloat16 has 8 significant bits and would turn step 857 of 1,000 into 855.5.
    """
    return (t / T).to(torch.float64 if x.dtype == torch.float64 else torch.float32)


def check_samples(name: str, x: Tensor) -> None:
    """Check that samples to train on are floating-point numbers of about size 1, all finite.

    Values are looked at on the CPU alone: on a GPU that would make every step wait. Call this once
    on a data set before it is moved there.

    Args:
        name: The name of the argument, for the message.
        x: Images in [-1, 1], latents or points.

    Raises:
        ShapeError: The dtype is not floating.
        DataError: There is no sample, or a number is NaN, infinite, or larger than 20.
    """
    if not x.is_floating_point():
        raise ShapeError(
            f"{name} must be floating-point numbers, but its dtype is {x.dtype}; for images of "
            f"0 to 255 pass {name}.float() / 127.5 - 1, channels first."
        )
    if not x.numel():
        raise DataError(f"{name} must hold at least one sample, but its shape is {tuple(x.shape)}.")
    if not values_may_be_read(x):
        return
    low, high = (end.item() for end in x.detach().aminmax())
    if not (abs(low) < torch.inf and abs(high) < torch.inf):
        raise DataError(
            f"{name} must be finite, but it holds NaN or infinity; clean the data first."
        )
    if max(-low, high) > LARGEST:
        raise DataError(
            f"{name} must be scaled to about [-1, 1], but it ranges from {low:g} to {high:g}; for "
            f"images of 0 to 255 pass {name} / 127.5 - 1, else divide by the standard deviation."
        )
