"""The exercises of `diffusion/reverse-process`: solutions pass, wrong answers learn why."""

import numpy
import torch
from tests.exercises.proof import prove

from attnoise.exercises import reverse_process as module


def simple_loss(
    wanted="eps", *, root=True, scale=True, own=True, T=-1, first=0, swap=False, reduce=torch.mean
):
    """Build the simple loss with one mistake."""

    def loss(model, x0, t, eps, alpha_bar):
        kept = alpha_bar[t - first if own else t[:1].expand(len(t))][:, None]
        kept, power = 1 - kept if swap else kept, 0.5 if root else 1
        x_t = kept**power * x0 + (1 - kept) ** power * eps
        output = model(x_t, t / (len(alpha_bar) + T) if scale else t.float())
        return reduce(({"eps": eps, "x0": x0}[wanted] - output).square())

    return loss


def loss_with(factors):
    """Build the simple loss with these factors of x0 and of eps."""

    def loss(model, x0, t, eps, alpha_bar):
        of_x0, of_eps = factors(alpha_bar[t][:, None])
        output = model(of_x0 * x0 + of_eps * eps, t / (len(alpha_bar) - 1))
        return (eps - output).square().mean()

    return loss


def mean_from_noise(formula):
    """Build a mean from formula(x, eps, beta, alpha_bar_t, 1 - beta)."""

    def mean(x_t, eps_hat, t, alpha_bar):
        beta = 1 - alpha_bar[t] / alpha_bar[t - 1]
        return formula(x_t, eps_hat, beta, alpha_bar[t], 1 - beta)

    return mean


def one_step(noise, *, swapped=False):
    """Build a step whose noise has the standard deviation noise(ratio, a, b)."""

    def step(x, x0_hat, now, before, alpha_bar, z):
        a, b = alpha_bar[now], alpha_bar[before]
        ratio = a / b
        to_x0, to_x = b.sqrt() * (1 - ratio) / (1 - a), ratio.sqrt() * (1 - b) / (1 - a)
        if swapped:
            to_x0, to_x = to_x, to_x0
        return to_x0 * x0_hat + to_x * x + noise(ratio, a, b) * z

    return step


def variance(ratio, a, b):
    return (1 - ratio) * (1 - b) / (1 - a)


def silent_at_the_end(ratio, a, b):
    return (1 - ratio).sqrt() if b < 1 else 0.0


def near(a, b):
    return torch.cdist(a, b).min(dim=1).values


def noise_anew(x, x0_hat, now, before, alpha_bar, z):
    b = alpha_bar[before]
    return b.sqrt() * x0_hat + (1 - b).sqrt() * z


def one_time_back(x, x0_hat, now, before, alpha_bar, z):
    return one_step(lambda r, a, b: variance(r, a, b).sqrt())(x, x0_hat, now, now - 1, alpha_bar, z)


def wrong_axis_alarm(samples, train, unseen):
    limit = near(unseen, train).quantile(0.01)
    return (near(train, samples) < limit).float().mean() > 0.05


def wrong_limit_alarm(samples, train, unseen):
    limit = near(unseen, train).quantile(0.05)
    return (near(samples, train) < limit).float().mean() > 0.05


def smallest_alarm(samples, train, unseen):
    return (near(samples, train) < near(unseen, train).min()).float().mean() > 0.05


def among_themselves_alarm(samples, train, unseen):
    own = torch.cdist(unseen, unseen) + 9.0 * torch.eye(len(unseen))
    limit = torch.minimum(own.min(dim=1).values, near(unseen, train)).quantile(0.01)
    return (near(samples, train) < limit).float().mean() > 0.05


def mean_alarm(samples, train, unseen):
    return near(samples, train).mean() < 0.5 * near(unseen, train).mean()


def crowding_alarm(samples, train, unseen):
    limit = near(unseen, train).quantile(0.01)
    own = torch.cdist(samples, samples) + 9.0 * torch.eye(len(samples))
    close = torch.minimum(own.min(dim=1).values, near(samples, train))
    return (close < limit).float().mean() > 0.05


def turned_alarm(samples, train, unseen):
    limit = near(unseen, train).quantile(0.01)
    return (near(samples, train) > limit).float().mean() > 0.95


WRONG = {
    "noise_of_each_step": [
        ((1 / 6, 0.0), "That is the variance"),
        (((1 / 3) ** 0.5, 0.0), "forward step"),
        (((1 / 6) ** 0.5, 0.5), "last step adds no noise"),
        (((1 / 6) ** 0.5,), "Two numbers"),
    ],
    "simple_loss": [
        (simple_loss("x0"), "compared the answer with x0"),
        (simple_loss(scale=False), "given t itself"),
        (simple_loss(root=False), "roots of alpha_bar"),
        (simple_loss(own=False), "time of the first one"),
        (loss_with(lambda kept: (kept, (1 - kept) ** 0.5)), "that of x0's factor"),
        (loss_with(lambda kept: (kept**0.5, 1 - kept)), "that of the noise's factor"),
        (loss_with(lambda kept: (kept, (1 - kept**2) ** 0.5)), "took alpha_bar for alpha"),
        (simple_loss(reduce=torch.sum), "That is the sum"),
        (simple_loss(T=0), "T is len(alpha_bar) - 1"),
        (simple_loss(first=1), "indexed by t itself"),
        (simple_loss(swap=True), "roots are swapped"),
    ],
    "mean_from_noise": [
        (mean_from_noise(lambda x, e, b, a, k: (x - (1 - a).sqrt() * e) / a.sqrt()), "x0_hat"),
        (
            mean_from_noise(lambda x, e, b, a, k: (x - b / (1 - a).sqrt() * e) / a.sqrt()),
            "all steps so far",
        ),
        (
            mean_from_noise(lambda x, e, b, a, k: (x - b / (1 - a) * e) / k.sqrt()),
            "root is missing",
        ),
        (mean_from_noise(lambda x, e, b, a, k: (x - b.sqrt() * e) / k.sqrt()), "this step alone"),
        (mean_from_noise(lambda x, e, b, a, k: x - b / (1 - a).sqrt() * e), "before the bracket"),
        (mean_from_noise(lambda x, e, b, a, k: (x - b / (1 - a).sqrt() * e) * k.sqrt()), "divide"),
        (
            mean_from_noise(lambda x, e, b, a, k: (x + b / (1 - a).sqrt() * e) / k.sqrt()),
            "not added",
        ),
    ],
    "one_step_back": [
        (one_step(lambda r, a, b: variance(r, a, b)), "by the variance"),
        (one_step(lambda r, a, b: 0.0), "No noise was added"),
        (one_step(lambda r, a, b: variance(r, a, b).sqrt(), swapped=True), "swapped"),
        (one_step(silent_at_the_end), "noise of a forward step"),
        (
            one_step(lambda r, a, b: variance(r, a, b).sqrt() + (0.1 if b == 1 else 0)),
            "The last step",
        ),
        (noise_anew, "forgot x"),
        (one_time_back, "now - 1"),
    ],
    "alarm_for_copies": [
        (mean_alarm, "A mean hides them"),
        (smallest_alarm, "not their minimum"),
        (among_themselves_alarm, "near one another switch it off"),
        (wrong_axis_alarm, "one and the same training point"),
        (wrong_limit_alarm, "1 % quantile"),
        (turned_alarm, "turn < around"),
        (crowding_alarm, "near one another"),
        (lambda s, train, u: True, "rings always"),
        (lambda s, train, u: False, "no alarm although"),
    ],
    "fewer_steps": [
        ({4: 0.9, 10: 0.9, 25: 0.9}, "All three distances are the same"),
        ({4: 0.2, 10: 0.1, 25: 0.0}, "below what real digits reach"),
        ({4: 90.0, 10: 80.0, 25: 70.0}, "target='x0'"),
        ({4: 0.9, 10: 1.2, 25: 2.0}, "the distance should grow"),
        ({4: 1.8, 10: 1.03, 25: 0.71}, "the unseen digits are the reference"),
        ({4: 4.9, 10: 4.0, 25: 0.98}, "30 of each class"),
        ([1.9, 1.2, 0.9], "a dictionary"),
    ],
}


def test_exercises_are_proved():
    prove("diffusion/reverse-process.ipynb", module, WRONG)


def test_answers_in_another_form_are_welcome():
    right = [(1 / 6) ** 0.5, 0.0]
    assert module.noise_of_each_step(torch.tensor(right))
    assert module.noise_of_each_step(numpy.array(right))
    assert "Two numbers" in module.noise_of_each_step(torch.tensor(right[:1])).message
