"""The exercises on GPT: solutions pass, stubs fail, mistakes get their answers."""

import math
from collections import Counter

import torch
from tests.exercises.proof import prove

from attnoise.exercises import gpt as module


def merging(step=2, first_alone=False, right=False, ties=min, swap=False, in_place=False):
    def mine(tokens, new):
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        most = max(counts.values())
        best = (ties if not swap else max)(pair for pair, n in counts.items() if n == most)
        given, i, out, done = tokens[::-1] if right else list(tokens), 0, [], False
        while i < len(given):
            here = tuple(given[i : i + 2])
            if here == (best[::-1] if right else best) and not (first_alone and done):
                out.append(new)
                i, done = i + step, True
            else:
                out.append(given[i])
                i += 1
        if in_place:
            tokens[:] = out
        return best, out[::-1] if right else out

    return mine


def cut(renormalise=True, before=True, back=True, descending=True, exact=True):
    def mine(p, share):
        ordered, order = p.sort(descending=descending)
        total = ordered.cumsum(0) - (ordered if before else 0)
        kept = ordered * (total < share if exact else total <= share)
        result = torch.zeros_like(p).scatter(0, order, kept) if back else kept
        return result / result.sum() if renormalise else result

    return mine


def size(all_heads=False, factor=4, blocks=True, wide=False, queries=False, power=1):
    def mine(depth, d, heads, kv, n):
        k = d if wide else d // heads
        kept = 2 * (heads if all_heads else kv) + (heads if queries else 0)
        return factor * (depth if blocks else 1) * kept * k * n**power // 2

    return mine


def least(p, share):
    kept = p * (p >= share * p.max())
    return kept / kept.sum()


WRONG = {
    "bits_by_hand": [
        (2.8 / math.log(2), "That is per token"),
        (1.12, "nats per character"),
        (2.8 * math.log(2) / 2.5, "more than a bit"),
        (2.8 / math.log(2) * 2.5, "share the bits"),
        (1.0, "characters per token"),
    ],
    "one_merge": [
        (merging(step=1), "used twice"),
        (merging(first_alone=True), "first place only"),
        (merging(right=True), "from the left"),
        (merging(swap=True), "smaller numbers"),
        (merging(in_place=True), "changed the list"),
        (lambda tokens, new: tokens, "two things"),
        (lambda tokens, new: ((8, 9), tokens), "commonest pair"),
    ],
    "top_p": [
        (cut(renormalise=False), "must sum to 1"),
        (cut(before=False), "crosses the line"),
        (cut(back=False), "sorted order"),
        (cut(descending=False), "likeliest down"),
        (lambda p, share: p, "does not reach"),
        (cut(exact=False), "where the sum is exact"),
        (least, "as min-p does"),
    ],
    "cache_bytes": [
        (size(all_heads=True), "count kv_heads"),
        (size(factor=2), "A factor of 2"),
        (size(factor=1), "Two factors"),
        (size(blocks=False), "a cache of its own"),
        (size(wide=True), "wide, not d"),
        (size(power=2), "grows with n"),
        (size(power=0), "where is n"),
        (size(factor=32), "not bits"),
        (size(queries=True), "Queries are used once"),
    ],
    "who_looks_back": [
        ((2, 3), "the token itself"),
        ((2, 2), "another head gives"),
        ((1, 2), "swapped"),
        ((3, 2), "from 0"),
        ((4, 0), "Blocks go from 0 to 3"),
        (2, "two numbers"),
    ],
}


def test_exercises_are_proved():
    prove("transformers/gpt.ipynb", module, WRONG)
