"""The exercises of the attention chapter: solutions pass, each mistake is told from the others."""

import math

import numpy as np
import pytest
import torch
from tests.exercises.proof import prove

from attnoise.exercises import attention as module
from attnoise.exercises.inputs import secret_inputs


def weights(query, key, mask=None, scale=None, axis=-1):
    scores = query @ key.T * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(axis)


def times_mask(query, key, mask):
    return (query @ key.T * query.shape[-1] ** -0.5 * mask).softmax(-1)


def two_back(n):
    return 20.0 * torch.diag(torch.ones(n - 2), -2)


WRONG = {
    "look_up_by_hand": [
        (70 / 3, "plain mean"),
        (20, "hard look-up"),
        (110, "divide by their sum"),
        (25.0, "1, 3 and 1"),
    ],
    "masked_attention": [
        (lambda q, k, v, mask: weights(q, k) @ v, "no effect"),
        (lambda q, k, v, mask: weights(q, k, ~mask) @ v, "wrong way round"),
        (lambda q, k, v, mask: weights(q, k, mask, 1.0) @ v, "scale is missing"),
        (lambda q, k, v, mask: weights(q, k, mask, 1 / 7) @ v, "divided by k"),
        (lambda q, k, v, mask: (weights(q, k) * mask) @ v, "after the softmax"),
        (lambda q, k, v, mask: weights(q, k, mask, axis=-2) @ v, "over the queries"),
        (lambda q, k, v, mask: weights(q, k, mask, len(q) ** -0.5) @ v, "number of queries"),
        (lambda q, k, v, mask: weights(q, k, mask, len(k) ** -0.5) @ v, "number of keys"),
        (lambda q, k, v, mask: times_mask(q, k, mask) @ v, "A score of 0 hides nothing"),
        (lambda q, k, v, mask: (weights(q, k, mask) @ v, weights(q, k, mask)), "a tuple of 2"),
    ],
    "late_causal_mask": [
        (lambda n, m: torch.ones(n, m).tril().bool(), "first places"),
        (lambda n, m: torch.ones(n, m).triu(m - n + 1).bool(), "wrong way round"),
        (lambda n, m: torch.ones(n, m).tril(m - n - 1).bool(), "see itself"),
        (lambda n, m: torch.ones(n, m).triu(m - n).bool(), "see the future"),
        (lambda n, m: torch.ones(n, m).tril(m - n), "boolean"),
    ],
    "variance_of_scores": [
        (lambda k, s: k, "holds for s = 1"),
        (lambda k, s: k * s**2, "one factor of s²"),
        (lambda k, s: (k * s**2) ** 2, "not k squared"),
        (lambda k, s: k**0.5 * s**2, "standard deviation"),
    ],
    "two_back": [
        (lambda n: 20.0 * torch.diag(torch.ones(n - 2), 2), "two ahead"),
        (lambda n: 20.0 * torch.diag(torch.ones(n - 1), -1), "one back"),
        (lambda n: 2.0 * torch.diag(torch.ones(n - 2), -2), "not sharply"),
        (lambda n: torch.zeros(n, n), "largest score of row i"),
    ],
    "how_sharp": [
        (4, "usual 1 / sqrt(32)"),
        (2, "one query sharp"),
        (64, "first power of two"),
    ],
}


def test_exercises_are_proved():
    setting = {"check": module}
    prove("attention/attention.ipynb", module, WRONG, setting)


@pytest.mark.parametrize("answer", [[22], (22.0,), "22", np.array([22]), torch.tensor([[22.0]])])
def test_a_number_may_come_in_any_form(answer):
    assert module.look_up_by_hand(answer)
    assert not module.look_up_by_hand("twenty-two")
    assert not module.look_up_by_hand([22, 22])


def test_right_answers_as_arrays_lists_and_with_more_where_the_mask_hides_it():
    late = [
        lambda n, m: np.tril(np.ones((n, m), dtype=bool), m - n),
        lambda n, m: [[j <= m - n + i for j in range(m)] for i in range(n)],
    ]
    for answer in late:
        assert module.late_causal_mask(answer)
    assert module.two_back(lambda n: two_back(n).numpy())
    assert module.two_back(lambda n: two_back(n) + 100 * torch.ones(n, n).triu(1))
    sized = lambda n: 20.0 * torch.diag(torch.ones(9), -2)  # noqa: E731  right for n = 11 alone
    with secret_inputs(1):
        assert not module.two_back(sized)


def test_a_long_answer_is_not_printed_whole():
    verdict = module.late_causal_mask(lambda n, m: "x" * 10_000)
    assert not verdict
    assert len(verdict.message) < 300
