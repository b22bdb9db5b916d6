"""Checks for the chapter `diffusion/reverse-process`."""

import itertools
import math
from collections.abc import Mapping

import torch

from ..diffusion import cosine_schedule
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if, tensor_of


@exercise(1, "The noise of each step", level="trace", minutes=5, asks=numbers("2 to 1", "1 to 0"))
def noise_of_each_step(my_stds):
    my_stds = tensor_of(my_stds)
    reject_if(
        not isinstance(my_stds, torch.Tensor) or my_stds.shape != (2,),
        "Two numbers are asked for: the step from 2 to 1, then the step from 1 to 0.",
    )
    first, final = my_stds.tolist()
    ratio = 0.5 / 0.75
    variance = (1 - ratio) * (1 - 0.75) / (1 - 0.5)
    why = "That is the variance; the noise is multiplied by its root."
    reject(first, variance, why, tolerance=1e-2)
    why = (
        "That is the noise of a forward step, the root of beta_t. Going back you already know "
        "something about x0, so less is left: multiply by (1 - alpha_bar_s) / (1 - alpha_bar_t)."
    )
    reject(first, math.sqrt(1 - ratio), why, tolerance=1e-2)
    why = "The last step adds no noise: at s = 0, 1 - alpha_bar_s is 0, and so is the variance."
    expect(final, 0.0, why, tolerance=1e-6)
    why = "The first number is off: r = 2/3, so the variance is 1/3 times 0.25 / 0.5."
    expect(first, math.sqrt(variance), why, tolerance=1e-2)
    return "Root of 1/6, then 0: the nearer to the data, the less noise, and none at the end."


@exercise(2, "The simple loss", level="code", minutes=10)
def simple_loss(my_loss):
    alpha_bar = cosine_schedule(10).alpha_bar.float()
    x0, eps, t = draw(7, 3), draw(7, 3, seed=1), torch.tensor([1, 2, 3, 5, 7, 8, 9])

    def model(x_t, time):  # depends on the time, so that a wrong time shows
        return 0.5 * x_t + time.reshape(-1, 1)

    def loss(kept, time, wanted):
        x_t = kept.sqrt() * x0 + (1 - kept).sqrt() * eps
        return (wanted - model(x_t, time)).square()

    def with_factors(of_x0, of_eps):
        return (eps - model(of_x0 * x0 + of_eps * eps, time)).square().mean()

    got, kept, time = call(my_loss, model, x0, t, eps, alpha_bar), alpha_bar[t][:, None], t / 10
    right = loss(kept, time, eps)
    for wrong, why in (
        (loss(kept, time, x0).mean(),
         "You compared the answer with x0, but the model predicts eps."),
        (loss(kept, t.float(), eps).mean(), "The model was given t itself; it expects t / T."),
        (with_factors(kept, (1 - kept).sqrt()),
         "One root is missing, that of x0's factor: alpha_bar is a fraction of the variance."),
        (with_factors(kept.sqrt(), 1 - kept),
         "One root is missing, that of the noise's factor: its variance is 1 - alpha_bar."),
        (with_factors(kept, (1 - kept**2).sqrt()),
         "You took alpha_bar for alpha: alpha is its root, and so sigma is root 1 - alpha_bar."),
        (with_factors(kept, 1 - kept),
         "x_t needs the roots of alpha_bar and of 1 - alpha_bar: those add up in squares."),
        (loss(kept[0], time, eps).mean(),
         "Every sample was noised with the time of the first one; each has its own t."),
        (loss(kept, t / len(alpha_bar), eps).mean(), "T is len(alpha_bar) - 1: t starts at 0."),
        (loss(alpha_bar[t - 1][:, None], time, eps).mean(), "alpha_bar is indexed by t itself."),
        (loss(1 - kept, time, eps).mean(), "The roots are swapped: sqrt(alpha_bar) is for x0."),
        (right.sum(), "That is the sum; the mean does not depend on the batch size."),
        (right.sum(1).mean(), "Sum over the numbers of a sample; take the mean over all numbers."),
    ):  # fmt: skip
        reject(got, wrong, why)
    expect(got, right.mean(), "Noise x0 to x_t, ask the model for eps, average the squared errors.")
    return "One clean sample, one time, one noise: the whole of diffusion training is this line."


@exercise(3, "From the noise to the mean", level="derive", minutes=15)
def mean_from_noise(my_mean):
    alpha_bar, t = cosine_schedule(10).alpha_bar, 6
    x_t, eps_hat = draw(5, 3).double(), draw(5, 3, seed=1).double()
    got, now = call(my_mean, x_t, eps_hat, t, alpha_bar), alpha_bar[t]
    beta = 1 - now / alpha_bar[t - 1]
    sigma, kept = (1 - now).sqrt(), (1 - beta).sqrt()
    for wrong, why in (
        ((x_t - sigma * eps_hat) / now.sqrt(),
         "That is x0_hat, the end of the trajectory. One step goes only part of the way there."),
        ((x_t - beta / sigma * eps_hat) / now.sqrt(),
         "You divided by the root of alpha_bar_t, all steps so far; one step is 1 - beta_t."),
        ((x_t - beta / (1 - now) * eps_hat) / kept,
         "eps is multiplied by beta_t over the root of 1 - alpha_bar_t; the root is missing."),
        ((x_t - beta.sqrt() * eps_hat) / kept,
         "That undoes the last forward step as if eps were the noise of this step alone; "
         "eps is the noise of all steps, so its factor is beta_t / sqrt(1 - alpha_bar_t)."),
        (x_t - beta / sigma * eps_hat,
         "The factor before the bracket is missing: 1 / sqrt(1 - beta_t)."),
        ((x_t - beta / sigma * eps_hat) * kept, "Going back, divide by sqrt(1 - beta_t)."),
        ((x_t + beta / sigma * eps_hat) / kept, "The predicted noise is taken away, not added."),
    ):  # fmt: skip
        reject(got, wrong, why)
    right = (x_t - beta / sigma * eps_hat) / kept
    expect(
        got, right, "Put x0_hat into the posterior mean for t = 6, s = 5 and compare by numbers."
    )
    return (
        "Equation 11 of Ho et al.: remove a little of the predicted noise, then undo the shrinking."
    )


@exercise(4, "One step back", level="code", minutes=10)
def one_step_back(my_step):
    alpha_bar = cosine_schedule(10).alpha_bar
    x, x0_hat, z = (draw(5, 3, seed=seed).double() for seed in range(3))
    for now, before in ((8, 7), (8, 3), (2, 0)):
        got = call(my_step, x, x0_hat, now, before, alpha_bar, z)
        a, b = alpha_bar[now], alpha_bar[before]
        ratio = a / b
        to_x0, to_x = b.sqrt() * (1 - ratio) / (1 - a), ratio.sqrt() * (1 - b) / (1 - a)
        std = ((1 - ratio) * (1 - b) / (1 - a)).sqrt()
        mean, right = to_x0 * x0_hat + to_x * x, to_x0 * x0_hat + to_x * x + std * z
        if before == 0:
            why = "The last step, to 0, must be x0_hat, without noise: the image would keep it."
            expect(got, mean, why)
            continue
        if before < now - 1:
            near = alpha_bar[now - 1]
            one = a / near
            neighbour = (near.sqrt() * (1 - one) * x0_hat + one.sqrt() * (1 - near) * x) / (1 - a)
            neighbour = neighbour + ((1 - one) * (1 - near) / (1 - a)).sqrt() * z
            reject(got, neighbour, "You went to now - 1; the step should lead to the time before.")
        for wrong, why in (
            (mean, "No noise was added; before the last step it is needed, or variety is lost."),
            (mean + std**2 * z, "You multiplied z by the variance; it takes the root of it."),
            (to_x * x0_hat + to_x0 * x + std * z,
             "The coefficients are swapped: the large one near the end belongs to x0_hat."),
            (mean + (1 - ratio).sqrt() * z,
             "That is the noise of a forward step; the posterior's is smaller, by the factor "
             "(1 - alpha_bar_s) / (1 - alpha_bar_t) inside the root."),
            (b.sqrt() * x0_hat + (1 - b).sqrt() * z,
             "You noised x0_hat anew and forgot x: the step should start from x."),
        ):  # fmt: skip
            reject(got, wrong, why)
        expect(got, right, f"The step from {now} to {before} is off; compare with the posterior.")
    return "Your step works for any two times, and the last one adds no noise."


# Of the five cases below the second and the last are honest; in these orders they stand elsewhere.
OTHER_ORDERS = [o for o in itertools.permutations(range(5)) if {o[1], o[4]} != {1, 4}]


@exercise(5, "An alarm for copies", level="code", minutes=15)
def alarm_for_copies(my_alarm):
    train, unseen, honest = draw(211, 5), draw(101, 5, seed=1), draw(97, 5, seed=2)
    honest[-6:] = train[:6] + torch.tensor([0.5, 0, 0, 0, 0])  # near, but not below the limit
    crowd = 1.3 * honest  # on the average farther from the training set than honest ones are
    crowd[:8] = train[:8] + 1e-3 * draw(8, 5, seed=3)  # one in twelve is a near copy
    one_copy = train[:1].repeat(97, 1)
    one_point = train[:1].repeat(97, 1) + 2.5  # far from the training set, near one another
    cases = (crowd, honest, train[:89].clone(), one_copy, one_point)
    order = pick((0, 1, 2, 3, 4), OTHER_ORDERS)
    rings = {case: bool(call(my_alarm, cases[case], train, unseen)) for case in order}
    in_crowd, in_honest, in_copies, in_one_copy, in_one_point = (rings[i] for i in range(5))
    odd, twins = unseen.clone(), torch.cat([unseen[:51], unseen[:50] + 1e-5])
    odd[0] = train[0] + 1e-4  # one unseen point happens to be a near copy
    for slip, why in (
        (all(rings.values()),
         "It rings always. Compare with a limit taken from the unseen points' distances."),
        (in_honest and not in_copies,
         "It rings for new samples and not for copies: turn < around."),
        (in_one_point,
         "It rings for samples that are near one another, or far from the training set. Measure "
         "each sample's distance to the training set, the minimum over the training points."),
        (not in_copies, "It raises no alarm although every sample is a training point."),
        (not in_one_copy,
         "It misses 97 copies of one and the same training point. Each sample needs a distance "
         "of its own: the minimum over the training points, dim=1 of cdist(samples, train)."),
        (in_honest,
         "It rings for honest samples: is the limit the 1 % quantile of the unseen points' "
         "distances, and must more than 5 % of the samples lie below it?"),
        (not in_crowd,
         "It misses eight near copies among 97 samples. A mean hides them, and so does looking "
         "for distances of exactly 0: count the samples below the limit, more than 5 % ring."),
        (not call(my_alarm, crowd, train, odd),
         "One unseen point near the training set switches it off: take the 1 % quantile of the "
         "unseen points' distances, not their minimum."),
        (not call(my_alarm, crowd, train, twins),
         "Unseen points that lie near one another switch it off: measure their distances to the "
         "training set, as those of the samples."),
    ):  # fmt: skip
        reject_if(slip, why)
    return "It finds eight near copies among 97 samples, which a mean distance would have missed."


@exercise(6, "Fewer steps", level="explore", minutes=20)
def fewer_steps(my_distances):
    reject_if(
        not isinstance(my_distances, Mapping) or set(my_distances) != {4, 10, 25},
        "my_distances should be a dictionary with the keys 4, 10 and 25.",
    )
    four, ten, many = (float(my_distances[calls]) for calls in (4, 10, 25))
    reject_if(
        abs(four - ten) < 1e-3 and abs(ten - many) < 1e-3,
        "All three distances are the same: did you pass timesteps to the sampler?",
    )
    reject_if(
        min(four, ten, many) < 0.35,
        "A distance below what real digits reach: are the features of the samples and those of "
        "the unseen digits in their places?",
    )
    reject_if(
        many > 5,
        "These are no digits: the network predicts x0, so build NetworkDenoiser with target='x0'.",
    )
    reject_if(
        four < many,
        "With fewer calls the distance should grow. Are the dictionary's keys the calls?",
    )
    reject_if(
        ten > four, "Ten calls should do better than four: start each run from the same seed."
    )
    reject_if(  # other seeds of noise than 0 give 1.9 to 2.0, 1.3 and 1.0 to 1.2
        four < 1.85 or ten < 1.13 or many < 0.96,
        "Too near: the unseen digits are the reference, load_digits('test'). The training digits "
        "are nearer to what was learned from them.",
    )
    reject_if(
        four > 2.3 or ten > 1.6 or many > 1.4,
        "Too far: draw 300 digits, 30 of each class, with label=torch.arange(300) % 10.",
    )
    early = "most of it early" if four - ten > ten - many else "much of it late"
    return (
        f"From 4 to 25 calls the distance falls by {four - many:.1f}; {early}. "
        "Samplers that need fewer calls are the subject of the next chapter."
    )
