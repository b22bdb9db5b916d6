"""The exercises of `diffusion/forward-process`: solutions pass, wrong answers learn why."""

import numpy
import torch
from tests.exercises.proof import prove

from attnoise.attention import attention
from attnoise.diffusion import linear_schedule
from attnoise.exercises import forward_process as module


def per_image(share):
    return share[:, None, None, None]


def jump(share_of, *, root=True, shape=per_image):
    """Build a jump whose share of data comes from share_of(alpha_bar, t)."""

    def add_noise(x0, t, eps, alpha_bar):
        share, power = shape(share_of(alpha_bar, t)), 0.5 if root else 1
        return share**power * x0 + (1 - share) ** power * eps

    return add_noise


def one_minus_root(x0, t, eps, alpha_bar):
    alpha = per_image(alpha_bar[t]).sqrt()
    return alpha * x0 + (1 - alpha) * eps


def powers(of_x0, of_eps):
    """Build a jump whose factors are powers of what is kept and of the rest."""

    def add_noise(x0, t, eps, alpha_bar):
        kept = per_image(alpha_bar[t])
        return kept**of_x0 * x0 + (1 - kept) ** of_eps * eps

    return add_noise


def alpha_bar_for_alpha(x0, t, eps, alpha_bar):
    alpha = per_image(alpha_bar[t])
    return alpha * x0 + (1 - alpha**2).sqrt() * eps


def thinned(T):
    kept = linear_schedule(1000).alpha_bar[:: 1000 // T]
    return 1 - kept[1:] / kept[:-1]


def line(T, factor=1.0, dtype=torch.float64):
    return torch.linspace(1e-4, 0.02, T, dtype=dtype) * factor


def denoiser(*, extra=lambda a: a**2, root=False, scale=1.0, alpha_in=True, half=True, out=None):
    """Build a denoiser by attention with one mistake."""

    def denoise(x_t, data, alpha, sigma):
        a = alpha if alpha_in else 1.0
        last = torch.full((len(x_t), 1), extra(a), dtype=x_t.dtype)
        query = torch.cat([a * x_t, last], dim=1) / (sigma if root else sigma**2)
        length = -data.square().sum(dim=1, keepdim=True) / 2
        key = torch.cat([data, length if half else 0 * length], dim=1)
        value = data if out is None else out(alpha) * data
        return attention(query, key, value, scale=scale)

    return denoise


def nearest(x_t, data, alpha, sigma):
    return data[torch.cdist(x_t, alpha * data).argmin(dim=1)]


WRONG = {
    "what_is_kept": [
        ((0.5, 0.3, 0.2), "added the betas up"),
        ((0.5, 0.1, 0.01), "product of the betas; multiply"),
        ((0.5, 0.9, 0.99), "1 minus the product"),
        ((0.5, 0.8, 0.9), "by itself"),
        ((0.707, 0.632, 0.6), "the roots"),
        ((0.5, 0.6, 0.64), "variances of the noise"),
        (0.36, "Three numbers"),
    ],
    "noise_for_images": [
        (jump(lambda kept, t: kept[t], root=False), "roots are missing"),
        (jump(lambda kept, t: kept[t[:1]].expand(len(t))), "time of the first one"),
        (powers(1, 0.5), "that of x0's factor"),
        (powers(0.5, 1), "that of the noise's factor"),
        (alpha_bar_for_alpha, "took alpha_bar for alpha"),
        (jump(lambda kept, t: kept[t], shape=lambda share: share), "met the columns"),
        (jump(lambda kept, t: 1 - kept[t]), "swapped"),
        (jump(lambda kept, t: kept[t] / kept[t - 1]), "beta of the last step"),
        (one_minus_root, "1 minus the root"),
        (jump(lambda kept, t: kept[t - 1]), "One step early"),
        (lambda x0, t, eps, kept: jump(lambda k, t: k[t])(x0, t, -eps, kept), "wrong sign"),
    ],
    "larger_steps": [
        (line, "betas for 1,000 steps"),
        (lambda T: line(T, T / 1000), "upside down"),
        (thinned, "every n-th"),
        (lambda T: torch.linspace(1e-4, 20 / T, T, dtype=torch.float64), "Only the last beta"),
        (lambda T: torch.linspace(0.1 / T, 0.02, T, dtype=torch.float64), "Only the first beta"),
        (lambda T: line(T, 1000 / T, torch.float32), "float64"),
    ],
    "prediction_for_a_bell": [
        (lambda x, m, c, a, s: x / a, "only undoes the shrinking"),
        (lambda x, m, c, a, s: (a * x / s + m / c) / (a**2 / s + 1 / c), "standard deviations"),
        (lambda x, m, c, a, s: a * c**2 * x / (a**2 * c**2 + s**2), "m is missing"),
        (lambda x, m, c, a, s: (x / s**2 + m / c**2) / (1 / s**2 + 1 / c**2), "alpha is missing"),
        (lambda x, m, c, a, s: a * x / s**2 + m / c**2, "divided by P"),
        (
            lambda x, m, c, a, s: m + a * c**2 * (x - m) / (a**2 * c**2 + s**2),
            "compared with alpha m",
        ),
    ],
    "denoise_by_attention": [
        (denoiser(scale=None), "default scale"),
        (denoiser(half=False), "win by their length"),
        (denoiser(root=True), "sigma squared"),
        (denoiser(alpha_in=False), "alpha is missing"),
        (denoiser(extra=lambda a: a), "extra coordinate"),
        (denoiser(extra=lambda a: -(a**2)), "not plus"),
        (denoiser(extra=lambda a: 2 * a**2), "half is missing"),
        (nearest, "nearest data point"),
        (denoiser(out=lambda a: a), "prediction of alpha x0"),
    ],
    "time_of_commitment": [
        ((69, 36), "swapped"),
        ((37, 70), "too late"),
        ((34, 68), "prediction"),
        ((18, 39), "linear schedule"),
        ((39, 84), "shrunk"),
        ((36, 53), "nine"),
        ((36, 36), "differ"),
        (36, "Two times"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/forward-process.ipynb", module, WRONG)


def test_a_numpy_answer_is_welcome_and_one_number_is_not():
    assert module.what_is_kept(numpy.array([0.5, 0.4, 0.36]))
    assert "Three numbers" in module.what_is_kept(torch.tensor(0.36)).message


def test_answers_in_another_form_are_welcome():
    right = line(100, 10)
    assert module.larger_steps(lambda T: line(T, 1000 / T).numpy())
    assert module.larger_steps(lambda T: line(T, 1000 / T).tolist())
    assert "Expected shape" in module.larger_steps(lambda T: right[:7].tolist()).message
    assert module.time_of_commitment(numpy.array([36, 69]))
    assert module.time_of_commitment([36, 69])
    assert "Two times" in module.time_of_commitment(numpy.array([36])).message
