"""The exercises of the chapter on autoencoders: solutions pass, each mistake is told from the others."""

import math

import numpy as np
import pytest
import torch
from tests.exercises.proof import prove

from attnoise.exercises import autoencoders as module


def rate(square=lambda m: m**2, variance=torch.exp, sign=1, share=0.5, reduce=None):
    def my_rate(mean, log_variance):
        each = square(mean) + variance(log_variance) - 1 - sign * log_variance
        total = share * each.sum(dim=1)
        return total if reduce is None else reduce(total)

    return my_rate


def scaled(mean_axes, std_axes, power=1):
    def my_standardise(latents):
        mean = latents.mean(mean_axes, keepdim=True) if mean_axes else 0
        std = latents.std(std_axes, keepdim=True) if std_axes else 1
        return (latents - mean) / std**power

    return my_standardise


ALL = (0, 2, 3)
WRONG = {
    "how_much_smaller": [
        ((4096, 48), "four channels."),
        ((4 * 512 * 64, 6), "not in one"),
        ((3 * 64 * 64, 64), "colours are left behind"),
        ((48, 16384), "other order"),
        ("48", "Two numbers"),
        ((16384, 64), "four channels instead of three"),
        ((16384, 1 / 48), "other way round"),
        ((16000, 48), "4 x 64 x 64, and"),
    ],
    "rate": [
        (rate(share=1), "half is missing"),
        (lambda m, v: (m**2 + v.exp() - 1 - v) / 2, "sum over the numbers of a picture"),
        (rate(reduce=torch.sum), "do not sum over the batch"),
        (rate(share=0.5 / math.log(2)), "bits"),
        (rate(share=1 / 6), "Sum over"),
        (rate(reduce=torch.mean), "not the mean over the batch"),
        (rate(variance=lambda v: v), "second term is the variance"),
        (rate(variance=lambda v: (v / 2).exp()), "standard deviation; the formula"),
        (rate(square=torch.abs), "by its square"),
        (rate(sign=-1), "sign of the logarithm"),
        (lambda m, v: m.sum(dim=1), "Half the sum"),
    ],
    "draw_that_learns": [
        (lambda m, v, n: m + v.exp() * n, "take its root"),
        (lambda m, v, n: m + v * n, "is a logarithm"),
        (lambda m, v, n: m + n, "whatever the encoder said"),
        (lambda m, v, n: m, "mean alone"),
        (lambda m, v, n: (m + (v / 2).exp() * n).detach(), "do not detach"),
        (lambda m, v, n: m + (v / 2).exp().detach() * n, "one of mean and log_variance"),
        (lambda m, v, n: n, "plus the standard deviation"),
    ],
    "what_a_weight_means": [
        (lambda s: s**2, "not by the variance"),
        (lambda s: 1 / (2 * s**2), "other way round"),
        (lambda s: 2 * s, "is a square"),
        (lambda s: s**2 / 2, "wrong side"),
        (lambda s: 1.0, "for one deviation only"),
        (lambda s: 0.18, "Right for a deviation of 0.3"),
        (lambda s: 5 * s, "Multiply the negative"),
    ],
    "standardise": [
        (lambda x: (x - x.mean()) / x.std(), "One scale for all"),
        (scaled((2, 3), (2, 3)), "by itself"),
        (lambda x: 0.18215 * x, "another autoencoder"),
        (scaled((0,), (0,)), "Each place has its own"),
        (scaled(ALL, ALL, 2), "not the variance"),
        (scaled(None, ALL), "mean is still there"),
        (scaled(ALL, None), "now the scale"),
        (lambda x: x * x.std(ALL, keepdim=True) + x.mean(ALL, keepdim=True), "way back"),
        (lambda x: 0 * x, "Mean and deviation over"),
    ],
    "how_many_directions": [
        (64, "look for the smallest"),
        (2, "Compare with a tenth"),
        ([20, 21], "One whole number"),
    ],
}


def test_exercises_are_proved():
    prove("latent/autoencoders.ipynb", module, WRONG)


@pytest.mark.parametrize(
    "form",
    [
        (16384, 48),
        [16384, 48],
        ("16384", "48"),
        np.array([16384, 48]),
        torch.tensor([16384, 48]),
        (torch.tensor(16384), np.float64(48)),
    ],
)
def test_two_numbers_pass_in_every_form(form):
    assert module.how_much_smaller(form)


def test_numbers_pass_in_every_form():
    right = module.directions_needed(0.1)
    for form in (right, float(right), str(right), [right], np.int64(right), torch.tensor(right)):
        assert module.how_many_directions(form), form
    for weight in (lambda s: torch.tensor(2 * s**2), lambda s: [2 * s**2]):
        assert module.what_a_weight_means(weight)


@pytest.mark.parametrize(
    "mistaken",
    [
        torch.nn.functional.instance_norm,  # its variance has another denominator
        scaled((1, 2, 3), (1, 2, 3)),
    ],
)
def test_a_picture_scaled_by_itself_is_named_however_it_was_done(mistaken):
    verdict = module.standardise(mistaken)
    assert not verdict and "by itself" in verdict.message
