"""The exercises on the encoder-decoder: solutions pass, stubs fail, mistakes get their answers."""

import math

import torch
from tests.exercises.proof import prove

from attnoise.exercises import encoder_decoder as module


def loss(mask=True, sign=-1.0, how="mean", shift=1):
    def mine(logits, target):
        answers = target[:, shift : shift + logits.shape[1]]
        log_p = logits.log_softmax(-1).gather(2, answers[..., None])[..., 0]
        real = answers != 0 if mask else answers > -1
        if how == "raw":
            return -logits.gather(2, answers[..., None])[..., 0][real].mean()
        if how == "fed":
            return -log_p[target[:, :-1] != 0].mean()
        if how == "zero":
            return -(log_p * real).mean()
        if how == "sum":
            return -log_p[real].sum()
        if how == "rows":
            return -((log_p * real).sum(1) / real.sum(1)).mean()
        return sign * log_p[real].mean()

    return mine


def greedy(first=False, end=True, stop=True, last_alone=False, extra=0, choose=None):
    def mine(step, longest):
        tokens = [1]
        for _ in range(longest + extra):
            logits = step(tokens[-1:] if last_alone else tokens)
            tokens.append(choose(logits) if choose else int(logits.argmax()))
            if stop and tokens[-1] == 2:
                break
        found = tokens if first else tokens[1:]
        return found if end or found[-1] != 2 else found[:-1]

    return mine


def alpha(base=5, flip=False, ratio=False, down=False):
    def mine(a, n, b, m):
        u, v = (base + n) / 6, (base + m) / 6
        if down:
            return math.log(v / u) / math.log(b / a)
        return (b / a) / (v / u) if ratio else math.log(a / b if flip else b / a) / math.log(v / u)

    return mine


WRONG = {
    "edit_by_hand": [
        ((3, 1.0), "counts once"),
        ((1, 1 / 3), "too many"),
        ((2, 0.5), "not of ours"),
        ((2, 66.7), "not a percentage"),
        ((2, 0.3), "three phones"),
        (2, "Two numbers"),
    ],
    "masked_loss": [
        (loss(mask=False), "Padding is in your mean"),
        (loss(how="zero"), "still divide"),
        (loss(sign=1.0), "sign is wrong"),
        (loss(how="sum"), "That is the sum"),
        (loss(how="rows"), "mean of means"),
        (loss(shift=0), "one further"),
        (loss(how="raw"), "log_softmax"),
        (loss(how="fed"), "Mask the answers"),
    ],
    "greedy": [
        (greedy(first=True), "Leave the first token"),
        (greedy(end=False), "Keep the 2"),
        (greedy(stop=False), "went on after"),
        (greedy(last_alone=True), "begins with token 1"),
        (greedy(extra=1), "With longest = 2 expected"),
        (greedy(extra=-1), "does not count"),
        (greedy(choose=torch.argmax), "plain numbers"),
        (greedy(choose=lambda logits: int(logits.argmin())), "must be the argmax"),
    ],
    "length_penalty": [
        (alpha(base=0), "enter as"),
        (alpha(flip=True), "which ratio"),
        (alpha(ratio=True), "with logarithms"),
        (alpha(down=True), "Upside down"),
    ],
    "how_many_beams": [
        ([0.1, 0.1, 0.1], "a dictionary"),
        ({1: 0.1, 2: 0.1}, "one rate for each"),
        ({1: 10.0, 2: 9.0, 4: 8.0}, "a share"),
        ({1: (0.1, None), 2: (0.1, None), 4: (0.1, None)}, "One number each"),
        ({1: 0.23, 2: 0.22, 4: 0.22}, "the shipped model"),  # the live one; words give 0.32
        ({1: 0.0, 2: 0.0, 4: 0.0}, "No errors at all"),
        ({1: 0.1, 2: 0.11, 4: 0.15}, "too far apart"),
    ],
}


def test_exercises_are_proved():
    prove("transformers/encoder-decoder.ipynb", module, WRONG)
