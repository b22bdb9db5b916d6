"""The exercises of the chapter on latent diffusion: solutions pass, each mistake gets its reason."""

import torch
from tests.exercises.proof import prove

from attnoise.exercises import latent_diffusion as module


def loss(mix=None, target=lambda z, n, images: n - z, reduce=torch.mean, rest=True, late=False):
    def my_loss(network, encode, images, t, noise):
        share = t[:, None, None, None]
        z = encode(images).detach() if rest else encode(images)
        x_t = (1 - share) * z + share * noise if mix is None else mix(z, noise, share, images)
        x_t = encode(x_t).detach() if late else x_t
        return reduce((network(x_t, t) - target(z, noise, images)).square())

    return my_loss


def sample(sign=-1, width=None, order=lambda n: range(n), decode_each=False, shape=True, end=True):
    def my_draw(network, decode, noise, steps):
        x = noise
        for k in order(steps):
            t = torch.full((len(x),), 1 - k / steps) if shape else 1 - k / steps
            x = x + sign * network(x, t) * (1 / steps if width is None else width)
            decoded = decode(x) if decode_each else None
        return decoded if decode_each else decode(x) if end else x

    return my_draw


WRONG = {
    "tokens": [
        (65536, "Three numbers"),
        ((512**2, 1024, 4096), "A patch of 2 x 2"),
        ((256, 1024, 4096), "one row of tokens; a picture"),
        ((65536, 4096, 4096), "cut into patches"),
        ((65536, 32, 4096), "one row of tokens; a latent"),
        ((65536, 1024, 64), "pairs are squared"),
        ((65536, 1024, 1 / 4096), "other way round"),
        ((65536, 1024, 100), "256 x 256"),
    ],
    "another_time": [
        (lambda t, s: t * s, "both levels"),
        (lambda t, s: s * t / (s * t + 1 - t), "Upside down"),
        (lambda t, s: (1 - t) * s / t, "ratio of signal to noise; solve"),
        (lambda t, s: t / ((1 - t) * s), "One over"),
        (lambda t, s: s * (1 - t) / (t + s * (1 - t)), "level of the signal"),
        (lambda t, s: 0.1818182, "Right for s = 3"),
        (lambda t, s: 0.5, "t' = 1 /"),
    ],
    "loss_in_the_latent": [
        (lambda network, encode, images, t, noise: torch.tensor(1.0), "never asked"),
        (loss(lambda z, n, s, x: s * z + (1 - s) * n), "other way: at t = 0"),
        (loss(lambda z, n, s, x: (1 - s) * x + s * n), "must be encoded first"),
        (loss(lambda z, n, s, x: (1 - s) * x + s * n, late=True), "Noisy pictures were encoded"),
        (loss(target=lambda z, n, x: z - n), "points from data"),
        (loss(target=lambda z, n, x: n), "error of the noise"),
        (loss(target=lambda z, n, x: z), "error of the latent"),
        (loss(target=lambda z, n, x: n - x), "not at the picture"),
        (loss(reduce=torch.sum), "not their sum"),
        (loss(rest=False), "reaches the encoder"),
        (lambda *inputs: loss()(*inputs).detach(), "cannot learn"),
        (loss(target=lambda z, n, x: n + z), "Encode, mix"),
    ],
    "decode_once": [
        (sample(decode_each=True), "called 4 times"),
        (sample(end=False), "must be decoded"),
        (sample(shape=False), "must have shape (3,)"),
        (sample(sign=1), "subtracted"),
        (sample(width=1.0), "1 / steps of the way"),
        (sample(order=lambda n: range(1, n + 1)), "at its start"),
        (sample(order=lambda n: range(n)[::-1]), "where there is noise"),
        (sample(order=lambda n: range(n - 1)), "not 3"),
        (sample(width=0.3), "x - velocity / steps"),
    ],
    "when_does_it_pay": [
        (lambda once, latent, pixels: once / pixels, "goes on, too"),
        (lambda once, latent, pixels: once / latent, "difference of both costs."),
        (lambda once, latent, pixels: once / (latent + pixels), "not their sum"),
        (lambda once, latent, pixels: once / (latent - pixels), "Negative?"),
        (lambda once, latent, pixels: 100.0, "one bill only"),
        (lambda once, latent, pixels: 7.0, "once + n latent"),
    ],
}


def test_exercises_are_proved():
    prove("latent/latent-diffusion.ipynb", module, WRONG)
