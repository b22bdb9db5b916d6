"""The exercises of the chapter on text to image: solutions pass, mistakes are told apart."""

import torch
from tests.exercises.proof import prove
from torch.nn import functional as F

from attnoise.exercises import text_to_image as module


def weights(scale=None, fill=-torch.inf, turn=False, after=False, dim=-1, soft=True):
    def my_weights(queries, keys, is_word):
        scores = queries @ keys.T / (queries.shape[-1] ** 0.5 if scale is None else scale)
        mask = is_word if turn else ~is_word
        if after:
            return scores.softmax(dim=dim) * is_word
        scores = scores.masked_fill(mask, fill) if fill is not None else scores
        return scores.softmax(dim=dim) if soft else scores

    return my_weights


def velocity(combine, calls=1, silent_token=0):
    def my_velocity(model, x, t, tokens, scale):
        none = torch.full_like(tokens, silent_token)
        if calls == 2:
            conditional, unconditional = model(x, t, tokens), model(x, t, none)
        else:
            both = torch.cat([tokens, none])
            conditional, unconditional = model(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return combine(conditional, unconditional, scale)

    return my_velocity


def right(conditional, unconditional, scale):
    return unconditional + scale * (conditional - unconditional)


def contrast(logits=lambda p, c, f: f * p @ c.T, total=lambda a, b: (a + b) / 2):
    def my_contrast(pictures, captions, factor):
        scores = logits(pictures, captions, factor)
        own = torch.arange(len(scores))
        return total(F.cross_entropy(scores, own), F.cross_entropy(scores.T, own))

    return my_contrast


def patched(index, swap=False):
    def my_patch(words, other, position):
        words, other = (other, words) if swap else (words, other)
        mixed = words.clone()
        where = index(position)
        mixed[where] = other[where]
        return mixed

    return my_patch


def spoil(words, other, position):
    words[:, position] = other[:, position]
    return words


WRONG = {
    "places_ask": [
        (weights(fill=None), "Padding is attended to"),
        (weights(after=True), "after the softmax"),
        (weights(turn=True), "wrong way round"),
        (weights(soft=False), "softmax is missing"),
        (weights(scale=1), "root of d = 7"),
        (weights(scale=7), "not by d itself"),
        (weights(fill=0.0), "0 is no mask"),
        (weights(after=True, dim=0), "runs over positions"),
        (lambda q, k, w: torch.ones(5, 3), "Scale, mask, softmax"),
    ],
    "one_call": [
        (velocity(right, calls=2), "called 2 times"),
        (lambda model, x, t, tokens, scale: x, "never called"),
        (lambda model, x, t, tokens, scale: model(x, t, tokens), "it held 3"),
        (velocity(right, silent_token=1), "One half must be unconditional"),
        (velocity(lambda a, b, s: a), "guidance is missing"),
        (velocity(lambda a, b, s: a + s * (a - b)), "Start from the unconditional"),
        (velocity(lambda a, b, s: b - s * (a - b)), "moves away"),
        (velocity(lambda a, b, s: right(b, a, s)), "are exchanged"),
        (velocity(lambda a, b, s: a + b), "unconditional + scale"),
    ],
    "bag_of_words": [
        (0.5, "Two shares"),
        ((0.5, 0.5), "Both of a pair"),
        ((0.5, 0.0), "Never both?"),
        ((0.25, 0.25), "A half, and"),
    ],
    "contrast": [
        (contrast(total=lambda a, b: a), "found by their captions"),
        (contrast(total=lambda a, b: b), "found by their pictures"),
        (contrast(total=lambda a, b: a + b), "not the sum"),
        (contrast(lambda p, c, f: p @ c.T), "factor is missing"),
        (contrast(lambda p, c, f: p @ c.T / f), "dividing makes"),
        (lambda p, c, f: -(f * p * c).sum(1).mean(), "nothing pushes"),
        (lambda p, c, f: torch.tensor(0.0), "mean of two cross-entropies"),
    ],
    "patch": [
        (spoil, "itself was changed"),
        (patched(lambda i: (slice(None), i), swap=True), "other way round"),
        (patched(lambda i: (slice(None), slice(i, None))), "not all from there on"),
        (patched(lambda i: i), "second axis"),
        (patched(lambda i: (..., i)), "last axis"),
        (lambda words, other, i: words, "Nothing was replaced"),
        (lambda words, other, i: words + other, "A copy of"),
    ],
}


def test_exercises_are_proved():
    prove("together/text-to-image.ipynb", module, WRONG)
