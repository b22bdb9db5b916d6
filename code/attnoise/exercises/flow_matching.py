"""Checks for the chapter `diffusion/flow-matching`."""

import torch

from ..diffusion import pair_by_transport
from .fields import numbers
from .mechanism import call, draw, exercise, expect, reject, reject_if


@exercise(
    1,
    "On the line",
    level="trace",
    minutes=5,
    asks=numbers("x_t, first number", "x_t, second number", "u, first number", "u, second number"),
    build=lambda *four: (four[:2], four[2:]),
)
def on_the_line(my_point):
    got = tuple(my_point[0]) + tuple(my_point[1])
    reject(
        got,
        (-1.0, 3.0, -4.0, 4.0),
        "You counted from noise: at t = 1/4 three quarters of x0 are left.",
    )
    reject(got, (1.0, 1.0, 4.0, -4.0), "Right place, but u points from data to noise: eps - x0.")
    reject(
        got,
        (1.0, 1.0, -1.0, 1.0),
        "That is how far the point has moved; the speed is the whole way in time 1.",
    )
    reject(got, (0.0, 4.0, -4.0, 4.0), "The weights 1 - t and t add to one: x0 loses a quarter.")
    expect(got, (1.0, 1.0, -4.0, 4.0), "x_t = 3/4 x0 + 1/4 eps, and u = eps - x0.")
    return "A quarter of the way to the noise, at the speed of the whole line."


@exercise(2, "The loss", level="code", minutes=10)
def flow_loss(my_loss):
    x0, eps = draw(7, 3), draw(7, 3, seed=1)
    t = draw(7, seed=2).sigmoid()
    fraction = t[:, None]

    def model(x_t, t):
        return torch.sin(x_t) + t[:, None]

    x_t = (1 - fraction) * x0 + fraction * eps
    answer = model(x_t, t)
    got = call(my_loss, model, x0, eps, t)
    reject(got, (answer - (x0 - eps)).square().mean(), "The sign: u points to noise, eps - x0.")
    reject(got, (answer - eps).square().mean(), "That is noise prediction; the target is eps - x0.")
    reject(got, (answer - x0).square().mean(), "That predicts the sample; the target is eps - x0.")
    swapped = fraction * x0 + (1 - fraction) * eps
    reject(
        got,
        (model(swapped, t) - (eps - x0)).square().mean(),
        "x_t is mixed the wrong way round: at t = 0 it must be x0.",
    )
    reject(
        got,
        (answer - (eps - x0)).square().sum(dim=1).mean(),
        "Right but for a factor: take the mean over all numbers, not the sum over each sample.",
    )
    bent = (1 - fraction**2).sqrt() * x0 + fraction * eps
    reject(
        got,
        (model(bent, t) - (eps - x0)).square().mean(),
        "That x_t lies on the circle of diffusion; here the weights add to one.",
    )
    expect(got, (answer - (eps - x0)).square().mean(), "Mix, ask the model, compare with eps - x0.")
    return "The whole loss of rectified flow."


@exercise(3, "Both predictions", level="derive", minutes=15)
def both_predictions(my_predictions):
    x_t, u, t = draw(5, 3), draw(5, 3, seed=1), draw(5, 1, seed=2).sigmoid()
    got = torch.stack(list(call(my_predictions, x_t, u, t)))
    x0_hat, eps_hat = x_t - t * u, x_t + (1 - t) * u

    def expected(first, second, why):
        reject(got, torch.stack([first, second]), why)

    expected(eps_hat, x0_hat, "Both right, in the wrong order: x0_hat comes first.")
    expected(
        x_t + t * u,
        x_t - (1 - t) * u,
        "The signs: against u lie the data, along u lies noise.",
    )
    expected(
        x_t - (1 - t) * u,
        x_t + t * u,
        "The lengths have changed places: from x_t it is a time t to data.",
    )
    expected(x_t - u, x_t + u, "u is the way in time 1; x_t stands somewhere between.")
    expected(
        x_t - t * u,
        x_t - t * u + t * u,
        "The noise is missing its way: from x_t go on for the time 1 - t.",
    )
    expect(got, torch.stack([x0_hat, eps_hat]), "x0_hat = x_t - t u, eps_hat = x_t + (1 - t) u.")
    return "One answer of the network is all three: a velocity, a sample, a noise."


@exercise(4, "Follow the flow", level="code", minutes=15)
def follow_the_flow(my_sampler):
    x, times = draw(5, 2), [1.0, 0.7, 0.6, 0.1, 0.0]

    def velocity(x, t):
        return torch.cos(x) * (1 + t)

    def step(length, when):
        here = x
        for now, then in zip(times[:-1], times[1:], strict=True):
            here = here + length(now, then) * velocity(here, when(now, then))
        return here

    def start(now, then):
        return now

    got, right = call(my_sampler, velocity, x, times), step(lambda a, b: b - a, start)
    reject(
        got,
        step(lambda a, b: a - b, start),
        "You step away from the data: u points to noise, so each step is negative.",
    )
    reject(
        got,
        step(lambda a, b: -1 / (len(times) - 1), start),
        "Your steps are all alike; these times are not evenly spaced.",
    )
    reject(
        got,
        step(lambda a, b: -1 / len(times), start),
        "Five times make four steps, and they are not alike: use the times themselves.",
    )
    reject(
        got,
        step(lambda a, b: b - a, lambda a, b: b),
        "You asked for the velocity at the step's end; Euler asks where the step begins.",
    )
    reject(
        got,
        x + (times[-1] - times[0]) * velocity(x, times[0]),
        "That is one large step; stop at each of the times.",
    )
    expect(got, right, "x + (then - now) * velocity(x, now), for each pair of times in turn.")
    return "The sampler of every flow, in three lines."


@exercise(5, "A collision", level="explore", minutes=20)
def collision(my_pairs):
    x0, eps = (torch.as_tensor(part).double() for part in my_pairs)
    reject_if(
        tuple(x0.shape) != (2, 2) or tuple(eps.shape) != (2, 2),
        f"Two samples and two noises in the plane have shape (2, 2) each, but yours have "
        f"{tuple(x0.shape)} and {tuple(eps.shape)}.",
    )
    apart, noise_apart = x0[0] - x0[1], eps[0] - eps[1]
    reject_if(bool(apart.norm() < 1e-6), "Your samples are the same: a collision at t = 0 only.")
    reject_if(bool(noise_apart.norm() < 1e-6), "Your noises are the same: they meet at t = 1 only.")
    lengths = apart.norm(), noise_apart.norm()
    opposite = float(apart @ noise_apart / (lengths[0] * lengths[1]))
    reject_if(
        opposite > 1 - 1e-6,
        "From the first to the second, samples and noises lie in the same direction: the lines "
        "run side by side and never meet.",
    )
    met = float(lengths[0] / (lengths[0] + lengths[1]))  # the only time at which they could
    gap = ((1 - met) * apart + met * noise_apart).norm()
    reject_if(
        bool(gap > 1e-4),
        f"They are nearest at about t = {met:.2f}, still {float(gap):.2f} apart. To meet, the way "
        "between the noises must be exactly opposite to the way between the samples.",
    )
    same = torch.equal(pair_by_transport(x0, eps), eps)
    reject_if(same, "They meet, but transport would keep these pairs. Are two points the same?")
    return (
        f"They meet at t = {met:.2f}. The network answers with the mean of both velocities, and "
        "transport would have swapped the noises: such pairs never cost least."
    )
