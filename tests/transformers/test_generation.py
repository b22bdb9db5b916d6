"""Generation: sampling parameters cut what they say, the cache changes nothing, prompts do not mix."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from attnoise.errors import ConfigError, DataError
from attnoise.transformers import (
    GPT,
    BlockConfig,
    GPTConfig,
    complete,
    generate,
    modern_block,
    reshape_distribution,
)

LOGITS = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
PROMPTS = [[1, 2, 3], [4, 5, 6, 7, 8], [9]]


def make(**options) -> GPT:
    torch.manual_seed(0)
    return awake(GPTConfig(vocab=13, max_length=16, depth=2, block=modern_block(12, 3, **options)))


def awake(config) -> GPT:
    """Make a model whose predictions hang on all of the text: a fresh one's are nearly even."""
    model = GPT(replace(config, tied=False)).eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.5)
    return model


def run(model, prompts=PROMPTS, seed=0, **options):
    return torch.stack(
        list(generate(model, prompts, torch.Generator().manual_seed(seed), **options)), dim=1
    )


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
        ({"temperature": 0.0, "top_k": 3, "top_p": 0.9, "min_p": 0.1}, [1, 0, 0, 0]),
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.5}, [4 / 7, 3 / 7, 0, 0]),  # the first two are the first to reach it
        ({"top_p": 0.39}, [1, 0, 0, 0]),
        ({"min_p": 0.4}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_k": 3, "min_p": 0.6}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 2, "top_p": 0.5}, [1, 0, 0, 0]),  # of what top_k left
    ],
)
def test_sampling_parameters_by_hand(sampling, expected):
    assert_close(
        reshape_distribution(LOGITS, **sampling), torch.tensor(expected, dtype=torch.float)
    )
    shuffled = reshape_distribution(LOGITS[[2, 0, 3, 1]], **sampling)
    assert_close(shuffled, torch.tensor(expected, dtype=torch.float)[[2, 0, 3, 1]])
    pair = reshape_distribution(LOGITS.expand(2, 4), **sampling)
    assert_close(pair, torch.tensor(expected, dtype=torch.float).expand(2, 4))


def test_top_p_is_reached_by_what_is_exactly_as_likely():
    assert reshape_distribution(torch.zeros(2), top_p=0.5).tolist() == [1, 0]


@given(
    seed=st.integers(0, 999),
    temperature=st.floats(0.05, 20),
    top_k=st.integers(1, 11),
    top_p=st.floats(0.01, 1),
    min_p=st.floats(0.01, 1),
)
def test_sampling_always_leave_a_distribution(seed, temperature, top_k, top_p, min_p):
    logits = torch.randn(3, 11, generator=torch.Generator().manual_seed(seed))
    p = reshape_distribution(logits, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    assert_close(p.sum(dim=-1), torch.ones(3))
    assert ((p > 0).sum(dim=-1) <= top_k).all()
    assert (p.argmax(dim=-1) == logits.argmax(dim=-1)).all()


def test_temperature_zero_takes_the_first_of_equals_and_needs_no_draw():
    assert reshape_distribution(torch.tensor([1.0, 3.0, 3.0]), temperature=0.0).tolist() == [
        0,
        1,
        0,
    ]
    huge = torch.tensor([1e38, -1e38, 0.0])
    assert reshape_distribution(huge, temperature=0.0).tolist() == [1, 0, 0]
    model = make()
    one, other = (run(model, seed=seed, temperature=0.0, max_new_tokens=9) for seed in (0, 1))
    assert_close(one, other, atol=0, rtol=0)
    text = list(PROMPTS[0])
    for token in one[0].tolist():
        assert token == model(torch.tensor([text]))[0, -1].argmax().item()
        text.append(token)


def test_equal_logits_keep_no_more_than_k():
    assert (reshape_distribution(torch.zeros(7), top_k=3) > 0).sum() == 3


@pytest.mark.parametrize("use_cache", [True, False])
def test_no_step_tracks_gradients_and_the_caller_keeps_them(use_cache):
    model, tracked = make(), []
    model.register_forward_hook(lambda *call: tracked.append(call[-1].requires_grad))
    steps = generate(
        model, PROMPTS, torch.Generator().manual_seed(0), max_new_tokens=3, use_cache=use_cache
    )
    for _ in steps:
        assert torch.is_grad_enabled()  # between two steps the caller may train
    assert tracked == [False] * 3


@pytest.mark.parametrize("options", [{}, {"window": 4}, {"kv_heads": 1}, {"positions": None}])
def test_the_cache_changes_nothing_even_beyond_the_context(options):
    model = make(**options)
    cached = run(model, max_new_tokens=40)
    assert cached.shape == (3, 40)
    assert_close(cached, run(model, max_new_tokens=40, use_cache=False))


def test_prompts_of_a_batch_do_not_mix():
    together = run(make(), max_new_tokens=9, top_k=1)
    for i, prompt in enumerate(PROMPTS):
        assert_close(together[i], run(make(), [prompt], max_new_tokens=9, top_k=1)[0])


def test_the_generator_decides():
    assert torch.equal(run(make(), max_new_tokens=9), run(make(), max_new_tokens=9))
    assert not torch.equal(run(make(), max_new_tokens=9), run(make(), max_new_tokens=9, seed=1))


def test_a_stop_token_ends_its_text_alone():
    model, free = make(), run(make(), max_new_tokens=12, top_k=1)
    stop = int(free[0, 3])
    answers = complete(
        model, PROMPTS, torch.Generator().manual_seed(0), max_new_tokens=12, top_k=1, stop=[stop]
    )
    for row, answer in zip(free.tolist(), answers, strict=True):
        end = row.index(stop) if stop in row else 12
        assert answer == row[:end]


def test_all_stopped_is_the_end():
    free = run(make(), [[1]], max_new_tokens=12, top_k=1)[0].tolist()
    steps = list(
        generate(make(), [[1]], torch.Generator(), max_new_tokens=12, top_k=1, stop=free[:1])
    )
    assert len(steps) == 1


def test_samples_follow_the_model():
    model, n = make(), 4000
    steps = generate(model, [[1, 2]] * n, torch.Generator().manual_seed(0), max_new_tokens=1)
    counts = torch.bincount(next(steps), minlength=13) / n
    with torch.no_grad():
        expected = model(torch.tensor([[1, 2]]))[0, -1].softmax(dim=-1)
    assert (counts - expected).abs().max() < 4 * (0.25 / n) ** 0.5


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"temperature": -1.0}, ConfigError, "temperature must be at least 0.*it is -1.0"),
        ({"temperature": float("nan")}, ConfigError, "temperature must be at least 0 and finite"),
        ({"top_k": 14}, ConfigError, "top_k must lie between 1 and the 13 tokens.*it is 14"),
        ({"top_k": 0}, ConfigError, "top_k must lie between 1"),
        ({"top_p": 0.0}, ConfigError, r"top_p must lie in \(0, 1\], but it is 0.0"),
        ({"min_p": 1.1}, ConfigError, r"min_p must lie in \(0, 1\], but it is 1.1"),
        (
            {"max_new_tokens": 0},
            ConfigError,
            "max_new_tokens must be a whole number of at least 1, but it is 0",
        ),
        ({"prompts": []}, DataError, "prompts must hold at least one prompt"),
        ({"prompts": [[1], []]}, DataError, "prompt 1 has 0 tokens, but the model takes 1 to 16"),
        ({"prompts": [[1] * 17]}, DataError, "prompt 0 has 17 tokens"),
        ({"prompts": [[1, 13]]}, DataError, "prompt 0 holds token 13.*ends at 12"),
        ({"prompts": [[1], [-1, 13]]}, DataError, "prompt 1 holds token -1"),
        ({"temperature": float("inf")}, ConfigError, "temperature must be .* it is inf"),
        ({"top_p": 1.1}, ConfigError, r"top_p must lie in \(0, 1\], but it is 1.1"),
        ({"min_p": 0.0}, ConfigError, r"min_p must lie in \(0, 1\], but it is 0.0"),
    ],
)
def test_bad_input_is_named_before_the_first_token(options, error, message):
    options = {"prompts": PROMPTS, "max_new_tokens": 5, **options}
    with pytest.raises(error, match=message):
        generate(make(), options.pop("prompts"), torch.Generator(), **options)


def test_what_just_fits_is_taken():
    for sampling in ({"top_k": 4}, {"top_p": 1.0}, {"min_p": 1e-9}):
        assert_close(reshape_distribution(LOGITS, **sampling), LOGITS.exp())
    assert reshape_distribution(LOGITS, min_p=1.0).tolist() == [1, 0, 0, 0]
    assert run(make(), [[0] * 16, [12]], max_new_tokens=1).shape == (2, 1)


@pytest.mark.parametrize(("given", "found"), [("float16", "float32"), ("float64", "float64")])
def test_probabilities_have_the_precision_of_float32_at_least(given, found):
    logits = LOGITS.to(getattr(torch, given))
    for temperature in (0.0, 1.0):
        p = reshape_distribution(logits, temperature=temperature)
        assert p.dtype == getattr(torch, found)


@pytest.mark.parametrize(("max_length", "kept"), [(16, 8), (5, 2), (1, 1)])
def test_the_older_half_is_forgotten(max_length, kept):
    torch.manual_seed(0)
    model = awake(GPTConfig(vocab=13, max_length=max_length, block=modern_block(12, 3)))
    text = [(5 * i + 1) % 13 for i in range(max_length)]
    for use_cache in (True, False):
        first, second = run(model, [text], max_new_tokens=2, temperature=0.0, use_cache=use_cache)[
            0
        ].tolist()
        assert first == model(torch.tensor([text]))[0, -1].argmax()
        rest = [*text, first][-kept:]
        assert second == model(torch.tensor([rest]))[0, -1].argmax()


@pytest.mark.parametrize("add", [generate, complete])
def test_each_token_is_computed_once_by_default(add):
    model, seen = make(), []
    model.register_forward_hook(lambda _, inputs, logits: seen.append(inputs[0].shape[1]))
    for options, expected in (({}, [5, 1, 1]), ({"use_cache": False}, [5, 6, 7])):
        list(add(model, PROMPTS, torch.Generator(), max_new_tokens=3, **options))
        assert seen == expected
        seen.clear()


def test_learned_positions_generate_too():
    torch.manual_seed(0)
    block = BlockConfig(d=12, heads=3, causal=True)
    model = awake(GPTConfig(vocab=13, max_length=16, depth=1, block=block))
    assert_close(run(model, max_new_tokens=30), run(model, max_new_tokens=30, use_cache=False))


def test_each_row_is_shifted_by_its_own_maximum():
    rows = torch.tensor([[0.0, -1.0], [50.0, 49.0]])  # by the other's, the first would overflow
    p = reshape_distribution(rows, temperature=1e-37)
    assert p.tolist() == [[1.0, 0.0], [1.0, 0.0]]
