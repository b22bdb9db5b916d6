"""The grammar, its splits, and what is no caption."""

from collections import Counter
from itertools import product

import pytest

from attnoise.data.captions import (
    COLOURS,
    MAX_LENGTH,
    PADDING,
    SHAPES,
    WITHHELD,
    WORDS,
    Caption,
    SceneObject,
    all_captions,
    encode_captions,
    load_captions,
    parse_caption,
    split_of,
)
from attnoise.errors import ConfigError, DataError


def test_the_grammar_makes_as_many_captions_as_counted_by_hand():
    captions = all_captions()
    assert len(WORDS) == len(set(WORDS)) == 19
    # 60 objects; a second one may be any but the two of the same colour and shape
    assert Counter(len(c.objects) for c in captions) == {1: 60, 2: 60 * 58 * 4}
    assert len(set(map(str, captions))) == 13_980


def test_every_caption_is_read_back_from_its_words():
    for caption in all_captions():
        assert parse_caption(str(caption)) == caption


def test_the_splits_share_out_all_captions():
    sizes = {name: len(load_captions(name)) for name in ("train", "unseen", "one", "two")}
    assert sum(sizes.values()) == 13_980
    assert sizes["one"] == 10 + 4000
    assert sizes["two"] == 320
    assert 0.08 < sizes["unseen"] / (sizes["unseen"] + sizes["train"]) < 0.12


def test_no_withheld_pair_is_in_training_but_every_word_is():
    objects = [each for caption in load_captions("train") for each in caption.objects]
    pairs = {(each.colour, each.shape) for each in objects}
    assert not pairs & WITHHELD
    assert pairs == set(product(COLOURS, SHAPES)) - WITHHELD
    assert {word for c in load_captions("train") for word in str(c).split()} == set(WORDS)


def test_no_unseen_caption_was_seen_from_its_other_side_or_with_colours_exchanged():
    seen = {caption.meaning for caption in load_captions("train")}
    for caption in load_captions("unseen"):
        assert caption.meaning not in seen
        assert caption.swapped.meaning not in seen


def test_the_other_side_means_the_same():
    small, large = SceneObject("small", "red", "ring"), SceneObject("large", "blue", "cross")
    assert Caption((small, large), "below").meaning == Caption((large, small), "above")
    assert Caption((small, large), "right of").meaning == Caption((large, small), "left of")
    assert Caption((small, large), "above").meaning == Caption((small, large), "above")


def test_swapped_captions_come_in_pairs_of_the_same_words():
    captions = load_captions("swapped")
    assert len(captions) > 100
    for first, second in zip(captions[::2], captions[1::2], strict=True):
        assert first.meaning != second.meaning
        assert Counter(str(first).split()) == Counter(str(second).split())
        assert split_of(first) == split_of(second) == "unseen"


def test_tokens_are_words_then_padding():
    tokens = encode_captions([parse_caption("a large red circle"), None])
    assert tokens.shape == (2, MAX_LENGTH)
    words = [WORDS[token - 1] for token in tokens[0].tolist() if token != PADDING]
    assert words == ["a", "large", "red", "circle"]
    assert tokens[1].eq(PADDING).all()


def test_texts_are_read_on_the_way_to_tokens():
    text = "a small red ring left of a large blue cross"
    assert encode_captions([text]).tolist() == encode_captions([parse_caption(text)]).tolist()
    with pytest.raises(DataError, match="'pink' is none"):
        encode_captions(["a large pink ring"])
    with pytest.raises(DataError, match="captions must be a list"):
        encode_captions(text)


def test_the_longest_caption_fills_the_tokens():
    longest = max(all_captions(), key=lambda caption: len(str(caption).split()))
    assert encode_captions([longest]).ne(PADDING).all()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it is empty"),
        ("  . ", "it is empty"),
        ("a large pink circle", "'pink' is none"),
        ("a huge pink circle", "'huge', 'pink' are none"),
        ("a red large circle", "as size it may have small, large"),
        ("a large circle red", "as colour it may have red"),
        ("large red circle a", "'large red circle a'"),
        ("a large red", "one object, or two"),
        ("a large red circle above", "one object, or two"),
        ("a large red circle left a small blue ring", "one object, or two"),
        ("a large red circle above a small red circle", "differ in colour or shape"),
    ],
)
def test_what_is_no_caption_is_told_why(text, part):
    with pytest.raises(DataError, match="caption must") as error:
        parse_caption(text)
    assert part in str(error.value)


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match="split must be one of"):
        load_captions("test")
