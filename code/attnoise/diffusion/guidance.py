"""Guidance: lean away from a worse guess. And inpainting: keep what is known, draw the rest."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from ..errors import ConfigError, DataError, ShapeError
from .denoisers import Denoiser
from .grids import check_falling
from .paths import Path
from .process import add_noise, like, noise_like
from .samplers import Step, last
from .solvers import ddim_sample


def drop_labels(
    label: Int[Tensor, " b"], null_label: int, share: float, generator: torch.Generator
) -> Int[Tensor, " b"]:
    """Replace some labels by the one that means "no label", for training.

    So one network learns both guesses that guidance compares, with the label and without it.

    Args:
        label: One class per sample.
        null_label: The label that means "no label"; `classes` in the models of this package.
        share: How many labels to replace on average, in [0, 1]; 0.1 is usual.
        generator: Decides which.

    Raises:
        ConfigError: share lies outside [0, 1], or a sample's class is the null label.

    Source: Ho & Salimans 2022, algorithm 1, arXiv:2207.12598.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share must lie between 0 and 1, but it is {share}; 0.1 is usual.")
    if bool((label == null_label).any()):
        raise ConfigError(
            f"null_label must be a label of its own, but some samples are of class {null_label}; "
            "it is the number of classes in a model built with null_class=True."
        )
    drawn = torch.rand(label.shape, generator=generator, device=generator.device)
    return torch.where(drawn.to(label.device) < share, null_label, label)


def without_label(denoiser: Denoiser) -> Denoiser:
    """Return the denoiser that never hears the label; for exact ones, which need no null label."""
    return lambda x_t, t, label=None: denoiser(x_t, t)


class GuidedDenoiser:
    """Two guesses, and a step from the worse one past the better one.

    x0_hat = other + scale (conditional - other)

    The other guess comes from the same denoiser with the null label (classifier-free guidance) or
    with a label that is not wanted (negative condition), both guesses in one call on 2b samples;
    or from a weaker denoiser with the same label (autoguidance). The same mix of eps_hat, v_hat or
    scores gives the same result, since each is x0_hat times one factor, plus a multiple of x_t.

    Args:
        denoiser: Called as denoiser(x_t, t, label).
        scale: 1 is off, and then there is no second guess; 0 is the other guess alone.
        null_label: The label that means "no label".
        negative: The class to lean away from.
        weak: The denoiser to lean away from.
        interval: (low, high), the times as fractions of T at which guidance is on, both included;
            elsewhere there is no second guess. Always on if not given.
        clip: Cut the guided x0_hat off at -clip and clip.

    Raises:
        ConfigError: scale is not finite; not exactly one of null_label, negative and weak is given;
            the model has no null class, or its number is another; interval is out of order, or
            the denoiser does not say what T is; or a label is missing when it is called.

    Source: Ho & Salimans 2022, equation 6, arXiv:2207.12598; interval: Kynkäänniemi et al. 2024,
        arXiv:2404.07724; weak: Karras et al. 2024, arXiv:2406.02507.
    Differs: Ho & Salimans write w for scale - 1.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        scale: float,
        *,
        null_label: int | None = None,
        negative: int | None = None,
        weak: Denoiser | None = None,
        interval: tuple[float, float] | None = None,
        clip: float | None = None,
    ) -> None:
        if not math.isfinite(scale):
            raise ConfigError(f"scale must be a finite number, but it is {scale}; 1 is off.")
        others = {"null_label": null_label, "negative": negative, "weak": weak}
        given = [name for name, value in others.items() if value is not None]
        if len(given) != 1:
            raise ConfigError(
                "guidance needs exactly one guess to lean away from: null_label, negative or "
                f"weak, but {' and '.join(given) or 'none'} was given; a model that was trained "
                "with a null class takes null_label=model.config.classes."
            )
        if null_label is not None:
            _check_null_class(denoiser, null_label)
        self.schedule = getattr(denoiser, "schedule", getattr(denoiser, "path", None))
        if interval is not None and not 0 <= interval[0] < interval[1] <= 1:
            raise ConfigError(
                f"interval must be (low, high) with 0 <= low < high <= 1, but it is {interval}; "
                "its ends are fractions of T, 0 for data and 1 for noise."
            )
        if interval is not None and self.schedule is None:
            raise ConfigError(
                "interval needs a denoiser that says what T is, but this one has neither schedule "
                "nor path; set denoiser.schedule."
            )
        self.denoiser, self.scale, self.weak = denoiser, scale, weak
        self.other = negative if null_label is None else null_label
        self.interval, self.clip = interval, clip

    def __call__(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b *axes"]:
        """Return the guided guess of x0."""
        if label is None and self.weak is None:
            raise ConfigError(
                "label must be given: guidance leans towards it; use the denoiser itself to draw "
                "without a label."
            )
        scale = self._scales(t)
        if bool((scale == 1).all()):
            x0_hat = self.denoiser(x_t, t, label)
        else:
            conditional, other = self._guesses(x_t, t, label)
            x0_hat = other + like(scale, x_t) * (conditional - other)
        return x0_hat if self.clip is None else x0_hat.clamp(-self.clip, self.clip)

    def _scales(self, t: Tensor) -> Tensor:
        """Return the scale for each sample: 1 outside the interval."""
        scale = torch.full(t.shape, self.scale, dtype=torch.float64, device=t.device)
        if self.interval is None:
            return scale
        low, high = self.interval
        share = t.double() / self.schedule.T
        return torch.where((low <= share) & (share <= high), scale, 1.0)

    def _guesses(self, x_t: Tensor, t: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.weak is not None or label is None:
            assert self.weak is not None
            return self.denoiser(x_t, t, label), self.weak(x_t, t, label)
        labels = torch.cat([label, torch.full_like(label, self.other)])
        both = self.denoiser(torch.cat([x_t, x_t]), torch.cat([t, t]), labels)  # 2b *axes
        return both.chunk(2)


def _check_null_class(denoiser: Denoiser, null_label: int) -> None:
    """Raise a ConfigError if the denoiser's model says that this is not its null class."""
    config = getattr(getattr(denoiser, "model", None), "config", None)
    if config is None or not hasattr(config, "null_class"):
        return
    if not config.null_class:
        raise ConfigError(
            f"null_label = {null_label} needs a model with a null class, but this one was built "
            "without; build and train it with null_class=True, or guide with weak or negative."
        )
    if null_label != config.classes:
        raise ConfigError(
            f"null_label must be {config.classes}, this model's label for 'no label', but it is "
            f"{null_label}; to lean away from a class, pass it as negative."
        )


def inpaint(
    denoiser: Denoiser,
    known: Float[Tensor, "b *axes"],
    mask: Bool[Tensor, "*shape"],
    path: Path,
    generator: torch.Generator,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
    resample: int = 1,
) -> Iterator[Step]:
    """Keep the known part of each sample and draw the rest.

    After each step of `ddim_sample` with eta = 1 (ancestral sampling) the known part is replaced by
    alpha_s known + sigma_s eps. With resampling each step is then undone by forward noise,
    x_t = alpha_t / alpha_s x_s + sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2) eps,
    and taken again, so that the rest can settle on what the known part says.

    Args:
        denoiser: Called as denoiser(x_t, t, label).
        known: Clean samples; read only where the mask is True.
        mask: True = known; of known's shape, or of one sample's shape for all.
        path: The noise schedule, or another path to noise.
        generator: Where all noise comes from, that at the start included.
        timesteps: Falling times; see `time_grid`.
        label: One class per sample, handed to the denoiser.
        resample: How often each step is taken, but the one to t = 0: that is taken once.

    Yields:
        A `Step` after each step, repeated ones included. At t = 0 the known part is exact.

    Raises:
        ShapeError: The mask is not boolean or its shape does not fit.
        ConfigError: The timesteps do not fall, or resample is below 1.
        DataError: The known part holds NaN or infinity.

    Source: Lugmayr et al. 2022, algorithm 1, arXiv:2201.09865; replacement: Song et al. 2021,
        appendix I.2, arXiv:2011.13456.
    """
    if mask.dtype != torch.bool or mask.shape not in (known.shape, known.shape[1:]):
        raise ShapeError(
            f"mask must be boolean, True = known, and have the shape of known, "
            f"{tuple(known.shape)}, or of one sample, {tuple(known.shape[1:])}, but it has dtype "
            f"{mask.dtype} and shape {tuple(mask.shape)}; use mask.expand_as(known)."
        )
    if not bool(torch.isfinite(torch.where(mask, known, 0)).all()):
        raise DataError(
            "known must be finite where the mask is True, but it holds NaN or infinity."
        )
    if resample < 1:
        raise ConfigError(f"resample must be at least 1, but it is {resample}; 1 is replacement.")
    times = check_falling(timesteps, path)
    return _inpaint_steps(denoiser, known, mask, path, generator, times, label, resample)


def _inpaint_steps(
    denoiser, known, mask, path, generator, times, label, resample
) -> Iterator[Step]:
    x = noise_like(known, generator)
    for t, s in pairwise(times):
        (alpha_t, alpha_s), (sigma_t, sigma_s) = (
            level.tolist() for level in path.levels(torch.tensor([t, s], dtype=torch.float64))
        )
        ratio, repeats = alpha_t / alpha_s, resample if s > 0 else 1
        for repeat in range(repeats):
            if repeat:  # back to t, by forward noise
                added = math.sqrt(max(sigma_t**2 - (ratio * sigma_s) ** 2, 0.0))
                x = ratio * x + added * noise_like(x, generator)
            step = next(iter(ddim_sample(denoiser, x, path, generator, timesteps=[t, s],
                                         label=label, eta=1.0)))  # fmt: skip
            at_s = torch.full(x.shape[:1], s, dtype=torch.float64, device=x.device)
            x = torch.where(mask, add_noise(known, at_s, noise_like(x, generator), path), step.x)
            yield Step(s, x, step.x0_hat)
