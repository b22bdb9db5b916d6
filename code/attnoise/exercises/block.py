"""Checks of the chapter on the block."""

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if, tensor_of

COUNT_APART = "Count attention, the MLP and the norms apart, with their biases: one of them is off."


@exercise(
    1,
    "A norm by hand",
    level="trace",
    minutes=5,
    asks=numbers("first number", "second number", "third number", "fourth number"),
)
def norm_by_hand(my_norm):
    my_norm, token = torch.as_tensor(my_norm).squeeze(), torch.tensor([1.0, 3.0, 5.0, 7.0])
    reject_if(my_norm.shape != (4,), "Four numbers go in, four come out.")
    centred = token - 4
    near = {"tolerance": 0.01}
    reject(
        my_norm, centred, "You subtracted the mean; now divide by the standard deviation.", **near
    )
    reject(my_norm, centred / 5, "You divided by the variance; its root is asked for.", **near)
    sample = centred / (20 / 3) ** 0.5
    reject(my_norm, sample, "The variance is a mean of squares: divide by 4, not by 3.", **near)
    rms = token / token.square().mean().sqrt()
    reject(my_norm, rms, "That is RMS norm: layer norm subtracts the mean first.", **near)
    reject(my_norm, -centred / 5**0.5, "The signs are turned: subtract the mean from x.", **near)
    coarse = (centred / 5**0.5 * 10).round() / 10
    reject(my_norm, coarse, "Two decimals are asked for, as in -1.34.", **near)
    expect(my_norm, centred / 5**0.5, "Subtract the mean, divide by the root of 5.", **near)
    return "Mean 0, mean square 1, whatever the token was."


@exercise(2, "RMS norm", level="code", minutes=10)
def rms_norm(my_rms_norm):
    x, gain, eps = 2 * draw(2, 3, 5) + 1, draw(5, seed=1), 0.1
    square = x.square().mean(dim=-1, keepdim=True)
    got = call(my_rms_norm, x, gain, eps)
    reject(got, x / (square + eps).sqrt(), "The gain is missing.")
    reject(got, gain * x / (square.sqrt() + eps), "eps stands under the root, not beside it.")
    reject(got, gain * x / square.sqrt(), "Your function ignores eps: a token of zeros gives NaN.")
    reject(
        got,
        gain * x / (x.square().sum(dim=-1, keepdim=True) + eps).sqrt(),
        "You took the sum of squares; the mean keeps the size the same at any width.",
    )
    reject(got, gain * x / (square + eps), "You divided by the mean square; its root is asked for.")
    whole = x.square().mean()
    reject(
        got,
        gain * x / (whole + eps).sqrt(),
        "One number for the whole batch: each token has a root mean square of its own.",
    )
    centred = x - x.mean(dim=-1, keepdim=True)
    layer = gain * centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    reject(got, layer, "That is layer norm: RMS norm leaves the mean where it is.")
    over_tokens = x.square().mean(dim=1, keepdim=True)
    reject(
        got,
        gain * x / (over_tokens + eps).sqrt(),
        "You averaged over the tokens, dim=1: a token's own numbers lie on the last axis.",
    )
    root = (square + eps).sqrt()
    reject(got, gain + x / root, "The gain multiplies; you added it.")
    reject(got, gain * x * root, "Divide by the root mean square; you multiplied by it.")
    reject(got, x / (gain * root), "The gain multiplies; you divided by it.")
    expect(got, gain * x / root, "gain times x over the root of mean(x^2) + eps.")
    return "A token keeps its direction and loses its length."


@exercise(3, "A block of your own", level="code", minutes=15)
def pre_norm_block(my_block):
    x, mixing, bending = draw(2, 3, 5), draw(3, 3, seed=1), draw(5, 5, seed=2)

    def attend(y):
        return torch.einsum("nm,bmd->bnd", mixing, y)

    def mlp(y):
        return (y @ bending).relu()

    def norm_1(y):
        return y / (1 + y.norm(dim=-1, keepdim=True))

    def norm_2(y):
        return 2 * y / (2 + y.norm(dim=-1, keepdim=True))

    middle, bare, outside = x + attend(norm_1(x)), x + attend(x), x + norm_1(attend(x))
    right = middle + mlp(norm_2(middle))
    post, start = norm_1(bare), norm_1(x)
    replaced = norm_2(start + attend(start))
    mistakes = (
        (norm_2(post + mlp(post)), "That is post-norm: the norm stands before each half."),
        (mlp(norm_2(attend(norm_1(x)))), "The plus signs are missing: each half adds."),
        (middle + mlp(norm_2(x)), "The MLP reads the old stream: let it see what attention added."),
        (bare + mlp(norm_2(bare)), "The first norm is missing."),
        (middle + mlp(middle), "The second norm is missing."),
        (bare + mlp(bare), "Both norms are missing: each half reads a normalised stream."),
        (mlp(norm_2(middle)), "The second plus sign is missing: the MLP adds, too."),
        (x + mlp(norm_2(middle)), "What attention added is lost: add to the new stream."),
        (outside + norm_2(mlp(outside)), "You normalised the answers, not what goes into a half."),
        (replaced + mlp(replaced), "You replaced the stream by its norm: only inputs get one."),
    )
    first_lost, other_order = attend(start), x + mlp(norm_1(x))
    mistakes += (
        (first_lost + mlp(norm_2(first_lost)), "The first plus sign is missing: attention adds."),
        (middle, "That is the first half: the MLP has to add, too."),
        (middle + mlp(norm_1(middle)), "Each half has a norm of its own: the MLP takes norm_2."),
        (
            other_order + attend(norm_2(other_order)),
            "The halves are in the wrong order: attention first, then the MLP.",
        ),
        (norm_2(right), "The stream leaves as it is: no norm after the last sum."),
    )
    got = call(my_block, x, attend, mlp, norm_1, norm_2)
    for wrong, why in mistakes:
        reject(got, wrong, why)
    expect(got, right, "x = x + attend(norm_1(x)), then x = x + mlp(norm_2(x)).")
    return "Two lines, two plus signs: this is the whole block."


@exercise(4, "Count", level="derive", minutes=10)
def count(my_count):
    for d in pick((7, 64), ((5, 48), (9, 32), (11, 96))):
        got, right = call(my_count, d), 12 * d * d + 13 * d
        reject(got, 12 * d * d, "Those are the matrices; biases and norms are missing.")
        reject(got, 12 * d * d + 9 * d, "The two norms are missing: a gain and a shift each.")
        reject(got, 12 * d * d + 11 * d, "There are two norms, with 2 d numbers each.")
        reject(got, 12 * d * d + 4 * d, "The biases are missing: 4 d in attention, 5 d in the MLP.")
        reject(got, 12 * d * d + 8 * d, "The biases of the MLP are missing: 4 d, then d.")
        reject(
            got, 11 * d * d + 12 * d, "Attention has four matrices: query, key, value and output."
        )
        reject(got, 6 * d * d + 10 * d, "The MLP is 4 d wide inside: each matrix has 4 d^2.")
        reject(got, right + 2 * d, "There are two norms; the last one belongs to the stack.")
        expect(got, right, COUNT_APART, tolerance=1e-9)
    return "12 d^2 + 13 d: for any width that matters, the matrices are nearly all of it."


@exercise(5, "How deep, how large", level="derive", minutes=10)
def stream_size(my_sizes):
    others = (((9, 0.4), (36, 0.2)), ((25, 0.3), (50, 0.15)), ((12, 0.6), (30, 0.25)))
    for N, s in pick(((16, 0.5), (48, 0.1)), others):
        answer = tensor_of(call(my_sizes, N, s))
        pair = isinstance(answer, torch.Tensor | tuple | list) and len(answer) == 2
        reject_if(not pair, "Return two numbers: the size, and the s for root 2.")
        size, wanted = answer
        reject(size, 1 + N * s**2, "That is the variance; its root is the standard deviation.")
        reject(size, 1 + N * s, "Standard deviations do not add up; variances do.")
        reject(
            size, (N * s**2) ** 0.5, "The stream enters with size 1: its variance counts as well."
        )
        reject(size, 1 + N**0.5 * s, "You added 1 outside the root: add variances, then take it.")
        reject(size, N**-0.5, "The order is turned: first the size, then the s.")
        expect(size, (1 + N * s**2) ** 0.5, "Root of 1 + N s^2.")
        reject(wanted, (2 / N) ** 0.5, "The stream's own 1 is missing in 1 + N s^2 = 2.")
        reject(wanted, (2 * N) ** -0.5, "N counts halves here, not blocks: N s^2 = 1.")
        reject(wanted, 1 / N, "1 + N s^2 = 2 asks for s^2 = 1 / N; take the root.")
        expect(wanted, N**-0.5, "Solve 1 + N s^2 = 2 for s.")
    return "The root of N is where GPT-2's initialisation comes from."
