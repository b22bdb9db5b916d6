"""The exercises on the block: solutions pass, stubs fail, each mistake gets its own answer."""

import numpy as np
import pytest
import torch
from tests.exercises.proof import prove

from attnoise.exercises import block as module


def rms(gain=True, inside=True, eps_counts=True, mean=True, dims=-1, centre=False):
    def mine(x, g, eps=1e-5):
        x = x - x.mean(dim=-1, keepdim=True) if centre else x
        squares = x.square()
        size = squares.mean(dim=dims, keepdim=True) if mean else squares.sum(-1, keepdim=True)
        eps = eps if eps_counts else 0.0
        root = (size + eps).sqrt() if inside else size.sqrt() + eps
        return (g if gain else torch.ones_like(g)) * x / root

    return mine


def post(x, attend, mlp, norm_1, norm_2):
    x = norm_1(x + attend(x))
    return norm_2(x + mlp(x))


def replaced(x, attend, mlp, norm_1, norm_2):
    x = norm_1(x)
    x = norm_2(x + attend(x))
    return x + mlp(x)


def half_lost(x, attend, mlp, norm_1, norm_2):
    return x + mlp(norm_2(x + attend(norm_1(x))))


def first_norm_missing(second):
    def mine(x, attend, mlp, norm_1, norm_2):
        x = x + attend(x)
        return x + mlp(norm_2(x) if second else x)

    return mine


def normed_answers(x, attend, mlp, norm_1, norm_2):
    x = x + norm_1(attend(x))
    return x + norm_2(mlp(x))


def second_norm_missing(x, attend, mlp, norm_1, norm_2):
    x = x + attend(norm_1(x))
    return x + mlp(x)


def pre_norm(x, attend, mlp, norm_1, norm_2):
    x = x + attend(norm_1(x))
    return x + mlp(norm_2(x))


def one_norm(x, attend, mlp, norm_1, norm_2):
    return pre_norm(x, attend, mlp, norm_1, norm_1)


WRONG = {
    "norm_by_hand": [
        ((-3, -1, 1, 3), "now divide"),
        ((-0.6, -0.2, 0.2, 0.6), "divided by the variance"),
        ((-1.16, -0.39, 0.39, 1.16), "not by 3"),
        ((0.22, 0.65, 1.09, 1.53), "RMS norm"),
        ((-1.34, 0.45, 0.45, 1.34), "root of 5"),
        ((1, 2), "Four numbers"),
        ((1.34, 0.45, -0.45, -1.34), "signs are turned"),
        ((-1.3, -0.4, 0.4, 1.3), "Two decimals"),
    ],
    "rms_norm": [
        (rms(gain=False), "gain is missing"),
        (rms(inside=False), "under the root"),
        (rms(eps_counts=False), "ignores eps"),
        (rms(mean=False), "sum of squares"),
        (
            lambda x, g, eps=1e-5: rms()(x, g, eps) * rms()(x, torch.ones(5), eps) / x,
            "mean square;",
        ),
        (rms(dims=(0, 1, 2)), "whole batch"),
        (rms(centre=True), "layer norm"),
        (rms(dims=1), "averaged over the tokens"),
        (lambda x, g, eps=1e-5: g + rms(gain=False)(x, g, eps), "you added it"),
        (lambda x, g, eps=1e-5: g * x * x / rms(gain=False)(x, g, eps), "you multiplied by it"),
        (lambda x, g, eps=1e-5: rms(gain=False)(x, g, eps) / g, "you divided by it"),
    ],
    "pre_norm_block": [
        (post, "post-norm"),
        (lambda x, a, m, n1, n2: m(n2(a(n1(x)))), "plus signs are missing"),
        (lambda x, a, m, n1, n2: x + a(n1(x)) + m(n2(x)), "old stream"),
        (second_norm_missing, "second norm is missing"),
        (first_norm_missing(second=True), "first norm is missing"),
        (first_norm_missing(second=False), "Both norms"),
        (lambda x, a, m, n1, n2: m(n2(x + a(n1(x)))), "second plus sign"),
        (normed_answers, "normalised the answers"),
        (half_lost, "attention added is lost"),
        (replaced, "replaced the stream"),
        (lambda x, a, m, n1, n2: a(n1(x)) + m(n2(a(n1(x)))), "first plus sign"),
        (lambda x, a, m, n1, n2: x + a(n1(x)), "first half"),
        (one_norm, "norm of its own"),
        (lambda x, a, m, n1, n2: pre_norm(x, m, a, n1, n2), "wrong order"),
        (lambda x, a, m, n1, n2: n2(pre_norm(x, a, m, n1, n2)), "after the last sum"),
    ],
    "count": [
        (lambda d: 12 * d * d, "biases and norms are missing"),
        (lambda d: 12 * d * d + 9 * d, "two norms are missing"),
        (lambda d: 12 * d * d + 11 * d, "two norms, with"),
        (lambda d: 12 * d * d + 4 * d, "biases are missing: 4 d"),
        (lambda d: 12 * d * d + 8 * d, "biases of the MLP"),
        (lambda d: 11 * d * d + 12 * d, "four matrices"),
        (lambda d: 8 * d * d, "one of them is off"),
        (lambda d: 6 * d * d + 10 * d, "4 d wide inside"),
        (lambda d: 12 * d * d + 15 * d, "belongs to the stack"),
    ],
    "stream_size": [
        (lambda N, s: (1 + N * s**2, N**-0.5), "That is the variance"),
        (lambda N, s: (1 + N * s, N**-0.5), "do not add up"),
        (lambda N, s: (N**0.5 * s, N**-0.5), "enters with size 1"),
        (lambda N, s: ((1 + N * s**2) ** 0.5, 1 / N), "take the root"),
        (lambda N, s: (1 + N * s**2) ** 0.5, "Return two numbers"),
        (lambda N, s: (1 + N**0.5 * s, N**-0.5), "outside the root"),
        (lambda N, s: (N**-0.5, (1 + N * s**2) ** 0.5), "order is turned"),
        (lambda N, s: ((1 + N * s**2) ** 0.5, (2 / N) ** 0.5), "own 1 is missing"),
        (lambda N, s: ((1 + N * s**2) ** 0.5, (2 * N) ** -0.5), "not blocks"),
    ],
}


def test_exercises_are_proved():
    prove("transformers/block.ipynb", module, WRONG)


EXACT = [-1.3416, -0.4472, 0.4472, 1.3416]


def in_place(x, attend, mlp, norm_1, norm_2):
    x += attend(norm_1(x))
    x += mlp(norm_2(x))
    return x


RIGHT = [
    ("norm_by_hand", EXACT),
    ("norm_by_hand", tuple(EXACT)),
    ("norm_by_hand", np.array(EXACT)),
    ("norm_by_hand", torch.tensor([EXACT])),
    ("norm_by_hand", [torch.tensor(x) for x in EXACT]),
    ("norm_by_hand", torch.nn.functional.layer_norm(torch.tensor([1.0, 3, 5, 7]), (4,), eps=0)),
    ("rms_norm", lambda x, g, eps=1e-5: torch.nn.functional.rms_norm(x, (5,), g, eps)),
    ("rms_norm", lambda x, g, eps=1e-5: g * x * torch.rsqrt((x * x).mean(-1, True) + eps)),
    ("rms_norm", lambda x, g, eps=1e-5: rms()(x.double(), g.double(), eps)),
    ("rms_norm", lambda x, g, eps=1e-5: rms()(x, g, eps).numpy()),
    ("rms_norm", lambda x, g, eps=1e-5: rms()(x, g, eps).tolist()),
    ("pre_norm_block", in_place),
    ("pre_norm_block", lambda *parts: pre_norm(*parts).numpy()),
    ("pre_norm_block", lambda *parts: pre_norm(*parts).tolist()),
    ("count", lambda d: 12.0 * d**2 + 13 * d),
    ("count", lambda d: torch.tensor(12 * d**2 + 13 * d)),
    ("count", lambda d: np.int64(12 * d**2 + 13 * d)),
    ("stream_size", lambda N, s: [(1 + N * s**2) ** 0.5, N**-0.5]),
    ("stream_size", lambda N, s: np.array([(1 + N * s**2) ** 0.5, N**-0.5])),
    ("stream_size", lambda N, s: torch.tensor([1 + N * s**2, 1 / N]).sqrt()),
    ("stream_size", lambda N, s: (torch.tensor(1 + N * s**2).sqrt(), np.sqrt(1 / N))),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_passes_in_any_form(name, answer):
    verdict = getattr(module, name)(answer)
    assert verdict, verdict.message
