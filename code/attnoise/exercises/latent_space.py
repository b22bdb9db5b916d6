"""Checks for the chapter `latent/latent-space`."""

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if


@exercise(1, "How long is the middle?", level="derive", minutes=10)
def how_long(my_length):
    n, s = pick(100, (64, 144, 225, 400)), pick(0.3, (0.1, 0.2, 0.4), seed=1)
    got, part = float(call(my_length, n, s)), (1 - s) ** 2 + s**2
    # By chance two more mistakes give this number: to add the lengths, and to take n for the
    # product of two draws.
    reject(got, n**0.5, "That is the length of a draw; a point between two is shorter.")
    reject(got, part * n, "That is the squared length: take the root.")
    reject(got, (n / 2) ** 0.5, f"Right for the middle only; s = {s} lies nearer to one of them.")
    why = f"The squares add up to {part:.2f} of n; the root goes over both."
    reject(got, part * n**0.5, why)
    expect(got, (part * n) ** 0.5, "The root of ((1 - s) squared + s squared) n.")
    n, s = pick((256, 0.5), ((324, 0.25), (196, 0.35), (81, 0.15)), seed=2)
    right = (((1 - s) ** 2 + s**2) * n) ** 0.5
    expect(float(call(my_length, n, s)), right, "Right for one case only: use n and s.")
    return "A dent of 30 % in the middle, whatever n is: the shell is left."


@exercise(2, "An arc", level="code", minutes=15)
def an_arc(my_slerp):
    a, s = 0.4 * draw(7), 0.3  # short: acos(a @ b) must exist
    b = 0.2 * draw(7, seed=1) + 0.3 * a  # never at right angles: a sine of 1 would hide a mistake
    got = call(my_slerp, a, b, s)

    def arc(angle, first=1 - s, second=s):
        return (torch.sin(first * angle) * a + torch.sin(second * angle) * b) / torch.sin(angle)

    angle = torch.acos(a @ b / (a.norm() * b.norm()))
    reject(got, (1 - s) * a + s * b, "That is the straight line.")
    reject(got, arc(angle, s, 1 - s), "s = 0 must give a: the weights are exchanged.")
    reject(
        got,
        arc(angle) * torch.sin(angle),
        "Both weights must be divided by the sine of the angle.",
    )
    cosine = a @ b / (a.norm() * b.norm())
    reject(got, arc(cosine), "That is the cosine; acos makes an angle of it.")
    reject(
        got,
        arc(torch.acos((a @ b).clamp(-1, 1))),
        "Divide the product by both lengths before acos.",
    )
    expect(got, arc(angle), "sin((1 - s) w) / sin w times a, plus sin(s w) / sin w times b.")
    unit = torch.eye(7)[:2]
    expect(
        call(my_slerp, unit[0], unit[1], 0.5).norm(), torch.tensor(1.0), "Off the sphere half-way."
    )
    return "Between two vectors of one length, the whole arc has that length."


@exercise(3, "An analogy", level="code", minutes=5)
def an_analogy(my_analogy):
    a, b, c = (draw(5, seed=seed) for seed in range(3))

    def encode(x):
        return x**3

    def decode(z):
        return z.sign() * z.abs() ** (1 / 3)

    got = call(my_analogy, a, b, c, encode, decode)
    reject(got, c + b - a, "That is arithmetic with pixels: encode first.")
    reject(got, decode(encode(c) + encode(a) - encode(b)), "The step from a to b, not from b to a.")
    reject(got, encode(c) + encode(b) - encode(a), "That is still a latent: decode it.")
    reject(got, decode(encode(c + b - a)), "The sum was made of pixels, and then went through.")
    reject(got, decode(encode(b) - encode(a)), "Start from c.")
    expect(got, decode(encode(c) + encode(b) - encode(a)), "decode(c + b - a), in latents.")
    return "A step that is known from two pictures, taken from a third."


@exercise(4, "A direction", level="code", minutes=15)
def a_direction(my_direction):
    has = torch.tensor([True, False, True, True, False, False, True])
    latents = draw(7, 5) + has[:, None] * torch.tensor([2.0, 0.0, -1.0, 0.5, 0.0])
    got = call(my_direction, latents, has)
    difference = latents[has].mean(dim=0) - latents[~has].mean(dim=0)
    reject(got, difference, "The direction is right; give it length one.")
    reject(got, -difference / difference.norm(), "From without to with: the sign is turned.")
    sums = latents[has].sum(dim=0) - latents[~has].sum(dim=0)
    reject(got, sums / sums.norm(), "Sums depend on how many there are; take means.")
    alone = latents[has].mean(dim=0)
    reject(got, alone / alone.norm(), "Subtract what those without it look like.")
    overall = latents[has].mean(dim=0) - latents.mean(dim=0)
    reject_if(
        torch.allclose(torch.as_tensor(got, dtype=torch.float32), overall, atol=1e-5),
        "Give it length one, and compare with those without.",
    )
    reject(got, difference / difference.abs().sum(), "Length is the root of the sum of squares.")
    expect(got, difference / difference.norm(), "The difference of two means, over its norm.")
    return "The way from those without to those with it, and nothing said about why."


@exercise(5, "How far is chance?", level="derive", minutes=10, asks=numbers("standard deviations"))
def how_far_is_chance(my_deviations):
    got = float(my_deviations)
    reject(got, 0.15 / 16, "Divide by the standard deviation, 1/16, not by 16.")
    reject(got, 0.15 * 256, "The root of n: the standard deviation is 1 over 16, not over 256.")
    reject(got, 0.15, "That is the cosine itself; in units of 1/16 it is more.")
    expect(got, 2.4, "0.15 divided by 1/16.")
    return "2.4 deviations: unlikely by chance, if you looked at one pair and not at a hundred."
