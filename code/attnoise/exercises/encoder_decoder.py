"""Checks of the chapter on the encoder-decoder."""

import math

import torch

from .fields import numbers
from .mechanism import call, draw, exercise, expect, pick, reject, reject_if


@exercise(1, "Edit distance by hand", level="trace", minutes=5, asks=numbers("distance", "rate"))
def edit_by_hand(my_answer):
    pair = isinstance(my_answer, tuple | list) and len(my_answer) == 2
    reject_if(not pair, "Two numbers: the distance, then the rate.")
    distance, rate = my_answer
    reject(distance, 3, "A replacement counts once, not as a deletion and an insertion.")
    reject(distance, 1, "Compare the lengths as well: one phone is too many.")
    expect(distance, 2, "One replacement (AE by AH) and one deletion (S).")
    why = "Divide by the phones of the dictionary's answer, not of ours."
    reject(rate, 2 / 4, why, tolerance=0.01)
    reject(rate, 200 / 3, "A share, not a percentage: errors divided by phones.", tolerance=0.01)
    expect(rate, 2 / 3, "Two errors in a word of three phones.", tolerance=0.01)
    return "A rate above 1 is possible: an answer can be longer than the truth."


@exercise(2, "The loss, padding left out", level="code", minutes=15)
def masked_loss(my_loss):
    logits = draw(3, 5, 7)
    target = torch.tensor([[1, 3, 4, 2, 0, 0], [1, 5, 6, 3, 4, 2], [1, 6, 2, 0, 0, 0]])
    answers = target[:, 1:]
    log_p = logits.log_softmax(-1).gather(2, answers[..., None])[..., 0]
    real, fed = answers != 0, target[:, :-1]
    got = call(my_loss, logits, target)
    reject(got, -log_p.mean(), "Padding is in your mean: nobody has to predict it.")
    reject(got, -(log_p * real).mean(), "You set padding to 0, but still divide by its number.")
    reject(got, log_p[real].mean(), "The sign is wrong: a loss is minus the log probability.")
    reject(got, -log_p[real].sum(), "That is the sum: divide by the number of real tokens.")
    rows = -((log_p * real).sum(1) / real.sum(1)).mean()
    reject(got, rows, "A mean of means: short words then weigh as much as long ones.")
    own = -logits.log_softmax(-1).gather(2, fed[..., None])[..., 0][fed != 0].mean()
    reject(got, own, "You scored the tokens that were fed in; the answers are one further.")
    raw = -logits.gather(2, answers[..., None])[..., 0][real].mean()
    reject(got, raw, "Those are logits, not log P: take log_softmax over the vocabulary first.")
    reject(got, -log_p[fed != 0].mean(), "Mask the answers, not the tokens that were fed in.")
    expect(got, -log_p[real].mean(), "Mean of -log P over target[:, 1:], where it is not 0.")
    return "Every real token counts once, and padding never."


@exercise(3, "Greedy", level="code", minutes=15)
def greedy(my_greedy):
    word = pick([4, 6, 3, 2], ([5, 3, 6, 2], [3, 6, 4, 5, 2], [6, 5, 3, 2], [5, 4, 6, 3, 2]))
    script = {(1, *word[:i]): token for i, token in enumerate(word)}

    def step(tokens):
        reject_if(not isinstance(tokens, list), "Hand `step` the list of all tokens so far.")
        tensors = any(isinstance(token, torch.Tensor) for token in tokens)
        reject_if(tensors, "Append plain numbers: write int(...) around the argmax.")
        reject_if(tokens[:1] != [1], "The list begins with token 1, <begin>.")
        reject_if(2 in tokens, "You went on after <end>.")
        known = script.get(tuple(tokens))
        why = "Each must be the argmax of the step before, and none left out."
        reject_if(known is None, f"`step` was handed {tokens}. {why}")
        return torch.nn.functional.one_hot(torch.tensor(known), 7).float()

    got = call(my_greedy, step, 9)
    reject_if(got[:1] == [1], "Leave the first token, <begin>, out of the answer.")
    reject_if(got == word[:-1], "Keep the 2 if it was reached: it says that the answer is whole.")
    reject_if(got != word, f"Expected {word}, got {got}.")
    short = call(my_greedy, step, 2)
    reject_if(short == word[:1], "With longest = 2 you took one step: <begin> does not count.")
    reject_if(short != word[:2], f"With longest = 2 expected {word[:2]}, got {short}.")
    return "One token at a time, and it knows when to stop."


@exercise(4, "When does length matter?", level="derive", minutes=15)
def length_penalty(my_alpha):
    others = (
        ((-2.2, 3, -2.9, 8), (-1.5, 4, -2.5, 9)),
        ((-1.2, 2, -1.7, 6), (-3.0, 5, -4.5, 8)),
        ((-2.5, 6, -2.8, 9), (-0.8, 3, -2.0, 7)),
    )
    for a, n, b, m in pick(((-2.0, 4, -2.4, 7), (-1.0, 2, -3.0, 9)), others):
        got, u, v = call(my_alpha, a, n, b, m), (5 + n) / 6, (5 + m) / 6
        reject(got, math.log(b / a) / math.log(m / n), "The lengths enter as (5 + |y|) / 6.")
        reject(got, math.log(a / b) / math.log(v / u), "The sign: which ratio is above 1?")
        reject(got, (b / a) / (v / u), "The penalty is a power: solve for alpha with logarithms.")
        reject(got, math.log(v / u) / math.log(b / a), "Upside down: alpha stands with log(v / u).")
        expect(got, math.log(b / a) / math.log(v / u), "alpha = log(b / a) / log(v / u).")
    return "Below it the short answer wins, above it the long one."


@exercise(5, "How many beams?", level="explore", minutes=20)
def how_many_beams(my_rates):
    reject_if(not isinstance(my_rates, dict), "Set `my_rates` to a dictionary: {1: ..., ...}.")
    reject_if(set(my_rates) != {1, 2, 4}, "Measure 1, 2 and 4 beams: one rate for each.")
    pairs = any(isinstance(rate, tuple) for rate in my_rates.values())
    reject_if(
        pairs,
        "One number each: the field `.phone_error_rate` of what pronunciation_errors returns.",
    )
    one, two, four = (float(my_rates[k]) for k in (1, 2, 4))
    reject_if(max(one, two, four) > 1, "A rate is a share: divide by the number of phones.")
    reject_if(one > 0.15, "Too many: take the phones, not the words, and the shipped model.")
    reject_if(min(one, two, four) <= 0, "No errors at all? Compare with the dictionary's answers.")
    apart = max(abs(two - one), abs(four - one)) > 0.02
    reject_if(apart, "The rates lie too far apart: were it the same 100 words each time?")
    return (
        f"From one beam to four the rate moves by {abs(one - four):.3f}: search is not the trouble."
    )
