"""Samplers: from noise to data, step by step. Here the first of them, DDPM's ancestral sampling.

Every sampler is called as f(denoiser, x_T, path, generator, timesteps=..., label=...) and yields a
`Step` after each step; `last` runs one to its end.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError, DataError, ShapeError
from .denoisers import Denoiser
from .numerics import batch_of, noise_like
from .paths import Path, level_pairs
from .process import posterior_coefficients
from .timesteps import check_timesteps

P = ParamSpec("P")
VARIANCES = ("small", "large")


class Step(NamedTuple):
    """One step of a sampler: the time reached, the samples there, the prediction that led there."""

    t: float | int
    x: Tensor
    x0_hat: Tensor


def sampler(
    *, order: int = 1, check: Callable[..., None] | None = None
) -> Callable[[Callable[P, Iterator[Step]]], Callable[P, Iterator[Step]]]:
    """Decorate a sampler: check its arguments when it is called, and take steps without gradients.

    Half-precision samples are stepped in float32; only the denoiser sees them in their own dtype.

    Args:
        order: The least number of steps.
        check: Called as check(path, timesteps, **options) with the sampler's own options.
    """

    def decorate(algorithm: Callable[P, Iterator[Step]]) -> Callable[P, Iterator[Step]]:
        @wraps(algorithm)
        def call(
            denoiser: Denoiser,
            x_T: Tensor,
            path: Path,
            generator: torch.Generator | None = None,
            *,
            timesteps: Sequence[float | int],
            label: Tensor | None = None,
            **options: Any,
        ) -> Iterator[Step]:
            times = check_timesteps(timesteps, path, order=order)
            check_start("x_T", x_T, label)
            ask, dtype = denoiser, x_T.dtype
            if dtype in (torch.float16, torch.bfloat16):
                ask, x_T = _half(denoiser, dtype), x_T.float()
            run = cast(Callable[..., Iterator[Step]], algorithm)
            steps = run(ask, x_T, path, generator, timesteps=times, label=label, **options)
            if check is not None:
                check(path, times, **options)
            steps = without_gradients(steps)
            return (Step(s.t, s.x.to(dtype), s.x0_hat.to(dtype)) for s in steps)

        return cast(Callable[P, Iterator[Step]], call)

    return decorate


def without_gradients(steps: Iterator[Step]) -> Iterator[Step]:
    """Take the steps of a sampler without gradients; between them the caller's setting holds."""
    while True:
        with torch.no_grad():
            step = next(steps, None)
        if step is None:
            return
        yield step


def _half(denoiser: Denoiser, dtype: torch.dtype) -> Denoiser:
    """Return the denoiser that is asked in half precision and answers in float32."""
    return lambda x_t, t, label=None: denoiser(x_t.to(dtype), t, label).float()


def check_start(name: str, x_T: Tensor, label: Tensor | None) -> None:
    """Raise an error unless samples are floating and finite, with one class each if any."""
    if not x_T.is_floating_point():
        raise ShapeError(
            f"{name} must be floating-point, but its dtype is {x_T.dtype}; draw it with "
            "torch.randn(shape, generator=generator)."
        )
    if values_may_be_read(x_T) and not bool(torch.isfinite(x_T).all()):
        raise DataError(f"{name} must be finite, but it holds NaN or infinity; make it anew.")
    if label is not None and (label.shape != x_T.shape[:1] or label.is_floating_point()):
        raise ShapeError(
            f"label must hold one class per sample, whole numbers of shape ({len(x_T)},), but it "
            f"has shape {tuple(label.shape)} and dtype {label.dtype}."
        )


def _check_variance(path: Path, timesteps: list, *, variance: str = "small") -> None:
    if variance not in VARIANCES:
        raise ConfigError(f'variance must be "small" or "large", but it is {variance!r}.')


@sampler(check=_check_variance)
def ddpm_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    variance: str = "small",
) -> Iterator[Step]:
    """Sample with DDPM, ancestral sampling: predict x0, then draw x_s as if that were true.

    x_s ~ q(x_s | x_t, x0 = denoiser(x_t, t)), for each s < t in turn

    Args:
        denoiser: Called as denoiser(x_t, t, label); returns x0_hat.
        x_T: Standard normal noise to start from.
        path: The noise schedule, or another path to noise.
        generator: Where the noise of each step comes from.
        timesteps: Falling times; all of them are range(T, -1, -1), see `make_timesteps` for fewer.
        label: One class per sample, handed to the denoiser.
        variance: "small" is the variance of q(x_s | x_t, x0), exact if x0 were known; "large" is
            that of the forward noise from s to t, beta_t if s = t - 1. A step to 0 adds none.

    Yields:
        A `Step` after each step; the last one holds the samples.

    Raises:
        ConfigError: The timesteps do not fall, or the variance is unknown.
        ShapeError: x_T is not floating, or there is not one label per sample.
        DataError: x_T holds NaN or infinity.

    Source: Ho et al. 2020, algorithm 2 and section 3.2, arXiv:2006.11239; fewer steps: Nichol &
        Dhariwal 2021, section 4, arXiv:2102.09672.
    """
    x = x_T
    for now, then in level_pairs(path, timesteps):
        x0_hat = denoiser(x, batch_of(now.t, x), label)
        weight_x0, weight_xt, small, large = posterior_coefficients(*now[1:], *then[1:])
        x = weight_x0 * x0_hat + weight_xt * x
        if then.sigma > 0:
            x = x + (small if variance == "small" else large) * noise_like(x, generator)
        yield Step(then.t, x, x0_hat)


def last(steps: Iterable[Step]) -> Tensor:
    """Run a sampler to its end and return the samples."""
    step = None
    for step in steps:  # noqa: B007
        pass
    if step is None:
        raise ConfigError("steps must hold at least one step, but the sampler yielded none.")
    return step.x
