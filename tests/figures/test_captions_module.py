"""Captions on a page: the grammar and the tokens are Python's, and slips find a legal caption."""

import pytest

from attnoise.data.captions import COLOURS, all_captions, encode_captions, parse_caption
from attnoise.errors import DataError
from attnoise.figures.studio import FACTS
from node import run_modules

BAD = [
    "", "a large pink circle", "a pink large gold circle", "a large circle", "a circle large red",
    "a small red ring above a large red ring", "a small red ring near a large blue ring",
    "a small red ring of left a large blue ring", "small red ring", "a small red ring above",
]  # fmt: skip
GOOD = [str(caption) for caption in all_captions()[::97]] + ["A Large RED circle."]
SLIPS = {
    "red circle": "a large red circle",
    "a big red ball": "a large red circle",
    "tiny ring": "a small red ring",
    "green": "a large green circle",
    "Two green squares": "a large green square",
    "a large red cirlce": "a large red circle",
    "a smal gren triangel": "a small green triangle",
    "red circle under blue box": "a large red circle below a large blue square",
    "a red ball on top of a small gold star": "a large red circle above a small yellow circle",
    "red circle and blue square": "a large red circle left of a large blue square",
    "a ring to the right of a small blue x": "a large red ring right of a small blue cross",
    "a cross next to and above a ring": "a large red cross above a large red ring",
    "green square, purple ring": "a large green square left of a large purple ring",
    "a small red ring above a large red ring": "a small red ring above a large green ring",
    "a circle large red": "a large red circle",
    "a red square above": "a large red square",
}
NOTHING = ["", "   ", "a cat", "why?", "42", "the of a"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Evaluate an expression over the module for each of some texts."""

    def run(code, texts):
        folder = tmp_path_factory.mktemp("captions")
        given = [(code, {"facts": FACTS, "text": text}) for text in texts]
        return run_modules(folder, ["captions"], given)

    return run


def test_the_grammar_is_pythons(page):
    found = page("captionText(parseCaption(given.facts, given.text))", GOOD)
    assert [answer["value"] for answer in found] == [str(parse_caption(text)) for text in GOOD]
    tokens = page("encodeCaption(given.facts, parseCaption(given.facts, given.text))", GOOD)
    assert [answer["value"] for answer in tokens] == encode_captions(GOOD).tolist()


def test_what_is_no_caption_is_refused_as_in_python(page):
    for text, answer in zip(BAD, page("parseCaption(given.facts, given.text)", BAD), strict=True):
        with pytest.raises(DataError) as error:
            parse_caption(text)
        assert answer["error"] == f"Error: {error.value}"


def test_slips_find_the_caption_that_was_meant(page):
    found = page("nearestCaption(given.facts, given.text)", list(SLIPS))
    assert {text: a["value"] for text, a in zip(SLIPS, found, strict=True)} == SLIPS


def test_what_says_nothing_finds_nothing(page):
    assert page("nearestCaption(given.facts, given.text)", NOTHING) == [{"value": None}] * 6


def test_the_nearest_caption_is_legal_and_a_legal_one_is_its_own(page):
    texts = [*GOOD, *BAD, *SLIPS]
    found = [a["value"] for a in page("nearestCaption(given.facts, given.text)", texts)]
    assert found[: len(GOOD)] == [str(parse_caption(text)) for text in GOOD]
    assert all(str(parse_caption(text)) == text for text in found if text is not None)


def test_every_word_may_be_misspelt_by_one_letter(page):
    words = [word for word in COLOURS if len(word) > 4]
    slips = [word[:2] + "q" + word[3:] for word in words]
    found = page("nearestCaption(given.facts, given.text)", [f"{slip} circle" for slip in slips])
    assert [a["value"] for a in found] == [f"a large {word} circle" for word in words]
