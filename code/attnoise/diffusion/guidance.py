"""Guidance: lean away from a worse guess, made without the label, with another, or by less."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .process import like


def drop_labels(
    label: Int[Tensor, " b"], null_label: int, share: float | int, generator: torch.Generator
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
        scale: float | int,
        *,
        null_label: int | None = None,
        negative: int | None = None,
        weak: Denoiser | None = None,
        interval: tuple[float | int, float | int] | None = None,
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
        self.schedule = getattr(denoiser, "schedule", None) or getattr(denoiser, "path", None)
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
        self.other: Any = negative if null_label is None else null_label
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
        if self.interval is None or self.schedule is None:
            return scale
        low, high = self.interval
        share = t.double() / self.schedule.T
        return torch.where((low <= share) & (share <= high), scale, 1.0)

    def _guesses(self, x_t: Tensor, t: Tensor, label: Any) -> tuple[Tensor, Tensor]:
        if self.weak is not None:
            return self.denoiser(x_t, t, label), self.weak(x_t, t, label)
        labels = torch.cat([label, torch.full_like(label, self.other)])
        both = self.denoiser(torch.cat([x_t, x_t]), torch.cat([t, t]), labels)  # 2b *axes
        return both[: len(x_t)], both[len(x_t) :]


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
