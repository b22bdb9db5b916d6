"""The sealed answers: as the checkers are today, saying what they say, and telling nothing else."""

import importlib
import json

import answers
import pytest
from tests.exercises.proof import answers as solutions
from tests.exercises.proof import run

from attnoise.exercises.comparisons import compared, flat, grid_point, number_at, table_of

STORED = json.loads(answers.PATH.read_text("utf8"))
EXERCISES = [
    pytest.param(chapter, one, id=f"{chapter.split('/')[-1]}-{one.number}")
    for chapter, found in answers.chapters().items()
    for one in found
]


def module_of(chapter: str):
    return importlib.import_module(f"attnoise.exercises.{chapter.split('/')[-1].replace('-', '_')}")


def given_by(one, answer) -> list[float | str]:
    """An answer as a page's fields hold it."""
    if not one.asks[0].options:
        return flat(answer)
    if len(one.asks) == 1:
        return [" ".join(str(int(x)) for x in flat(answer))]
    return [str(int(x)) for x in flat(answer)]


def test_the_file_is_as_new_as_the_checkers(monkeypatch):
    assert answers.older(STORED) == [], "run: python tools/answers.py"
    chapter = "book/attention/attention"
    (first, *_) = answers.chapters()[chapter]
    monkeypatch.setattr(answers, "chapters", lambda: {chapter: [first]})
    assert answers.make() == {chapter: {"1": STORED[chapter]["1"]}}
    old = {chapter: {"1": STORED[chapter]["1"] | {"of": "another"}}}
    assert answers.older(old) == [f"{chapter} 1"]


@pytest.mark.parametrize(("chapter", "one"), EXERCISES)
def test_the_solution_and_each_known_mistake_open_the_checks_own_sentence(chapter, one):
    entry = STORED[chapter][str(one.number)]
    source, name = solutions(chapter.removeprefix("book/") + ".ipynb")[one.name]
    right = run(source, name, {"check": module_of(chapter)})
    said = answers.opened(entry, given_by(one, right))
    assert said == repr(one.check(right)) and said.startswith("✓")
    if one.asks[0].options:
        return
    for i, near in enumerate(compared(one)):
        for value, _ in near:
            mistaken = flat(right)
            # A mistake may lie on the edge of a tolerance, so it is taken as the grid has it.
            mistaken[i] = number_at(grid_point(value, entry["units"][i]), entry["units"][i])
            expected = repr(one.check(one.answer(*mistaken)))
            assert answers.opened(entry, mistaken) == expected


def test_a_number_that_means_nothing_gets_the_last_sentence():
    entry = STORED["book/attention/attention"]["1"]
    assert answers.opened(entry, [7.5]) == (
        "✗ The exponentials of the scores are 1, 3 and 1. Divide by their sum, then average."
    )
    with pytest.raises(ValueError, match="no verdict"):
        answers.opened(STORED["book/transformers/bert"]["5"], ["0 1 2 9"])


@pytest.mark.parametrize(("chapter", "one"), EXERCISES)
def test_nothing_of_what_is_sealed_can_be_read(chapter, one):
    text = json.dumps(STORED[chapter][str(one.number)], ensure_ascii=False)
    for verdict in table_of(one).verdicts.values():
        assert verdict not in text and verdict[2:40] not in text
    sealed = [text for field in STORED[chapter][str(one.number)]["fields"] for text in field]
    assert all(len(tag) == 2 * answers.TAG for tag in sealed)
    assert len(set(sealed)) == len(sealed)


def test_what_is_sealed_twice_is_open_again_and_only_with_its_key():
    text = "A sentence longer than one block of the stream, ✓ and not of one byte a sign.".encode()
    once = answers.crossed(text, b"key")
    assert once != text and answers.crossed(once, b"key") == text
    assert answers.crossed(once, b"another key") != text


def test_each_number_that_is_tried_takes_thousands_of_steps():
    assert all(one["iterations"] >= 10_000 for part in STORED.values() for one in part.values())
    assert answers.slow("0 0:22", "a") != answers.slow("0 0:22", "b")
