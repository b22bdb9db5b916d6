"""Checks for the chapter `latent/autoencoders`."""

from functools import cache

import numpy as np
import torch

from ..data import load_digits
from .fields import Field, numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if, tensor_of
from .values import number_of


@exercise(
    1,
    "How much smaller?",
    level="trace",
    minutes=5,
    asks=numbers("numbers in a latent", "times fewer"),
)
def how_much_smaller(my_sizes):
    several = hasattr(my_sizes, "__len__") and not isinstance(my_sizes, str)
    both = tensor_of([number_of(x) for x in my_sizes] if several else [])
    reject_if(
        not isinstance(both, torch.Tensor) or both.shape != (2,),
        "Two numbers are asked for: how many a latent has, and how many times fewer that is.",
    )
    numbers, factor = both.tolist()
    swapped = "The other order: first the numbers, then how many times."
    reject((numbers, factor), (48.0, 16384.0), swapped)
    reject(numbers, 64 * 64, "A place of the latent has four channels.")
    reject(numbers, 4 * 512 * 64, "Eight times smaller in each direction, not in one.")
    reject(numbers, 3 * 64 * 64, "The latent's channels are 4; colours are left behind.")
    reject(factor, 64, "64 times fewer places, but four channels instead of three.")
    reject(factor, 1 / 48, "The other way round: the picture has more numbers.")
    expect((numbers, factor), (16384.0, 48.0), "4 x 64 x 64, and 3 x 512 x 512 divided by that.")
    return "48 numbers become one, and diffusion works on what is left."


@exercise(2, "The rate", level="code", minutes=10)
def rate(my_rate):
    mean, log_variance = draw(7, 3), draw(7, 3, seed=1)
    got = call(my_rate, mean, log_variance)

    def total(square, variance, log):
        return (square + variance - 1 - log).sum(dim=1) / 2

    right = total(mean**2, log_variance.exp(), log_variance)
    reject(got, 2 * right, "The half is missing.")
    each = (mean**2 + log_variance.exp() - 1 - log_variance) / 2
    reject(got, each, "Those are the nats of each number: sum over the numbers of a picture.")
    reject(got, right.sum(), "One number per picture is asked for: do not sum over the batch.")
    in_bits = right / torch.tensor(2.0).log()
    reject(got, in_bits, "Those are bits; nats are asked for, and e is their base.")
    reject(got, right / 3, "Sum over a picture's numbers: each of them costs its nats.")
    reject(got, right.mean(), "One number per picture is asked for, not the mean over the batch.")
    reject(
        got,
        total(mean**2, log_variance, log_variance),
        "The second term is the variance: e to the power of log_variance.",
    )
    reject(
        got,
        total(mean**2, (log_variance / 2).exp(), log_variance),
        "That is the standard deviation; the formula has its square.",
    )
    reject(
        got, total(mean.abs(), log_variance.exp(), log_variance), "The mean comes in by its square."
    )
    reject(
        got,
        total(mean**2, log_variance.exp(), -log_variance),
        "The sign of the logarithm: a narrow cloud must be costly.",
    )
    expect(got, right, "Half the sum of mean squared + variance - 1 - log variance.")
    return "A cloud like a standard normal is free; narrow and far ones cost."


@exercise(3, "A draw that learns", level="code", minutes=10)
def draw_that_learns(my_draw):
    mean, log_variance, noise = (draw(5, 3, seed=seed) for seed in range(3))
    got = call(my_draw, mean, log_variance, noise)
    reject(
        got, mean + log_variance.exp() * noise, "That multiplies by the variance; take its root."
    )
    reject(
        got, mean + log_variance * noise, "log_variance is a logarithm; noise wants the deviation."
    )
    reject(got, mean + noise, "The noise has standard deviation 1 here, whatever the encoder said.")
    reject(got, mean, "That is the mean alone; add the noise, scaled.")
    right = mean + (log_variance / 2).exp() * noise
    expect(got, right, "The mean, plus the standard deviation times the noise.")
    mean, log_variance = mean.requires_grad_(), log_variance.requires_grad_()
    answer = my_draw(mean, log_variance, noise)
    reject_if(
        not answer.requires_grad,
        "The numbers are right, but no gradient gets through: do not detach.",
    )
    slopes = torch.autograd.grad(answer.sum(), (mean, log_variance), allow_unused=True)
    reject_if(
        any(slope is None or not slope.any() for slope in slopes),
        "The numbers are right, but one of mean and log_variance gets no gradient.",
    )
    return "Chance is an input now, and the encoder can learn through it."


@exercise(4, "What a weight means", level="derive", minutes=15)
def what_a_weight_means(my_weight):
    s, other = pick(0.3, (0.2, 0.4, 0.6, 0.8)), pick(0.1, (0.15, 0.25, 0.45), seed=1)
    got = number_of(call(my_weight, s))
    reject(got, s**2, "The squared error is divided by twice the variance, not by the variance.")
    reject(
        got, 1 / (2 * s**2), "The other way round: multiply the ELBO by that, do not divide by it."
    )
    reject(got, 2 * s, "A variance is a square.")
    reject(got, s**2 / 2, "Half on the wrong side: multiply by twice the variance.")
    reject(got, 1.0, "At weight 1 they agree for one deviation only: which one?")
    expect(got, 2 * s**2, "Multiply the negative ELBO by twice the variance of a pixel.")
    why = f"Right for a deviation of {s}, but not for one of {other}: use the argument."
    expect(number_of(call(my_weight, other)), 2 * other**2, why)
    return "Weight 1 is a deviation of 0.7 per pixel. It holds for a squared error, and no other."


@exercise(5, "Standardise", level="code", minutes=10)
def standardise(my_standardise):
    latents = 3 * draw(7, 3, 2, 5) + torch.arange(3.0)[:, None, None]
    latents = latents * torch.tensor([1.0, 2.0, 0.5])[:, None, None] + draw(1, 1, 2, 5, seed=1)
    got = call(my_standardise, latents)
    axes = (0, 2, 3)
    mean, std = latents.mean(axes, keepdim=True), latents.std(axes, keepdim=True)
    reject(
        got,
        (latents - latents.mean()) / latents.std(),
        "One scale for all: each channel has its own.",
    )
    shifted = latents - latents.mean((2, 3), keepdim=True)
    alone = shifted / latents.std((2, 3), keepdim=True)
    why = "Each picture was scaled by itself: what tells them apart is lost."
    reject(got, alone, why)
    reject(got, shifted / latents.std((2, 3), keepdim=True, correction=0), why, tolerance=1e-3)
    whole = (latents - latents.mean((1, 2, 3), keepdim=True)) / latents.std((1, 2, 3), keepdim=True)
    reject(got, whole, why)
    reject(
        got,
        0.18215 * latents,
        "0.18215 belongs to another autoencoder: measure the scale of these latents.",
    )
    places = (latents - latents.mean(0)) / latents.std(0)
    reject(got, places, "Each place has its own scale here; average over places, too.")
    reject(got, (latents - mean) / std**2, "Divide by the standard deviation, not the variance.")
    reject(got, latents / std, "The mean is still there.")
    reject(got, latents - mean, "The mean is gone; now the scale.")
    reject(got, latents * std + mean, "That is the way back, which the decoder takes.")
    expect(
        got, (latents - mean) / std, "Mean and deviation over pictures and places.", tolerance=0.02
    )
    return "Mean 0 and deviation 1 in each channel: standard noise meets its like."


@exercise(
    6,
    "How many directions?",
    level="explore",
    minutes=15,
    asks=(Field("components", options=range(65)),),
)
def how_many_directions(my_count):
    right = directions_needed(0.1)
    got = number_of(my_count)
    reject_if(
        not isinstance(got, int | float | np.number),
        "One whole number is asked for, the smallest k.",
    )
    reject_if(got == right - 1, "One too few: it loses a little more than a tenth.")
    reject_if(
        got > right and got == directions_needed(0.05),
        "That is a twentieth; a tenth was asked for.",
    )
    reject_if(got > right, "Fewer will do: look for the smallest.")
    expect(got, float(right), "Compare with a tenth of what components(digits.images, 0) loses.")
    return f"{right} of 64 directions hold nine tenths of what varies."


@cache
def directions_needed(ratio: float) -> int:
    """Return how many components lose less than `ratio` of what the mean of unseen digits loses."""
    seen, new = (load_digits(split).images.flatten(1) for split in ("train", "test"))
    axes = torch.linalg.svd(seen - seen.mean(0), full_matrices=False).Vh
    left = new - seen.mean(0)
    lost = [(left - left @ axes[:k].T @ axes[:k]).square().mean() for k in range(65)]
    return next(k for k in range(65) if lost[k] < ratio * lost[0])
