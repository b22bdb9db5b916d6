"""What the experiment on induction heads measures with, against cases that are known by hand."""

import math

import torch
from torch import nn

from attnoise.transformers import GPT, GPTConfig, modern_block
from experiments.transformers.measure_induction import (
    LENGTH,
    LONGEST,
    SHORTEST,
    SYMBOLS,
    WINDOW,
    copied,
    copying,
    looks_back,
    losses,
    passages,
    without_heads,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(vocab: int = SYMBOLS, length: int = LENGTH) -> GPT:
    torch.manual_seed(0)
    block = modern_block(8, 2)
    return GPT(GPTConfig(vocab=vocab, max_length=length, depth=2, block=block)).eval()


class Reads(nn.Module):
    """Says after each symbol what followed its last copy `period` places before; else anything."""

    def __init__(self, period: torch.Tensor) -> None:
        super().__init__()
        self.period = period

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        place = torch.arange(tokens.shape[1]) + 1 - self.period
        said = 50.0 * nn.functional.one_hot(tokens.gather(1, place.clamp(min=0)), SYMBOLS).float()
        return said * (place > 0)[..., None]


def test_a_passage_is_said_again_and_again():
    rows, period = passages(50, seeded())
    assert rows.shape == (50, LENGTH) and rows.min() >= 0 and rows.max() == SYMBOLS - 1
    assert set(period.flatten().tolist()) == set(range(SHORTEST, LONGEST + 1))
    for row, p in zip(rows, period.flatten(), strict=True):
        assert torch.equal(row[p:], row[:-p]) and not torch.equal(row[1:p], row[: p - 1])


def test_whoever_looks_back_loses_nothing_after_the_first_reading():
    rows, period = passages(50, seeded())
    first, again = losses(Reads(period), rows, period)
    assert abs(first - math.log(SYMBOLS)) < 1e-5 and again < 1e-6


def test_a_head_that_looks_everywhere_alike_has_the_mean_weight(monkeypatch):
    model, rows = small(), passages(3, seeded())[0]
    for block in model.blocks:
        nn.init.zeros_(block.attention.to_query.weight)
    back = torch.tensor([[5], [9], [5]])
    found = looks_back(model, rows, back)
    expected = (1 / torch.arange(11.0, LENGTH + 1)).mean()
    torch.testing.assert_close(found, expected.expand(2, 2))


def test_without_a_head_its_weights_do_not_matter_and_the_model_is_left_alone():
    model, rows = small(), passages(3, seeded())[0]
    whole = model(rows)
    fewer = without_heads(model, 1, 0)
    torch.testing.assert_close(model(rows), whole)
    assert (fewer(rows) - whole).abs().max() > 1e-4
    changed = without_heads(model, 1, 0)
    with torch.no_grad():
        changed.blocks[1].attention.to_value.weight[:4] += 1  # of the head that is away
    torch.testing.assert_close(changed(rows), fewer(rows))


def test_the_rule_copies_what_followed_the_last_two_tokens():
    assert copied([1, 2, 3, 1, 2, 4, 7, 1, 2]) == 4  # of two places, the last
    assert copied([1, 2, 3, 2, 1]) is None and copied([1, 1, 1]) == 1 and copied([1, 1]) is None


def test_copying_counts_on_a_text_that_says_itself_again():
    tokens = torch.randperm(WINDOW // 2, generator=seeded()).repeat(1, 2)
    model = small(WINDOW, WINDOW)
    found = copying(model, tokens, (0.0, 0.5))
    assert found["tokens seen before in the window"] == 1.0
    assert found["the last two tokens seen before"] == round(62 / 64, 3)  # two are not enough yet
    assert found["there, copying is right"] == 1.0
    assert found["with the rule"]["0.0"] == found["nats per token"]
    best = (2 * found["nats per token"] + 62 * math.log(2)) / 64  # half of the weight is a hit
    assert abs(found["with the rule"]["0.5"] - best) < 0.1
