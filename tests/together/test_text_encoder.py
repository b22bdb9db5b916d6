"""The text encoder: padding, word order, and what is no caption."""

import pytest
import torch

from attnoise.data.captions import MAX_LENGTH, encode_captions, parse_caption
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.together import TextEncoder

RED, BLUE = "a small red ring left of a large blue cross", "a small blue ring"


def test_padding_is_never_read_and_the_empty_caption_is_a_vector():
    torch.manual_seed(0)
    encoder = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3).eval()
    tokens = encode_captions([parse_caption(BLUE), None])
    words, attended = encoder(tokens)
    assert words.shape == (2, MAX_LENGTH, 12)
    assert attended.sum(dim=1).tolist() == [4, 1]
    longer = tokens.clone()
    with torch.no_grad():
        encoder.words.weight[0] += torch.arange(12)  # only what is padding changes
    changed, _ = encoder(longer)
    torch.testing.assert_close(words[0, :4], changed[0, :4])
    assert not torch.equal(words[1, 0], changed[1, 0])  # it is what guidance compares with


def test_word_order_matters():
    torch.manual_seed(0)
    encoder = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3).eval()
    tokens = encode_captions([parse_caption(RED)])
    swapped = tokens.clone()
    swapped[:, [2, 8]] = tokens[:, [8, 2]]  # red and blue
    words, other = encoder(tokens)[0], encoder(swapped)[0]
    assert (words[:, 3] - other[:, 3]).abs().max() > 1e-4  # "ring" knows its colour


def test_half_precision_reads_the_same():
    torch.manual_seed(0)
    encoder = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3).eval()
    tokens = encode_captions([RED, None])
    whole, _ = encoder(tokens)
    half, _ = encoder.bfloat16()(tokens)
    assert half.dtype == torch.bfloat16
    assert (half.float() - whole).abs().max() < 0.1


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["vocab", "max_length", "d", "depth", "heads"])
@pytest.mark.parametrize("value", [0, -1, 2.5])
def test_sizes_must_be_whole_and_positive(name, value):
    settings = {"vocab": 20, "max_length": 10, "d": 12, "depth": 1, "heads": 3} | {name: value}
    with pytest.raises(ConfigError, match=f"{name} must be a whole number of at least 1"):
        TextEncoder(**settings)


@pytest.mark.bad_input
def test_bad_input():
    encoder, tokens = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3), encode_captions([RED])
    with pytest.raises(ShapeError, match=r"tokens must have shape \(batch, 10\)"):
        encoder(tokens[:, :9])
    with pytest.raises(ShapeError, match=r"tokens must have shape \(batch, 10\)"):
        encoder(tokens[0])
    with pytest.raises(ShapeError, match="tokens must be whole numbers"):
        encoder(tokens.float())
    for wrong in (-1, 20):
        with pytest.raises(DataError, match="tokens must lie between 0 and 19"):
            encoder(torch.full((1, MAX_LENGTH), wrong))


def test_the_default_is_two_blocks_of_width_96_and_four_heads():
    encoder = TextEncoder(20, MAX_LENGTH)
    assert encoder.words.weight.shape == (20, 96)
    assert len(encoder.blocks) == 2
    assert encoder.blocks[0].attention.heads == 4


def test_without_blocks_it_is_the_normalised_sum_of_words_and_positions():
    torch.manual_seed(0)
    encoder, tokens = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3), encode_captions([RED])
    encoder.blocks = torch.nn.ModuleList()
    total = encoder.words.weight[tokens] + encoder.positions
    wanted = (total - total.mean(-1, keepdim=True)) / total.std(-1, keepdim=True, unbiased=False)
    torch.testing.assert_close(encoder(tokens)[0], wanted, atol=1e-4, rtol=1e-4)


def test_of_an_empty_caption_the_first_padding_alone_is_attended():
    encoder = TextEncoder(20, MAX_LENGTH, 12, depth=1, heads=3)
    _, attended = encoder(encode_captions([None, BLUE]))
    assert attended.tolist() == [[True] + 9 * [False], 4 * [True] + 6 * [False]]


def test_words_and_positions_start_as_long_as_each_other():
    torch.manual_seed(0)
    encoder = TextEncoder(200, 100, 64)
    for start in (encoder.words.weight, encoder.positions):
        assert start.std().item() == pytest.approx(1 / 8, rel=0.05)
