"""Guidance: classifier-free, with a negative condition, and by a weaker model (autoguidance)."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from ..checks import values_may_be_read
from ..errors import ConfigError
from .denoisers import Denoiser, check_clip
from .numerics import append_dims, float_dtype


def drop_labels(
    label: Int[Tensor, " b"],
    null_label: int,
    cond_drop_prob: float | int,
    generator: torch.Generator,
) -> Int[Tensor, " b"]:
    """Drop labels at random in training: replace them by the null label (condition dropout).

    So one network learns both predictions that guidance compares, with the label and without it.

    Args:
        label: One class per sample.
        null_label: The label that means "no label"; `classes` in the models of this package.
        cond_drop_prob: Probability that a label is dropped, in [0, 1]; 0.1 is usual.
        generator: Decides which.

    Raises:
        ConfigError: cond_drop_prob lies outside [0, 1], or a sample's class is the null label
            (looked at on the CPU alone).

    Source: Ho & Salimans 2022, algorithm 1, arXiv:2207.12598.
    """
    if not 0 <= cond_drop_prob <= 1:
        raise ConfigError(
            f"cond_drop_prob must lie between 0 and 1, but it is {cond_drop_prob}; 0.1 is usual."
        )
    if null_label < 0 or label.is_floating_point():
        raise ConfigError(
            f"label must hold whole numbers and null_label be at least 0, but label has dtype "
            f"{label.dtype} and null_label is {null_label}."
        )
    if values_may_be_read(label) and bool((label == null_label).any()):
        raise ConfigError(
            f"null_label must be a label of its own, but some samples are of class {null_label}; "
            "it is the number of classes in a model built with null_class=True."
        )
    drawn = torch.rand(label.shape, generator=generator, device=generator.device)
    return torch.where(drawn.to(label.device) < cond_drop_prob, null_label, label)


def without_label(denoiser: Denoiser) -> Denoiser:
    """Return the unconditional denoiser: the same, called without its label; for exact ones."""
    return lambda x_t, t, label=None: denoiser(x_t, t)


class GuidedDenoiser:
    """Guide a denoiser: classifier-free guidance, a negative condition, or autoguidance.

    x0_hat = other + guidance_scale (conditional - other)

    The other prediction comes from the same denoiser with the null label (classifier-free guidance)
    or with a label that is not wanted (negative condition), both in one call on 2b samples; or from
    a weaker denoiser with the same label (autoguidance). The same mix of eps_hat, v_hat or scores
    gives the same result, since each is x0_hat times one factor, plus a multiple of x_t.

    Args:
        denoiser: Called as denoiser(x_t, t, label).
        guidance_scale: 1 is off, and then there is no second prediction; 0 is the other one alone.
        null_label: The label that means "no label".
        negative: The class to move away from.
        weak: The denoiser to move away from.
        interval: (low, high), the times as fractions of T at which guidance is on, both included;
            elsewhere the scale is 1. Always on if not given. On the CPU there is no second
            prediction where guidance is off; other devices make it, since to look at t would make
            them wait.
        clip: Clip the guided x0_hat to [-clip, clip], above 0.

    Raises:
        ConfigError: guidance_scale is not finite; clip is not above 0; not exactly one of
            null_label, negative and weak is given; the model has no null class, or its number is
            another; interval is out of order, or the denoiser does not say what T is; or a label
            is missing when it is called.

    Source: Ho & Salimans 2022, equation 6, arXiv:2207.12598; interval: Kynkäänniemi et al. 2024,
        arXiv:2404.07724; weak: Karras et al. 2024, arXiv:2406.02507.
    Differs: Ho & Salimans write w for guidance_scale - 1.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        guidance_scale: float | int,
        *,
        null_label: int | None = None,
        negative: int | None = None,
        weak: Denoiser | None = None,
        interval: tuple[float | int, float | int] | None = None,
        clip: float | None = None,
    ) -> None:
        if not math.isfinite(guidance_scale):
            raise ConfigError(
                f"guidance_scale must be a finite number, but it is {guidance_scale}; 1 is off."
            )
        check_clip(clip)
        others = {"null_label": null_label, "negative": negative, "weak": weak}
        given = [name for name, value in others.items() if value is not None]
        if len(given) != 1:
            raise ConfigError(
                "guidance needs exactly one prediction to move away from: null_label, negative or "
                f"weak, but {' and '.join(given) or 'none'} was given; a model that was trained "
                "with a null class takes null_label=model.config.classes."
            )
        if null_label is not None:
            _check_null_class(denoiser, null_label)
        self.path = getattr(denoiser, "path", None)
        if interval is not None and not 0 <= interval[0] < interval[1] <= 1:
            raise ConfigError(
                f"interval must be (low, high) with 0 <= low < high <= 1, but it is {interval}; "
                "its ends are fractions of T, 0 for data and 1 for noise."
            )
        if interval is not None and self.path is None:
            raise ConfigError(
                "interval needs a denoiser that says what T is, but this one has no path; set "
                "denoiser.path."
            )
        self.denoiser, self.guidance_scale, self.weak = denoiser, guidance_scale, weak
        self.other: Any = negative if null_label is None else null_label
        self.interval, self.clip = interval, clip

    def __call__(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b *axes"]:
        """Return the guided x0_hat."""
        if label is None and self.weak is None:
            raise ConfigError(
                "label must be given: guidance moves towards it; use the denoiser itself to draw "
                "without a label."
            )
        if self._is_off(t):
            x0_hat = self.denoiser(x_t, t, label)
        else:
            conditional, other = self._both(x_t, t, label)
            x0_hat = other + append_dims(self._scales(t), x_t) * (conditional - other)
        return x0_hat if self.clip is None else x0_hat.clamp(-self.clip, self.clip)

    def _is_off(self, t: Num[Tensor, " b"]) -> bool:
        """Say whether guidance is known to be off for all samples."""
        if self.guidance_scale == 1:
            return True
        in_sight = self.interval is not None and values_may_be_read(t)
        return in_sight and bool((self._scales(t) == 1).all())

    def _scales(self, t: Num[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Return the scale for each sample: 1 outside the interval."""
        dtype = float_dtype(t.device)
        scale = torch.full(t.shape, self.guidance_scale, dtype=dtype, device=t.device)
        if self.interval is None or self.path is None:
            return scale
        low, high = self.interval
        time = t.to(dtype) / self.path.T
        return torch.where((low <= time) & (time <= high), scale, 1.0)

    def _both(
        self, x_t: Float[Tensor, "b *axes"], t: Num[Tensor, " b"], label: Any
    ) -> tuple[Float[Tensor, "b *axes"], Float[Tensor, "b *axes"]]:
        """Return the conditional prediction and the one to move away from."""
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
            f"{null_label}; to move away from a class, pass it as negative."
        )
