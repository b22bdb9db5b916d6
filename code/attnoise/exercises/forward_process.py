"""Checks for the chapter `diffusion/forward-process`."""

import math

import torch

from ..attention import attention
from ..diffusion import Schedule, cosine_schedule, linear_schedule
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if, tensor_of


@exercise(1, "What is kept", level="trace", minutes=5, asks=numbers("step 1", "step 2", "step 3"))
def what_is_kept(my_alpha_bars):
    beta = torch.tensor([0.5, 0.2, 0.1], dtype=torch.float64)
    got = torch.as_tensor(my_alpha_bars, dtype=torch.float64)
    reject_if(
        got.shape != (3,),
        "Three numbers are asked for: alpha_bar after the first, second and third step.",
    )
    right = (1 - beta).cumprod(dim=0)
    for wrong, why in (
        (1 - beta.cumsum(dim=0),
         "You added the betas up; each step keeps a fraction, so multiply."),
        (beta.cumprod(dim=0), "That is the product of the betas; multiply what each step keeps."),
        (1 - beta.cumprod(dim=0),
         "1 minus the product of the betas is not the product of 1 - beta."),
        (1 - beta, "That is what each step keeps by itself; alpha_bar is the product up to there."),
        (right.sqrt(), "Those are the roots, alpha_t; alpha_bar is the fraction of the variance."),
        (1 - right, "Those are the variances of the noise, sigma squared: 1 minus what is asked."),
    ):  # fmt: skip
        reject(got, wrong, why, tolerance=1e-3)
    expect(got, right, "Start with 0.5 and multiply by 1 - beta of each step.", tolerance=1e-3)
    return "0.5, 0.4, 0.36: each step takes its fraction of what is left."


@exercise(2, "Noise at once, for images", level="code", minutes=10)
def noise_for_images(my_add_noise):
    alpha_bar = cosine_schedule(10).alpha_bar.float()
    t = torch.tensor([1, 2, 3, 5, 7, 8, 9])
    x0, eps = draw(7, 1, 5, 7), draw(7, 1, 5, 7, seed=1)  # as many images as columns: a trap
    got = call(my_add_noise, x0, t, eps, alpha_bar)

    def noised(fraction):
        return fraction.sqrt() * x0 + (1 - fraction).sqrt() * eps

    kept = alpha_bar[t][:, None, None, None]
    beta = (1 - alpha_bar[t] / alpha_bar[t - 1])[:, None, None, None]
    for wrong, why in (
        (kept * x0 + (1 - kept).sqrt() * eps,
         "One root is missing, that of x0's factor: alpha_bar is a fraction of the variance."),
        (kept.sqrt() * x0 + (1 - kept) * eps,
         "One root is missing, that of the noise's factor: its variance is 1 - alpha_bar."),
        (kept * x0 + (1 - kept**2).sqrt() * eps,
         "You took alpha_bar for alpha: alpha is its root, and so sigma is root 1 - alpha_bar."),
        (kept * x0 + (1 - kept) * eps,
         "The roots are missing: alpha_bar and 1 - alpha_bar are fractions of the variance."),
        (noised(kept[:1]),
         "Every image was noised with the time of the first one; each has its own t."),
        (noised(alpha_bar[t]),
         "The times met the columns of the images instead of the images: shapes are lined up "
         "from the right. Give alpha_bar[t] the shape b 1 1 1."),
        (noised(1 - kept), "The two factors are swapped: at t = 0 the image should be clean."),
        (noised(1 - beta),
         "You used beta of the last step; alpha_bar is needed, the product of all steps."),
        (kept.sqrt() * x0 + (1 - kept.sqrt()) * eps,
         "The noise takes the root of 1 - alpha_bar, which is not 1 minus the root."),
        (noised(alpha_bar[t - 1][:, None, None, None]),
         "One step early: alpha_bar starts at t = 0, so alpha_bar[t] belongs to time t."),
        (2 * kept.sqrt() * x0 - noised(kept), "The noise has the wrong sign: it is added."),
    ):  # fmt: skip
        reject(got, wrong, why)
    expect(got, noised(kept), "x_t is root alpha_bar times x0 plus root (1 - alpha_bar) times eps.")
    return "Any time, for each image its own, in one line: no chain is needed."


@exercise(3, "Fewer, larger steps", level="code", minutes=5)
def larger_steps(my_betas):
    others = ((200, 1000, 400), (125, 1000, 500), (400, 1000, 80), (50, 1000, 800))
    for T in pick((100, 1000, 250), others):
        got = tensor_of(call(my_betas, T))
        line = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
        thinned = linear_schedule(1000).alpha_bar[:: 1000 // T]
        reject_if(
            isinstance(got, torch.Tensor) and got.dtype != torch.float64,
            "The betas should be float64: a product of many factors near 1 needs the digits.",
        )
        if T != 1000:
            reject(
                got,
                1 - thinned[1:] / thinned[:-1],
                "That keeps every n-th alpha_bar of 1,000 steps. It ends in noise as well, but "
                "its betas are not on a straight line: start from linspace.",
                tolerance=1e-6,
            )
            reject(
                got,
                line,
                "These are the betas for 1,000 steps: with fewer steps data are left in x_T.",
                tolerance=1e-6,
            )
            reject(
                got,
                line * T / 1000,
                "The factor is upside down: fewer steps need larger betas, 1000 / T.",
                tolerance=1e-6,
            )
            reject(
                got,
                torch.linspace(1e-4, 0.02 * 1000 / T, T, dtype=torch.float64),
                "Only the last beta was rescaled; the first one needs the factor, too.",
                tolerance=1e-6,
            )
            reject(
                got,
                torch.linspace(1e-4 * 1000 / T, 0.02, T, dtype=torch.float64),
                "Only the first beta was rescaled; the last one needs the factor, too.",
                tolerance=1e-6,
            )
        right = line * 1000 / T
        expect(got, right, f"For T = {T} something else is off.", tolerance=1e-6)
    return "The betas always add up to about 10, so x_T is noise with 100 steps as with 1,000."


@exercise(4, "The best prediction for a bell", level="derive", minutes=15)
def prediction_for_a_bell(my_prediction):
    x_t, m, c = draw(7).double(), 0.7, 1.6
    alpha, sigma = 0.6, 0.8
    got, s = call(my_prediction, x_t, m, c, alpha, sigma), sigma**2
    for wrong, why in (
        (x_t / alpha,
         "x_t / alpha only undoes the shrinking; it forgets what is known before: m and c."),
        ((alpha * x_t / sigma + m / c) / (alpha**2 / sigma + 1 / c),
         "The weights are one over the variances; you divided by the standard deviations."),
        (alpha * c**2 * x_t / (alpha**2 * c**2 + s),
         "The mean m is missing: without it the prediction is pulled to 0."),
        ((x_t / s + m / c**2) / (1 / s + 1 / c**2),
         "alpha is missing: x_t measures alpha x0, not x0."),
        (alpha * x_t / s + m / c**2,
         "That is L, the factor of x0; the mean is L divided by P."),
        (m + alpha * c**2 * (x_t - m) / (alpha**2 * c**2 + s),
         "The mean of x_t is alpha m, so x_t is compared with alpha m, not with m."),
    ):  # fmt: skip
        reject(got, wrong, why)
    right = m + alpha * c**2 * (x_t - alpha * m) / (alpha**2 * c**2 + s)
    expect(got, right, "Compare by numbers: with sigma near 0 it is x_t / alpha, else nearer to m.")
    return "A compromise between what was seen and what was known: GaussianDenoiser in one line."


@exercise(5, "Denoise by attention", level="code", minutes=15)
def denoise_by_attention(my_denoiser):
    x_t, data = draw(5, 3).double(), draw(11, 3, seed=1).double()
    alpha, sigma = 0.6, 0.8
    got = call(my_denoiser, x_t, data, alpha, sigma)

    def through(query_x, extra, divide_by=sigma**2, scale=1.0):
        extra = torch.full((len(x_t), 1), extra, dtype=x_t.dtype)
        query = torch.cat([query_x, extra], dim=1) / divide_by
        key = torch.cat([data, -data.square().sum(dim=1, keepdim=True) / 2], dim=1)
        return attention(query, key, data, scale=scale)

    square = (x_t[:, None] - alpha * data[None]).square().sum(-1)
    right = (-square / (2 * sigma**2)).softmax(-1) @ data
    no_alpha = through(x_t, 1.0)
    for wrong, why in (
        (through(alpha * x_t, alpha**2, scale=1 / math.sqrt(4)),
         "attention's default scale was left in; the query brings its own: pass scale=1.0."),
        (through(alpha * x_t, 0.0),
         "The keys lack -|x_i|^2 / 2: long data points win by their length alone."),
        (through(alpha * x_t, alpha**2, divide_by=sigma),
         "The query is divided by sigma; it should be sigma squared."),
        (no_alpha, "alpha is missing: x_t is near alpha x_i, not near x_i."),
        (through(alpha * x_t, alpha),
         "The query's extra coordinate is alpha squared, since it multiplies |alpha x_i|^2."),
        (through(alpha * x_t, -(alpha**2)), "The keys end in minus |x_i|^2 / 2, not plus."),
        (through(alpha * x_t, 2 * alpha**2), "The half is missing: keys end in -|x_i|^2 / 2."),
        (data[square.argmin(dim=1)],
         "That is the nearest data point; the best prediction is the weighted mean of all."),
        (alpha * right,
         "That is the prediction of alpha x0: the values should be the data as they are."),
    ):  # fmt: skip
        reject(got, wrong, why)
    expect(got, right, "Compare with Bayes: a softmax of -|x_t - alpha x_i|^2 / (2 sigma^2).")
    return "Bayes' rule, computed by attention: the noisy sample asks, the data set answers."


@exercise(6, "When does it commit?", level="explore", minutes=15, asks=numbers("a = 1", "a = 3"))
def time_of_commitment(my_times):
    my_times = tensor_of(my_times)
    reject_if(
        not isinstance(my_times, torch.Tensor) or my_times.shape != (2,),
        "Two times are asked for: the one for a = 1, then the one for a = 3.",
    )
    cosine = cosine_schedule(100)
    right = last_sure(cosine)
    for wrong, why in (
        (right[::-1], "The two are swapped: points farther apart stay distinct in more noise."),
        ([t + 1 for t in right],
         "One step too late: there the weight is no longer above 0.99."),
        (last_sure(cosine, sure=0.995),
         "That is where the *prediction* passes 0.99 a; the weight of +a is asked for."),
        (last_sure(linear_schedule(100)), "Those are the times of the linear schedule."),
        (last_sure(cosine, shrink=False),
         "You put x_t = a in; the noisy sample has shrunk to alpha a."),
        (last_sure(cosine, power=1),
         "Tripling a multiplies the squared distance by nine, not by three."),
        ([right[0]] * 2, "The two times differ: only distance compared with noise counts."),
    ):  # fmt: skip
        reject(my_times, wrong, why)
    expect(my_times, right, "Measure the weight of +a at all hundred times; take the last > 0.99.")
    return (
        "Points far apart are decided at high noise, close ones last: first classes, then digits."
    )


def last_sure(schedule: Schedule, *, sure=0.99, power=2, shrink=True):
    """Return the last times at which +a weighs more than `sure`, for a = 1 and a = 3."""
    t = torch.arange(1, schedule.T + 1)
    kept = schedule.alpha_bar[t]
    signal = (kept if shrink else kept.sqrt()) / (1 - kept)
    return [t[torch.sigmoid(2 * a**power * signal) > sure].max().item() for a in (1, 3)]
