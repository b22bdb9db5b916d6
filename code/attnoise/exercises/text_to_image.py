"""Checks for the chapter `together/text-to-image`."""

import torch
from torch.nn import functional as F

from .fields import numbers
from .mechanism import call, draw, exercise, expect, reject, reject_if


@exercise(1, "Places ask, words answer", level="code", minutes=10)
def places_ask(my_weights):
    queries, keys = 2 * draw(5, 7), 2 * draw(3, 7, seed=1)
    is_word = torch.tensor([True, True, False])
    got = call(my_weights, queries, keys, is_word)
    scores = queries @ keys.T / 7**0.5

    def masked(values, mask=is_word):
        return values.masked_fill(~mask, -torch.inf)

    reject(got, scores.softmax(dim=-1), "Padding is attended to: mask it before the softmax.")
    reject(
        got,
        scores.softmax(dim=-1) * is_word,
        "Padding is cut off after the softmax: the rest no longer adds to 1.",
    )
    reject(
        got,
        masked(scores, ~is_word).softmax(dim=-1),
        "The mask is the wrong way round: True is a word.",
    )
    reject(got, masked(scores), "These are the scores; the softmax is missing.")
    reject(got, masked(queries @ keys.T).softmax(dim=-1), "Divide the scores by the root of d = 7.")
    reject(got, masked(queries @ keys.T / 7).softmax(dim=-1), "By the root of d, not by d itself.")
    reject(
        got,
        (scores * is_word).softmax(dim=-1),
        "A score of 0 is no mask: it still gets a weight. Use minus infinity.",
    )
    reject(
        got,
        scores.softmax(dim=0) * is_word,
        "The softmax runs over positions; each position's weights must add to 1 over the words.",
    )
    expect(got, masked(scores).softmax(dim=-1), "Scale, mask, softmax over the words.")
    return "Each position's weights over the words add to 1, and padding gets none."


@exercise(2, "One call for both", level="code", minutes=15)
def one_call(my_velocity):
    x, t, scale = draw(3, 2, 5, 5), torch.tensor([0.2, 0.5, 0.9]), 3.0
    tokens = torch.tensor([[1, 4, 2], [3, 0, 0], [2, 2, 0]])
    seen = []

    def model(x, t, tokens):
        seen.append(tokens.clone())
        strength = tokens.sum(dim=1) * (1 + torch.arange(len(tokens)) % 3)
        return x * t[:, None, None, None] + strength[:, None, None, None] * (1 + x.square())

    got = call(my_velocity, model, x, t, tokens, scale)
    reject_if(len(seen) > 1, f"The model was called {len(seen)} times; one batch of 6 will do.")
    reject_if(not seen, "The model was never called.")
    reject_if(
        len(seen[0]) != 6,
        "The batch must hold 6, three conditional and three unconditional, but it held "
        f"{len(seen[0])}.",
    )
    reject_if(
        not any((half == 0).all() for half in seen[0].chunk(2)),
        "One half must be unconditional: tokens that are all 0.",
    )
    conditional, unconditional = model(x, t, tokens), model(x, t, torch.zeros_like(tokens))
    reject(got, conditional, "That is the velocity with the caption; guidance is missing.")
    reject(
        got,
        conditional + scale * (conditional - unconditional),
        "Start from the unconditional one: scale 1 must give the conditional one.",
    )
    reject(
        got,
        unconditional - scale * (conditional - unconditional),
        "The halves are exchanged or the sign is: this moves away from the caption.",
    )
    reject(
        got,
        conditional + scale * (unconditional - conditional),
        "Conditional and unconditional are exchanged.",
    )
    expect(
        got,
        unconditional + scale * (conditional - unconditional),
        "unconditional + scale (conditional - unconditional).",
    )
    return "Two velocities for one call, and a step away from the unconditional one."


@exercise(3, "A bag of words", level="derive", minutes=10, asks=numbers("single captions", "pairs"))
def bag_of_words(my_shares):
    reject_if(
        not isinstance(my_shares, (tuple, list)) or len(my_shares) != 2,
        "Two shares are asked for: of single captions, and of pairs.",
    )
    single, pair = (float(x) for x in my_shares)
    reject(pair, 0.5, "Both of a pair must be right: two independent tosses.")
    reject(
        (single, pair),
        (0.5, 0.0),
        "Never both? The coin is tossed anew for each caption, so sometimes both are right.",
    )
    expect((single, pair), (0.5, 0.25), "A half, and a half of a half.")
    return "Half of the captions and a quarter of the pairs: order is what the rest is made of."


@exercise(4, "Contrast", level="code", minutes=15)
def contrast(my_contrast):
    pictures = F.normalize(draw(5, 7), dim=-1)
    captions = F.normalize(draw(5, 7, seed=1) + pictures, dim=-1)
    factor = 4.0
    got = call(my_contrast, pictures, captions, factor)
    logits, own = factor * pictures @ captions.T, torch.arange(5)
    rows, columns = F.cross_entropy(logits, own), F.cross_entropy(logits.T, own)
    reject(got, rows, "One direction only: pictures must be found by their captions, too.")
    reject(got, columns, "One direction only: captions must be found by their pictures, too.")
    reject(got, rows + columns, "The mean of both, not the sum.")
    plain = pictures @ captions.T
    reject(
        got,
        (F.cross_entropy(plain, own) + F.cross_entropy(plain.T, own)) / 2,
        "The factor is missing: cosines alone are never far apart.",
    )
    cool = plain / factor
    reject(
        got,
        (F.cross_entropy(cool, own) + F.cross_entropy(cool.T, own)) / 2,
        "Multiply by the factor; dividing makes all captions alike.",
    )
    reject(
        got,
        -logits.diagonal().mean(),
        "That pulls pairs together, but nothing pushes the others apart.",
    )
    expect(got, (rows + columns) / 2, "The mean of two cross-entropies, own pairs as classes.")
    return "Each picture finds its caption among the others, and each caption its picture."


@exercise(5, "Patch", level="code", minutes=15)
def patch(my_patch):
    words, other, position = draw(3, 7, 5), draw(3, 7, 5, seed=1), 2
    got, handed = call(my_patch, words, other, position), words.clone()
    my_patch(handed, other, position)  # `call` hands out copies; this one is looked at again
    reject_if(
        not torch.equal(words, handed),
        "`words` itself was changed: later tests would start from a mixture. Copy it first.",
    )
    reversed_ = other.clone()
    reversed_[:, position] = words[:, position]
    reject(got, reversed_, "The other way round: everything was replaced but the one vector.")
    rest = words.clone()
    rest[:, position:] = other[:, position:]
    reject(got, rest, "Only one position, not all from there on.")
    row = words.clone()
    row[position] = other[position]
    reject(got, row, "That replaces a whole caption; the position is on the second axis.")
    channel = words.clone()
    channel[..., position] = other[..., position]
    reject(got, channel, "That is the last axis, one number of every word; take the second.")
    reject(got, words, "Nothing was replaced.")
    mixed = words.clone()
    mixed[:, position] = other[:, position]
    expect(got, mixed, "A copy of `words` with one vector from `other`.")
    return "One vector was exchanged and nothing else: what changes now was carried by it."
