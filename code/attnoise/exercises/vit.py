"""Checks for the chapter `transformers/vit`."""

from functools import cache

import torch

from ..data import load_mnist
from ..training.checkpoints import load_checkpoint
from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if

PLACES, HIDDEN, BLIND_LIMIT = 49, 6, 0.8


@exercise(
    1,
    "How long is the sentence?",
    level="trace",
    minutes=5,
    asks=numbers("tokens", "numbers in a patch"),
)
def sentence_length(my_shape):
    reject(my_shape, (196, 768), "The class token is missing: the blocks see it as well.")
    reject(my_shape, (15, 768), "That is one row of patches; the image has as many columns.")
    reject(my_shape, (197, 256), "A colour image has three numbers for each pixel.")
    reject(my_shape, (196, 256), "Two slips: no class token, and one channel instead of three.")
    reject(my_shape, (197, 48), "A patch has a height, too: 16 rows of 16 pixels.")
    reject(my_shape, (768, 197), "Right numbers, wrong order: the tokens come first.")
    expect(my_shape, (197, 768), "224 / 16 patches in each direction, and one token more.")
    return "197 tokens of 768 numbers: 'an image is worth 16 x 16 words', and one that is no patch."


@exercise(2, "Cut", level="code", minutes=15)
def cut_patches(my_patches):
    p, images = 5, draw(2, 3, 10, 35)
    got = call(my_patches, images, p)
    cut = images.unfold(2, p, p).unfold(3, p, p)  # b c i j p q
    right = cut.permute(0, 2, 3, 1, 4, 5).reshape(2, 14, 75)
    reject(
        got,
        images.reshape(2, 14, 75),
        "You reshaped without moving an axis: that cuts rows of pixels, not squares.",
    )
    reject(
        got,
        cut.reshape(2, 14, 75),
        "After unfolding the channels still stand before the places: permute first.",
    )
    reject(
        got,
        cut.permute(0, 3, 2, 1, 4, 5).reshape(2, 14, 75),
        "Your patches are read by columns; a page is read row by row.",
    )
    reject(
        got,
        cut.permute(0, 2, 3, 1, 5, 4).reshape(2, 14, 75),
        "Each patch is transposed: its pixels should come row by row, too.",
    )
    reject(
        got,
        cut.permute(0, 2, 3, 4, 5, 1).reshape(2, 14, 75),
        "Within a patch the channels come last in your version; they should come first.",
    )
    expect(got, right, "Two patches high and seven wide: n = 14 patches of 3 * 5 * 5 numbers.")
    return "Every pixel in its patch, every patch in its place: the same cut as with `reshape`."


@exercise(3, "Roll-out", level="code", minutes=10)
def rollout(my_rollout):
    weights = draw(3, 2, 7, 7).softmax(dim=-1)
    got = call(my_rollout, weights)
    identity, (first, second, third) = torch.eye(7), weights.mean(dim=1)
    mixed = [(layer + identity) / 2 for layer in (first, second, third)]
    reject(
        got,
        third @ second @ first,
        "The identity is missing: half of what a block passes on is its input.",
    )
    reject(
        got,
        mixed[0] @ mixed[1] @ mixed[2],
        "The order is reversed: the first block acts first, so it stands on the right.",
    )
    reject(
        got,
        8 * mixed[2] @ mixed[1] @ mixed[0],
        "Your rows sum to 8: halve the sum of weights and identity, in each block.",
    )
    reject(
        got,
        sum(mixed) / 3,
        "You averaged the blocks. Each one mixes what the earlier ones have mixed: multiply.",
    )
    reject(
        got,
        (third + identity) / 2,
        "That is the last block alone; start from what the earlier ones have made.",
    )
    expect(
        got, mixed[2] @ mixed[1] @ mixed[0], "Mean over heads; half identity; multiply from left."
    )
    return "Each row is a set of shares: where the last block's token could have come from."


def cost(n: int, d: int) -> int:
    """Return the multiplications of one block for n tokens of width d."""
    return 12 * n * d**2 + 2 * n**2 * d


@exercise(4, "The price of small patches", level="derive", minutes=15)
def price_of_patches(my_cost):
    def close(value):
        return {"wrong": float(value), "tolerance": 1e-6}

    image, p, d = pick((28, 4, 80), ((32, 4, 72), (35, 5, 56), (24, 3, 40)))
    got, n = float(call(my_cost, image, p, d)), (image // p) ** 2
    reject(
        got, **close(cost(image // p, d)), why="n counts both directions: (image_size / p) squared."
    )
    reject(got, **close(12 * n * d**2), why="Attention itself is missing: scores and averages.")
    reject(
        got,
        **close(cost(n, d) - n**2 * d),
        why="Scores *and* weighted sums: each of them costs n squared times d.",
    )
    reject(
        got, **close(cost(n + 1, d)), why="With mean pooling there is no class token: n patches."
    )
    reject(got, **close(cost(n, d) - n * d**2), why="Attention has a fourth layer: the output's.")
    reject(got, **close(2 * cost(n, d)), why="Twice too many: additions are not to be counted.")
    reject(
        got, **close(2 * n**2 * d), why="The linear layers are missing; here they cost far more."
    )
    reject(
        got,
        **close(cost(n, d) - 8 * n * d**2),
        why="The MLP is missing: d to 4 d and back is eight times d squared for each token.",
    )
    reject(got, **close(cost(n, d) - 4 * n * d**2), why="The MLP leads back, too: 4 d to d.")
    reject(
        got, **close(12 * n * d**2 + 2 * n**2), why="A pair of tokens costs d products, not one."
    )
    reject(
        got, **close(12 * n * d**2 + 2 * n * d), why="Every query meets every key: n squared pairs."
    )
    expect(
        got,
        float(cost(n, d)),
        "Per token: 4 d^2 in attention and 8 d^2 in the MLP; per pair of tokens: 2 d.",
        tolerance=1e-6,
    )
    other = pick((28, 2, 64), ((30, 3, 48), (40, 4, 32), (36, 3, 24)), seed=1)
    right = float(cost((other[0] // other[1]) ** 2, other[2]))
    why = f"Right for {image}, {p} and {d}, but not for {other[0]}, {other[1]} and {other[2]}: "
    expect(float(call(my_cost, *other)), right, f"{why}use the arguments.", tolerance=1e-6)
    ratio = cost(196, 64) / cost(49, 64)
    return f"Width 64, half the patch side: {ratio:.1f} times as much; 4 for layers, 16 for pairs."


@cache
def _setting():
    model, _ = load_checkpoint("vit-mnist")
    images, labels = load_mnist("test")
    rows = torch.arange(len(labels))
    rows = rows[rows % 10 < 3]  # the file is sorted by digit: 30 of each
    return model, images[rows], labels[rows]


@torch.no_grad()
def accuracy_without(places) -> float:
    """Return the checkpoint's accuracy on 300 test images if it may not look at some places.

    Args:
        places: Numbers of patches from 0 to 48, row by row; these are left out of the sentence.
    """
    model, images, labels = _setting()
    keep = torch.tensor([place for place in range(PLACES) if place not in set(places)])
    seen = model.encode(images, keep.expand(len(images), -1))
    return float((model.head(seen.mean(dim=1)).argmax(dim=1) == labels).float().mean())


@exercise(5, "The blind spot", level="explore", minutes=20)
def blind_spot(my_places):
    places = sorted(int(place) for place in my_places)
    reject_if(
        len(set(places)) != HIDDEN or not all(0 <= place < PLACES for place in places),
        f"The answer is six different places from 0 to 48, but it is {tuple(places)}.",
    )
    left = accuracy_without(places)
    rows, columns = ({place // 7 for place in places}, {place % 7 for place in places})
    border = all(place // 7 in (0, 6) or place % 7 in (0, 6) for place in places)
    reject_if(
        left >= BLIND_LIMIT and border,
        f"{left:.2f} is left: the border is blank paper in nearly every image.",
    )
    reject_if(
        left >= BLIND_LIMIT and (len(rows) == 1 or len(columns) == 1),
        f"{left:.2f} is left. A line of patches cuts the strokes once; what is above and below it, "
        "or left and right, still tells most digits.",
    )
    reject_if(
        left >= BLIND_LIMIT,
        f"{left:.2f} is left; it can fall below {BLIND_LIMIT}. Which places differ most between "
        "digits?",
    )
    return f"Six of 49 places, and only {left:.1f} is left: digits differ in few places."
