"""Checks of the chapter on GPT."""

import math
from functools import cache

import torch

from ..attention import record_weights
from ..data import load_shakespeare
from ..training.checkpoints import load_checkpoint
from ..transformers import BytePairTokenizer
from .fields import Field, numbers
from .mechanism import call, exercise, expect, pick, reject, reject_if

MERGES = (  # tokens, the commonest pair, and what they become with 256 in its place
    ([7, 8, 9, 7, 8, 5], (7, 8), [256, 9, 256, 5]),
    ([4, 4, 4, 4, 4, 1], (4, 4), [256, 256, 4, 1]),
    ([9, 2, 3, 1, 9, 2, 3], (2, 3), [9, 256, 1, 9, 256]),
)


@exercise(1, "Bits by hand", level="trace", minutes=5, asks=numbers("bits per character"))
def bits_by_hand(my_bits):
    bits = 2.8 / math.log(2)
    for wrong, why in (
        (bits, "That is per token: one token stands for 2.5 characters."),
        (2.8 / 2.5, "Those are nats per character: divide by ln 2 as well."),
        (2.8 * math.log(2) / 2.5, "Divide by ln 2: a nat is more than a bit."),
        (bits * 2.5, "Divide by 2.5: the characters share the bits."),
    ):
        reject(my_bits, wrong, why, tolerance=0.01)
    expect(my_bits, bits / 2.5, "Nats / ln 2 / characters per token.", tolerance=0.01)
    return "The same scale for any vocabulary, and for compressors."


@exercise(2, "One merge", level="code", minutes=15)
def one_merge(my_merge):
    more = pick(0, range(1, 60))  # other tokens, in the same order
    for tokens, pair, merged in MERGES:
        tied, doubled = pair == (2, 3), pair == (4, 4)
        tokens, pair = [x + more for x in tokens], (pair[0] + more, pair[1] + more)
        merged = [x if x == 256 else x + more for x in merged]
        given = list(tokens)
        got = call(my_merge, given, 256)
        whole = isinstance(got, tuple | list) and len(got) == 2
        reject_if(not whole, "Return two things: the pair, and the new list.")
        reject_if(given != tokens, "You changed the list that was given: build a new one.")
        found, ours = tuple(got[0]), list(got[1])
        if tied:
            other = (9 + more, 2 + more)
            why = f"{other} and {pair} are as common: take the smaller numbers."
            reject_if(found == other, why)
        reject_if(found != pair, f"The commonest pair of {tokens} is {pair}, got {found}.")
        twice = ours == replaced(tokens, pair, step=1)
        reject_if(twice, "A token was used twice: after a merge go on two places further.")
        once = ours.count(256) == 1 and merged.count(256) == 2
        reject_if(once, "You replaced the first place only: replace every one.")
        right_to_left = [4 + more, 256, 256, 1 + more]
        reject_if(doubled and ours == right_to_left, "Replace from the left.")
        reject_if(ours != merged, f"Expected {merged}, got {ours}.")
    return "Do this 768 times, and you have the tokenizer of this chapter."


def replaced(tokens: list[int], pair: tuple[int, int], step: int) -> list[int]:
    """Put 256 where a pair stands, and go on `step` places after it: 2 is right."""
    out, i = [], 0
    while i < len(tokens):
        here = tuple(tokens[i : i + 2]) == pair
        out.append(256 if here else tokens[i])
        i += step if here else 1
    return out


@exercise(3, "Top-p", level="code", minutes=15)
def top_p(my_top_p):
    others = ((3, 0, 4, 1, 2), (2, 1, 0, 4, 3), (4, 3, 1, 0, 2), (0, 3, 2, 1, 4))
    order = list(pick((0, 1, 2, 3, 4), others))
    p = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])[order]
    wanted = torch.tensor([0, 0.4, 0, 0.3, 0])[order] / 0.7
    got = call(my_top_p, p.clone(), 0.6)
    reject(got, wanted * 0.7, "What is kept must sum to 1: divide by its sum.")
    only = torch.tensor([0, 1.0, 0, 0, 0])[order]
    reject(got, only, "You dropped the token that crosses the line: the rest must reach 0.6.")
    reject(
        got,
        wanted[p.argsort(descending=True)],
        "That is in sorted order: put each back in its place.",
    )
    least = torch.tensor([0.1, 0, 0.05, 0.3, 0.15])[order] / 0.6
    reject(got, least, "You kept the unlikely ones: sort from the likeliest down.")
    expect(got, wanted, "0.4 alone does not reach 0.6; with 0.3 it does.")
    full = call(my_top_p, p.clone(), 1.0)
    reject(full, only, "You compare each token with the likeliest, as min-p does: add them up.")
    expect(full, p, "With share = 1 everything stays.")
    exact = torch.tensor([0.125, 0.5, 0.125, 0.25])[[i for i in order if i < 4]]
    got = call(my_top_p, exact.clone(), 0.5)
    reject(
        got,
        (exact >= 0.25) * exact / 0.75,
        "0.5 alone reaches 0.5: you kept one token too many where the sum is exact.",
    )
    expect(got, (exact == 0.5).float(), "0.5 alone reaches 0.5: nothing else is needed.")
    small = call(my_top_p, p.clone(), 0.01)
    expect(small, only, "The likeliest token always stays, however small the share.")
    return "The set is small where the model is sure, and large where it is not."


@exercise(4, "The price of a long memory", level="derive", minutes=10)
def cache_bytes(my_bytes):
    others = (
        ((24, 2048, 16, 4, 1000), (5, 96, 8, 2, 11)),
        ((40, 5120, 40, 10, 4096), (7, 72, 6, 3, 13)),
        ((28, 3584, 28, 7, 2000), (6, 84, 12, 2, 9)),
    )
    for depth, d, heads, kv, n in pick(((32, 4096, 32, 8, 8192), (3, 60, 5, 1, 7)), others):
        right = 2 * depth * kv * (d // heads) * n * 2
        got = call(my_bytes, depth, d, heads, kv, n)
        reject(got, right * heads // kv, "Only keys and values are stored: count kv_heads.")
        reject(got, right // 2, "A factor of 2 is missing: keys and values, each of 2 bytes.")
        reject(got, right // 4, "Two factors of 2 are missing: keys and values; 2 bytes.")
        reject(got, right // depth, "Every block has a cache of its own.")
        reject(got, right * heads, "A head is d / heads wide, not d.")
        reject(got, right * n, "A cache grows with n: scores of all pairs are not kept in it.")
        reject(got, right // n, "Every token has its keys and values: where is n?")
        reject(got, right * 8, "Bytes are asked for, not bits.")
        queries = right + right // 2 * heads // kv
        reject(got, queries, "Queries are used once and not kept: count keys and values.")
        expect(got, right, "2 * depth * kv_heads * (d / heads) * n * 2 bytes.")
    return "The first model tried here, Llama 3 8B's shape, needs 1 GiB for 8,192 tokens."


@exercise(
    5,
    "Who looks one back?",
    level="explore",
    minutes=20,
    asks=(Field("block", options=range(4), choose=1), Field("head", options=range(4), choose=1)),
)
def who_looks_back(my_head):
    pair = isinstance(my_head, tuple | list) and len(my_head) == 2
    reject_if(not pair, "Set `my_head` to two numbers: (block, head).")
    block, head = (int(number) for number in my_head)
    weights = diagonals()
    depth, heads = weights[1].shape
    inside = 0 <= block < depth and 0 <= head < heads
    reject_if(not inside, f"Blocks go from 0 to {depth - 1}, heads from 0 to {heads - 1}.")
    best = divmod(int(weights[1].argmax()), heads)
    own = divmod(int(weights[0].argmax()), heads)
    ahead = weights[1][block, head]
    said = f"It gives {ahead:.2f} to the token before"
    reject_if((block + 1, head + 1) == best, "Count blocks and heads from 0.")
    reject_if((block - 1, head - 1) == best, "Count blocks and heads from 0.")
    diagonal = (block, head) == own != best
    reject_if(diagonal, f"{said}, and most of all heads to the token itself: look one below.")
    reject_if((head, block) == best, f"{said}: you swapped block and head.")
    reject_if((block, head) != best, f"{said}; another head gives {weights[1].max():.2f}.")
    return f"{said}. Such heads exist in nearly every language model."


@cache
def diagonals() -> dict[int, torch.Tensor]:
    """Return each head's mean weight on the token itself (0) and on the one before (1)."""
    model, card = load_checkpoint("shakespeare")
    text = load_shakespeare("validation")[:40_000]
    tokens = BytePairTokenizer(card["merges"]).encode(text)
    with torch.no_grad(), record_weights(model) as recorded:
        model(torch.tensor(tokens[: 20 * 128]).view(20, 128))
    return {
        back: torch.stack(
            [w.diagonal(offset=-back, dim1=2, dim2=3).mean((0, 2)) for w in recorded.values()]
        )
        for back in (0, 1)
    }
