"""Decoding: cached greedy and beam search equal what is computed anew at each step, by hand."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.errors import ConfigError
from attnoise.transformers import (
    BlockConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    beam_search,
    greedy_decode,
)

PAD, BEGIN, END = 0, 1, 2


def make(positions=None, target_vocab=7, max_length=9, **options) -> EncoderDecoder:
    """Make a model whose answers differ from source to source, in tokens and in length."""
    torch.manual_seed(0)
    block = BlockConfig(d=12, heads=3, positions=positions, **options)
    model = EncoderDecoder(
        EncoderDecoderConfig(
            source_vocab=11,
            target_vocab=target_vocab,
            encoder_depth=2,
            decoder_depth=2,
            block=block,
            max_length=max_length,
        )  # fmt: skip
    ).eval()
    generator = torch.Generator().manual_seed(0)
    for name, matrix in model.state_dict().items():
        if matrix.ndim == 2 and name != "table":
            std = 0.5 if name in ("source.weight", "target.weight") else 2.5 / 12**0.5
            matrix.copy_(std * torch.randn(matrix.shape, generator=generator))
    return model


def sources(*shape, seed=0):
    drawn = torch.randint(3, 11, shape, generator=torch.Generator().manual_seed(seed))
    drawn[0, -2:] = PAD
    return drawn


@torch.no_grad()
def log_p(model, source, written):
    """Return log P of every next token: the whole model, without a cache; never pad or begin."""
    found = model(source[None], torch.tensor([[BEGIN, *written]]))[0, -1].log_softmax(dim=-1)
    found[[PAD, BEGIN]] = float("-inf")
    return found.tolist()


def greedy_by_hand(model, source):
    written = []
    while len(written) < model.config.max_length - 1 and written[-1:] != [END]:
        following = log_p(model, source, written)
        written.append(following.index(max(following)))
    return written


def beams_by_hand(model, source, beams, length_penalty):
    alive = [([], 0.0)]
    for _ in range(model.config.max_length - 1):
        grown = []
        for written, score in alive:
            if written[-1:] == [END]:
                grown.append((written, score))
                continue
            following = enumerate(log_p(model, source, written))
            grown += [(written + [token], score + p) for token, p in following]
        alive = sorted(grown, key=lambda beam: -beam[1])[:beams]
    scored = [(w, s / ((5 + len(w)) / 6) ** length_penalty) for w, s in alive]
    return max(scored, key=lambda beam: beam[1])


def without_padding(row):
    row = row.tolist()
    return row[: row.index(PAD)] if PAD in row else row


@pytest.mark.parametrize("options", [{}, {"positions": "rotary", "kv_heads": 1}])
def test_greedy_equals_the_likeliest_token_computed_anew(options):
    model, source = make(**options), sources(13, 5)
    found = greedy_decode(model, source)
    expected = [greedy_by_hand(model, row) for row in source]
    assert [without_padding(row) for row in found] == expected
    assert len({len(row) for row in expected}) > 1, "some must end before others"


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_beam_search_equals_beams_computed_anew(length_penalty):
    model, source = make("rotary", max_length=7), sources(5, 5)
    found, scores = beam_search(model, source, beams=3, length_penalty=length_penalty)
    for row, written, score in zip(source, found, scores, strict=True):
        expected, best = beams_by_hand(model, row, 3, length_penalty)
        assert without_padding(written) == expected
        assert score.item() == pytest.approx(best, abs=1e-4)


def test_the_length_penalty_counts_the_end_and_changes_the_winner():
    model, source = make("rotary", max_length=7), sources(11, 5)
    short, long = (beam_search(model, source, beams=5, length_penalty=p)[0] for p in (0.0, 3.0))
    lengths = [(x != PAD).sum().item() for x in (short, long)]
    assert lengths[0] < lengths[1]


def test_beams_that_hold_everything_find_the_best_of_all_answers():
    model = make(target_vocab=6, max_length=3)
    written = [[END], *([a, b] for a in (3, 4, 5) for b in (2, 3, 4, 5))]
    for seed in range(3):
        source = sources(1, 3, seed=seed)
        totals = []
        for answer in written:
            steps = [log_p(model, source[0], answer[:i])[token] for i, token in enumerate(answer)]
            totals.append(sum(steps))
        found, score = beam_search(model, source, beams=6, length_penalty=0.0)
        assert without_padding(found[0]) == written[totals.index(max(totals))]
        assert score.item() == pytest.approx(max(totals), abs=1e-4)


def test_one_beam_is_greedy():
    model, source = make(positions="rotary"), sources(3, 5)
    assert_close(beam_search(model, source, beams=1)[0], greedy_decode(model, source))


def test_a_source_may_be_a_single_token():
    model, source = make("rotary"), torch.tensor([[5], [9]])
    expected = [greedy_by_hand(model, row) for row in source]
    assert [without_padding(row) for row in greedy_decode(model, source)] == expected


def test_sources_of_a_batch_do_not_mix():
    model, source = make(), sources(3, 5)
    together, scores = beam_search(model, source, beams=3)
    for i in range(3):
        alone, score = beam_search(model, source[i : i + 1], beams=3)
        assert without_padding(together[i]) == without_padding(alone[0])
        assert_close(scores[i : i + 1], score, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("favoured", [PAD, BEGIN])
def test_pad_and_begin_are_never_written_and_nothing_follows_the_end(favoured):
    model, source = make("rotary", kv_heads=1), sources(17, 5)
    model.head.weight.data[favoured] = 1.2 * model.head.weight.data[END]
    first = model(source, torch.full((17, 1), BEGIN)).argmax(dim=-1)
    assert (first == favoured).any(), "it would win if it were allowed"
    for written in (greedy_decode(model, source), beam_search(model, source, beams=3)[0]):
        ended = 0
        for row in written.tolist():
            length = row.index(END) + 1 if END in row else len(row)
            ended += END in row
            assert BEGIN not in row
            assert PAD not in row[:length]
            assert set(row[length:]) <= {PAD}
        assert ended >= 3


def test_defaults_and_as_many_beams_as_tokens():
    model, source = make("rotary", max_length=7), sources(5, 5)
    expected = beam_search(model, source, beams=4, length_penalty=0.6)
    make_caches, rows = model.make_caches, []
    model.make_caches = lambda b, m: rows.append(b) or make_caches(b, m)
    assert all(map(torch.equal, beam_search(model, source), expected))
    assert rows == [5 * 4]
    written, best = beam_search(model, source, beams=7)
    expected = [beams_by_hand(model, row, 7, 0.6) for row in source]
    assert [without_padding(row) for row in written] == [written for written, _ in expected]
    assert best.tolist() == pytest.approx([score for _, score in expected], abs=1e-4)


@pytest.mark.bad_input
def test_bad_input_is_named():
    for beams, message in ((0, "a whole number of at least 1"), (8, "at most target_vocab = 7")):
        with pytest.raises(ConfigError, match=f"beams must be {message}.*but it is {beams}"):
            beam_search(make(), sources(1, 4), beams=beams)
    for penalty in (-1, float("inf"), float("nan")):
        with pytest.raises(
            ConfigError, match=f"length_penalty must be at least 0, but it is {penalty}"
        ):
            beam_search(make(), sources(1, 4), length_penalty=penalty)
