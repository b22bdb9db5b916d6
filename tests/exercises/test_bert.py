"""The exercises of the BERT chapter: solutions pass, each mistake is told from the others."""

import pytest
import torch
from tests.exercises.proof import prove
from torch.nn import functional as F

from attnoise.exercises import bert as module


def hide(tokens, chosen, drawn, others, low=0.8, high=0.9):
    tokens = torch.where(chosen & (drawn < low), 1, tokens)
    return torch.where(chosen & (drawn >= low) & (drawn < high), others, tokens)


def each(logits, tokens):
    return F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")


WRONG = {
    "how_many_change": [
        (300, "how many are chosen"),
        (240, "masks alone"),
        (1800, "shares of the chosen"),
        (30, "Count the others"),
        (255, "10 % another token"),
    ],
    "hide_tokens": [
        (lambda tokens, chosen, drawn, others: tokens, "Nothing is hidden"),
        (lambda *a: hide(*a, low=1.1), "Every chosen token became"),
        (lambda t, c, f, o: torch.where((f >= 0.8) & (f < 0.9), o, hide(t, c, f, o)), "not chosen"),
        (lambda t, c, f, o: torch.where(c & (f >= 0.9), o, hide(t, c, f, t)), "chapter's `hide`"),
        (lambda *a: hide(*a, high=1.1), "No chosen token stays"),
        (lambda t, c, f, o: hide(t, c, f, torch.ones_like(t)).where(~c | (f > 0.8), o), "places"),
        (lambda *a: hide(*a, low=0.7), "draw below 0.8"),
    ],
    "chosen_loss": [
        (lambda z, t, c: each(z, t).mean(), "copying what is shown"),
        (lambda z, t, c: each(z, t)[~c].mean(), "were not chosen"),
        (lambda z, t, c: (each(z, t) * c).mean(), "number of chosen"),
        (lambda z, t, c: (each(z, t) * c).sum(), "That is the sum"),
        (lambda z, t, c: ((each(z, t) * c).sum(1) / c.sum(1)).mean(), "each row first"),
        (lambda z, t, c: -each(z, t)[c].mean(), "The sign"),
        (lambda z, t, c: F.cross_entropy(z.softmax(-1)[c], t[c]), "their mean loss"),
    ],
    "estimate_bound": [
        (lambda x, h, t: (x * h).sum(1).mean(), "weight is missing"),
        (lambda x, h, t: ((x * h).sum(1) * t).mean(), "multiplied by t"),
        (lambda x, h, t: ((x * h).sum(1) / (1 - t)).mean(), "likely"),
        (lambda x, h, t: ((x * h).mean(1) / t).mean(), "nats per token"),
        (lambda x, h, t: (x.sum(1) / t).mean(), "are shown"),
        (lambda x, h, t: ((x * h).sum(1) / h.sum(1)).mean(), "mean over the hidden"),
        (lambda x, h, t: (x * h).sum(1).mean() / t.mean(), "its own t"),
        (lambda x, h, t: ((x * h).sum(1) / t).sum(), "average over the draws"),
    ],
    "which_first": [
        ((0, 1, 2, 3), "Four neighbours"),
        ((0, 2, 4, 6), "Every second place"),
        ((0, 1, 4, 7), "some of your places"),
        ((0, 0, 1, 2), "four different places"),
    ],
}


def test_exercises_are_proved():
    setting = {"check": module, "F": F}
    prove("transformers/bert.ipynb", module, WRONG, setting)


def test_what_is_lost_agrees_with_cases_that_can_be_worked_out():
    """All at once loses seven times what two neighbours tell each other; one known, the rest."""
    stay = torch.tensor([0.9, 0.1], dtype=torch.float64)
    told = float(torch.log(torch.tensor(2.0)) + (stay * stay.log()).sum())  # ln 2 - entropy
    assert module.lost_nats(range(8)) == pytest.approx(7 * told)
    assert module.lost_nats([]) == pytest.approx(7 * told)
    far = 0.9**2 + 0.1**2
    two = torch.tensor([far, 1 - far], dtype=torch.float64)
    lag_two = float(torch.log(torch.tensor(2.0)) + (two * two.log()).sum())
    assert module.lost_nats([0, 2, 4, 6]) == pytest.approx(3 * lag_two)  # the rest is independent
