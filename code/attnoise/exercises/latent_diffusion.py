"""Checks for the chapter `latent/latent-diffusion`."""

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if


@exercise(
    1,
    "Tokens",
    level="trace",
    minutes=5,
    asks=numbers("tokens in pixels", "tokens in latents", "times fewer pairs"),
)
def tokens(my_tokens):
    reject_if(
        not isinstance(my_tokens, (tuple, list)) or len(my_tokens) != 3,
        "Three numbers are asked for: tokens in pixels, tokens in latents, times fewer pairs.",
    )
    pixels, latents, pairs = (float(x) for x in my_tokens)
    reject(pixels, 512**2, "A patch of 2 x 2 pixels is one token.")
    reject(pixels, 256, "That is one row of tokens; a picture has as many rows.")
    reject(latents, 64**2, "Latents are cut into patches of 2, too.")
    reject(latents, 32, "That is one row of tokens; a latent has as many rows.")
    reject(pairs, 64, "That is how many times fewer tokens there are; pairs are squared.")
    reject(pairs, 1 / 4096, "The other way round: pixels have more pairs.")
    expect((pixels, latents, pairs), (65536.0, 1024.0, 4096.0), "256 x 256, 32 x 32, 64 squared.")
    return "64 times fewer tokens, 4,096 times fewer pairs."


@exercise(2, "A wrong scale is another time", level="derive", minutes=15)
def another_time(my_time):
    t, s = pick(0.4, (0.3, 0.5, 0.6, 0.7)), pick(3.0, (2.0, 4.0, 5.0), seed=1)
    got = float(call(my_time, t, s))
    reject(got, t * s, "The ratio is (1 - t) s / t: both levels change with t.")
    reject(got, t / s, "The ratio is (1 - t) s / t: both levels change with t.")
    reject(
        got,
        s * t / (s * t + 1 - t),
        "Upside down: larger latents are less noisy, so t' must be smaller than t.",
    )
    ratio = (1 - t) * s / t
    reject(got, ratio, "That is the ratio of signal to noise; solve (1 - t') / t' = ratio.")
    reject(got, 1 / ratio, "One over the ratio is t' / (1 - t'), not yet t'.")
    reject(got, ratio / (1 + ratio), "That is 1 - t', the level of the signal.")
    expect(got, t / (t + s * (1 - t)), "t' = 1 / (1 + (1 - t) s / t).")
    late, small = pick((0.7, 0.1), ((0.6, 0.2), (0.3, 0.4), (0.8, 0.3)), seed=2)
    why = f"Right for s = {s:g}, but not for s = {small}."
    expect(float(call(my_time, late, small)), late / (late + small * (1 - late)), why)
    return "A scale shifts time, as the shift of a schedule does."


@exercise(3, "The loss in the latent", level="code", minutes=15)
def loss_in_the_latent(my_loss):
    images, weight = draw(3, 2, 7, 7), torch.tensor(0.5, requires_grad=True)
    t, noise = torch.tensor([0.2, 0.5, 0.9]), draw(3, 2, 7, 7, seed=1)
    own = torch.tensor(1.5, requires_grad=True)
    seen = []

    def encode(x):
        return weight * x

    def network(x_t, t):
        seen.append((x_t.detach().clone(), t))
        return own * x_t + t[:, None, None, None]

    got = call(my_loss, network, encode, images, t, noise)
    reject_if(not seen, "The network was never asked.")
    x_t, z, level = seen[-1][0], (weight * images).detach(), t[:, None, None, None]
    answer = own.detach() * x_t + level
    reject_if(
        torch.allclose(x_t, level * z + (1 - level) * noise, atol=1e-5),
        "Time runs the other way: at t = 0 there are data, at t = 1 noise.",
    )
    reject_if(
        torch.allclose(x_t, (1 - level) * images + level * noise, atol=1e-5),
        "Noise was added to the pictures; they must be encoded first.",
    )
    reject_if(
        torch.allclose(x_t, weight * ((1 - level) * images + level * noise), atol=1e-5),
        "Noisy pictures were encoded; encode clean ones, then add noise to the latent.",
    )
    for target, hint in (
        (z - noise, "The velocity points from data to noise: noise - z."),
        (noise, "That is the error of the noise; the network predicts a velocity here."),
        (z, "That is the error of the latent; the network predicts a velocity here."),
        (noise - images, "The velocity starts at the latent, not at the picture."),
    ):
        reject(got, (answer - target).square().mean(), hint)
    right = (answer - (noise - z)).square()
    reject(got, right.sum(), "The mean of the squares, not their sum.")
    expect(got, right.mean(), "Encode, mix with noise, compare with noise - z.")
    loss = my_loss(network, encode, images, t, noise)  # once more, for its gradients
    reject_if(not loss.requires_grad, "The number is right, but the network cannot learn from it.")
    slopes = torch.autograd.grad(loss, (own, weight), allow_unused=True)
    reached = "The number is right, but the gradient reaches the encoder: it would change the task."
    reject_if(slopes[1] is not None, reached)
    return "The network learns, the encoder rests."


@exercise(4, "Decode once", level="code", minutes=15)
def decode_once(my_draw):
    noise, steps, decoded, times = draw(3, 2, 5, 5), 4, [], []

    def network(x, t):
        reject_if(
            not isinstance(t, torch.Tensor) or t.shape != (3,), "`t` must have shape (3,) here."
        )
        times.append(float(t[0]))
        return x * t[:, None, None, None] + 1

    def decode(x):
        decoded.append(x.clone())
        return 10 * x

    def sampled(order, sign=-1.0, width=1 / steps):
        x = noise
        for k in order:
            x = x + sign * width * (x * (1 - k / steps) + 1)
        return 10 * x

    got = call(my_draw, network, decode, noise, steps)
    reject_if(
        len(decoded) > 1,
        f"The decoder was called {len(decoded)} times; once, at the end, is enough.",
    )
    reject_if(not decoded, "The last latent must be decoded.")
    reject(got, sampled(range(steps), 1.0), "Time falls, so the velocity is subtracted.")
    reject(got, sampled(range(steps), width=1.0), "Each step goes 1 / steps of the way.")
    reject(got, sampled(range(1, steps + 1)), "A step is taken with the velocity at its start.")
    reject(
        got,
        sampled(reversed(range(steps))),
        "Start at time 1, where there is noise, and go down to 0.",
    )
    reject_if(
        len(times) != steps, f"{steps} steps ask the network {steps} times, not {len(times)}."
    )
    expect(got, sampled(range(steps)), "x - velocity / steps, at times 1, 1 - 1/steps, ...")
    return "Four calls of the network in the latent, one of the decoder."


@exercise(5, "When does it pay?", level="derive", minutes=10)
def when_does_it_pay(my_break_even):
    others = ((720.0, 3.0, 9.0), (440.0, 1.0, 5.0), (990.0, 4.0, 13.0))
    once, latent, pixels = pick((600.0, 2.0, 8.0), others)
    got, right = float(call(my_break_even, once, latent, pixels)), once / (pixels - latent)
    reject(got, once / pixels, f"The latent's own cost goes on, too: {latent:g} for each picture.")
    reject(got, once / latent, "What is saved per picture is the difference of both costs.")
    reject(got, once / (latent + pixels), "The difference of both costs, not their sum.")
    reject(got, -right, "Negative? What is saved is pixels - latent.")
    expect(got, right, "once + n latent = n pixels.")
    bill = pick((50.0, 1.0, 6.0), ((70.0, 2.0, 7.0), (90.0, 3.0, 9.0), (44.0, 1.0, 5.0)), seed=1)
    right = bill[0] / (bill[2] - bill[1])
    expect(float(call(my_break_even, *bill)), right, "Right for one bill only.")
    return "Before that, pixels are cheaper; after it, every picture saves."
