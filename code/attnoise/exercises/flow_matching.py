"""Checks for the chapter `diffusion/flow-matching`."""

import torch

from ..diffusion import pair_by_transport
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if
from .values import number_of, tensor_of


def flat(answer):
    """Return all numbers of an answer in order, however they are nested; text counts as well."""
    answer = number_of(tensor_of(answer))
    if isinstance(answer, torch.Tensor):
        return [float(number) for number in answer.flatten()]
    if isinstance(answer, list | tuple):
        return [number for part in answer for number in flat(part)]
    return [answer]


@exercise(
    1,
    "On the line",
    level="trace",
    minutes=5,
    asks=numbers("x_t, first number", "x_t, second number", "u, first number", "u, second number"),
    build=lambda *four: (four[:2], four[2:]),
)
def on_the_line(my_point):
    got = flat(my_point)
    reject_if(
        len(got) != 4,
        f"Four numbers are asked for, two of x_t and two of u, but yours are {len(got)}.",
    )
    why = "You counted from noise: at t = 1/4 three quarters of x0 are left."
    reject(got, (-1.0, 3.0, -4.0, 4.0), why)
    reject(got, (1.0, 1.0, 4.0, -4.0), "Right place, but u points from data to noise: eps - x0.")
    reject(got, (-4.0, 4.0, 1.0, 1.0), "Both right, in the wrong order: the place comes first.")
    why = "That is how far the point has moved; the speed is the whole way in time 1."
    reject(got, (1.0, 1.0, -1.0, 1.0), why)
    reject(got, (0.0, 4.0, -4.0, 4.0), "The weights 1 - t and t add to one: x0 loses a quarter.")
    expect(got, (1.0, 1.0, -4.0, 4.0), "x_t = 3/4 x0 + 1/4 eps, and u = eps - x0.")
    return "A quarter of the way to the noise, at the speed of the whole line."


@exercise(2, "Any path", level="code", minutes=15)
def flow_loss(my_loss):
    x0, eps = draw(7, 3), draw(7, 3, seed=1)
    t, shapes = draw(7, seed=2).sigmoid(), []

    def model(x_t, t):
        shapes.append(tuple(t.shape))
        return torch.sin(x_t) + t.reshape(-1)[:, None]

    def path(t):
        return torch.cos(t), t**2, -torch.sin(t), 2 * t

    got = call(my_loss, model, x0, eps, t, path)
    reject_if(not shapes, "Your loss never asks the model.")
    reject_if(
        shapes[0] != (7,),
        f'The model got a t of shape {shapes[0]}; it wants one time for each sample, shape "b". '
        "Only the weights need a second axis.",
    )
    again = call(my_loss, model, x0, eps, t, path)
    reject_if(
        not torch.equal(torch.as_tensor(got), torch.as_tensor(again)),
        "Two calls with the same arguments differ: you draw noise or times anew inside. Use the "
        "ones that are given, for x_t and for the target.",
    )
    _check_loss(got, model, x0, eps, t, path(t))
    return "The loss of flow matching on any path: the proof did not need a straight one."


def _check_loss(got, model, x0, eps, t, levels):
    alpha, sigma, alpha_rate, sigma_rate = (part[:, None] for part in levels)
    answer, u = model(alpha * x0 + sigma * eps, t), alpha_rate * x0 + sigma_rate * eps

    def rejected(target, why, answer=answer):
        reject(got, (answer - target).square().mean(), why)

    rejected(eps - x0, "That u is the straight line's. Here both weights change at their own rate.")
    rejected(-u, "The sign: u is the rate at which x_t changes as t grows, towards noise.")
    rejected(eps, "That is noise prediction; the target is the velocity.")
    rejected(x0, "That predicts the sample; the target is the velocity.")
    why = "That target is the place x_t. The velocity has the rates of the weights in it."
    rejected(alpha * x0 + sigma * eps, why)
    swapped = model(sigma * x0 + alpha * eps, t)
    rejected(u, "x_t is mixed the wrong way round: alpha belongs to x0.", swapped)
    line = model((1 - t[:, None]) * x0 + t[:, None] * eps, t)
    rejected(u, "That x_t lies on the straight line; here the path gives the weights.", line)
    reject(
        got,
        (answer - u).square().sum(dim=1).mean(),
        "Right but for a factor: take the mean over all numbers, not the sum over each sample.",
    )
    expect(got, (answer - u).square().mean(), "Mix, ask the model, compare with the rate of x_t.")


@exercise(3, "Both predictions", level="derive", minutes=15)
def both_predictions(my_predictions):
    x_t, u, t = draw(5, 3), draw(5, 3, seed=1), draw(5, 1, seed=2).sigmoid()
    got = call(my_predictions, x_t, u, t)
    reject_if(len(got) != 2, f"Return two tensors, x0_hat and eps_hat; yours has {len(got)} parts.")
    got = torch.stack([torch.as_tensor(part) for part in got])
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
    expected(
        x0_hat, x0_hat - u, "x0_hat is right; from there to the noise you go along u, not back."
    )
    expect(got, torch.stack([x0_hat, eps_hat]), "x0_hat = x_t - t u, eps_hat = x_t + (1 - t) u.")
    return "One answer of the network is all three: a velocity, a sample, a noise."


@exercise(4, "Follow the flow", level="code", minutes=15)
def follow_the_flow(my_sampler):
    x = draw(5, 2)
    times = pick([1.0, 0.7, 0.6, 0.1, 0.0], [[1.0, 0.8, 0.5, 0.2, 0.0], [1.0, 0.9, 0.4, 0.3, 0.0]])

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
    states = len(got) if isinstance(got, list | tuple) else 0
    states = len(got) if isinstance(got, torch.Tensor) and got.ndim == 3 else states
    reject_if(states, f"You return {states} states; return only the last, the samples.")
    why = "You step away from the data: u points to noise, so each step is negative."
    reject(got, step(lambda a, b: a - b, start), why)
    why = "Your steps are all alike; these times are not evenly spaced."
    reject(got, step(lambda a, b: -1 / (len(times) - 1), start), why)
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
    reject(
        got,
        _heun(velocity, x, times),
        "That is Heun's method, which asks twice a step; Euler asks once.",
    )
    expect(got, right, "x + (then - now) * velocity(x, now), for each pair of times in turn.")
    return "The sampler of every flow, in three lines."


def _heun(velocity, x, times):
    for now, then in zip(times[:-1], times[1:], strict=True):
        first = velocity(x, now)
        x = x + (then - now) * (first + velocity(x + (then - now) * first, then)) / 2
    return x


@exercise(5, "A collision", level="explore", minutes=20)
def collision(my_collision):
    reject_if(
        len(my_collision) != 3,
        f"Three parts are asked for, x0, eps and u_hat; yours has {len(my_collision)}.",
    )
    x0, eps, u_hat = (torch.as_tensor(flat(part), dtype=torch.float64) for part in my_collision)
    reject_if(
        len(x0) != 4 or len(eps) != 4 or len(u_hat) != 2,
        "Two samples, two noises and one velocity in the plane have 4, 4 and 2 numbers, but yours "
        f"have {len(x0)}, {len(eps)} and {len(u_hat)}.",
    )
    x0, eps = x0.reshape(2, 2), eps.reshape(2, 2)
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
    _check_prediction(u_hat, x0, eps, met)
    return (
        f"They meet at t = {met:.2f}. The network answers with the mean of both velocities, and "
        "transport would have swapped the noises: such pairs never cost least."
    )


def _check_prediction(u_hat, x0, eps, met):
    each, place = eps - x0, (1 - met) * x0[0] + met * eps[0]
    if not torch.allclose(
        u_hat, each.mean(0), atol=1e-3
    ):  # with symmetric pairs it is 0, as others
        one = (
            "They meet. But the network cannot know which of the lines it is on, so one of the two "
        )
        reject(u_hat, each[0], one + "is right half of the time only; yours is the first line's.")
        reject(u_hat, each[1], one + "is right half of the time only; yours is the second line's.")
        reject(u_hat, each.sum(0), "They meet. But you added the two velocities: take their mean.")
        reject(u_hat, place, "They meet. But that is the place; the network predicts a velocity.")
        reject(u_hat, -each.mean(0), "They meet. But u points from data to noise: eps - x0.")
    why = "They meet. What single answer has the least squared error there?"
    expect(u_hat, each.mean(0), why, tolerance=1e-3)
