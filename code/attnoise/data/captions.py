"""Captions of small pictures: a context-free grammar whose every sentence has one parse.

    caption = object | object relation object        object = "a" size colour shape

There are 60 objects, 13,980 captions and 19 words. Five pairs of colour and shape are withheld from
training, so that a model can be asked for what it has never seen, while it has seen every word.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import torch
from jaxtyping import Int
from torch import Tensor

from ..errors import DataError, choose

SIZES = ("small", "large")
COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SHAPES = ("circle", "square", "triangle", "cross", "ring")
RELATIONS = {
    "above": "below",
    "below": "above",
    "left of": "right of",
    "right of": "left of",
}  # each with its inverse
WITHHELD = {
    ("red", "square"),
    ("green", "triangle"),
    ("blue", "circle"),
    ("yellow", "cross"),
    ("purple", "ring"),
}
WORDS = ("a", *SIZES, *COLOURS, *SHAPES, "above", "below", "left", "right", "of")
PADDING, MAX_LENGTH = 0, 10  # token 0 is no word; the longest caption has ten
_TOKENS = {word: token for token, word in enumerate(WORDS, start=1)}


@dataclass(frozen=True, order=True)
class SceneObject:
    """One object of a scene, such as a large red circle."""

    size: str
    colour: str
    shape: str

    def __str__(self) -> str:
        return f"a {self.size} {self.colour} {self.shape}"

    @property
    def withheld(self) -> bool:
        """Whether its colour and shape never come together in training."""
        return (self.colour, self.shape) in WITHHELD


@dataclass(frozen=True)
class Caption:
    """A caption: one object, or two and the relation of the first to the second.

    >>> ring, cross = SceneObject("small", "red", "ring"), SceneObject("large", "blue", "cross")
    >>> str(Caption((ring, cross), "left of"))
    'a small red ring left of a large blue cross'
    """

    objects: tuple[SceneObject, ...]
    relation: str | None = None

    def __str__(self) -> str:
        return f" {self.relation} ".join(map(str, self.objects))

    @property
    def meaning(self) -> "Caption":
        """The canonical caption of the same picture: A above B, never B below A."""
        if self.relation in ("below", "right of"):
            return Caption(self.objects[::-1], RELATIONS[self.relation])
        return self

    @property
    def swapped(self) -> "Caption":
        """The caption with its two colours exchanged: same words, another picture."""
        if len(self.objects) < 2:
            return self
        first, second = self.objects
        return Caption(
            (replace(first, colour=second.colour), replace(second, colour=first.colour)),
            self.relation,
        )

    @property
    def withheld(self) -> int:
        """How many of its objects have a withheld pair of colour and shape."""
        return sum(each.withheld for each in self.objects)


def parse_caption(text: str) -> Caption:
    """Parse a caption.

    Args:
        text: Words of the grammar; case and full stops do not matter.

    Raises:
        DataError: It is empty, has an unknown word, or is no sentence of the grammar.

    >>> parse_caption("a large red circle").objects[0].shape
    'circle'
    """
    words = text.lower().replace(".", " ").split()
    if not words:
        raise DataError("caption must name an object, but it is empty; try 'a large red circle'.")
    unknown = [word for word in words if word not in _TOKENS]
    if unknown:
        raise DataError(
            f"caption must be made of known words, but {', '.join(map(repr, unknown))} "
            f"{'is' if len(unknown) == 1 else 'are'} none; known are {', '.join(WORDS)}."
        )
    middle = " ".join(words[4:-4])
    if len(words) == 4:
        return Caption((_object(words),))
    if len(words) < 9 or middle not in RELATIONS:
        raise DataError(
            f"caption must be one object, or two with a relation between them, but it is {text!r};"
            " an object is 'a', size, colour, shape; a relation is above, below, left of or right "
            "of."
        )
    caption = Caption((_object(words[:4]), _object(words[-4:])), middle)
    first, second = caption.objects
    if (first.colour, first.shape) == (second.colour, second.shape):
        raise DataError(
            f"caption must name two objects that differ in colour or shape, but both are "
            f"{first.colour} {first.shape}s; change one of them."
        )
    return caption


def _object(words: Sequence[str]) -> SceneObject:
    article, *attributes = words
    kinds = {"size": SIZES, "colour": COLOURS, "shape": SHAPES}
    for given, (kind, known) in zip(attributes, kinds.items(), strict=True):
        if article != "a" or given not in known:
            raise DataError(
                f"caption must describe an object as 'a', size, colour, shape, but it has "
                f"{' '.join(words)!r}; as {kind} it may have {', '.join(known)}."
            )
    return SceneObject(*attributes)


@cache
def all_captions() -> tuple[Caption, ...]:
    """Return every caption of the grammar: 60 of one object, 13,920 of two."""
    objects = [SceneObject(*parts) for parts in product(SIZES, COLOURS, SHAPES)]
    pairs = [
        Caption((first, second), relation)
        for first, second, relation in product(objects, objects, RELATIONS)
        if (first.colour, first.shape) != (second.colour, second.shape)
    ]
    return (*(Caption((each,)) for each in objects), *pairs)


def split_of(caption: Caption) -> str:
    """Return the split that a caption belongs to: "train", "unseen", "one" or "two".

    Captions with withheld pairs are in "one" or "two". Of the others a tenth, by a hash, is
    "unseen". What means the same picture, or differs by exchanged colours alone, has the same
    hash: no unseen caption was seen from its other side, or with its colours exchanged.
    """
    if caption.withheld:
        return ("one", "two")[caption.withheld - 1]
    family = min(str(caption.meaning), str(caption.swapped.meaning))
    return "unseen" if hashlib.sha1(family.encode()).digest()[0] < 26 else "train"


@cache
def load_captions(split: str = "train") -> tuple[Caption, ...]:
    """Return the captions of one split, in the grammar's order.

    Args:
        split: "train"; "unseen", no withheld pair; "one" or "two" objects with a withheld pair;
            "swapped": those of "unseen" whose two colours and shapes differ, each beside itself
            with exchanged colours that is "unseen" as well: both must come out, each as asked.

    Raises:
        ConfigError: The split is unknown.
    """
    choose("split", split, dict.fromkeys(("train", "unseen", "one", "two", "swapped")))
    if split != "swapped":
        return tuple(c for c in all_captions() if split_of(c) == split)
    pairs: list[Caption] = []
    for caption in load_captions("unseen"):
        other = caption.swapped
        shapes = {each.shape for each in caption.objects}
        if len(shapes) == 2 and str(caption) < str(other) and split_of(other) == "unseen":
            pairs += [caption, other]
    return tuple(pairs)


def encode_captions(captions: Sequence[Caption | str | None]) -> Int[Tensor, "b 10"]:
    """Tokenize captions: one token per word, `PADDING` after the last.

    Args:
        captions: As text or parsed; None is the empty caption, for unconditional samples.

    Raises:
        DataError: A text is no caption, or one text was given where a list of them should be.
    """
    if isinstance(captions, str):
        raise DataError(f"captions must be a list, but it is one text: write [{captions!r}].")
    tokens = torch.full((len(captions), MAX_LENGTH), PADDING)
    for row, caption in zip(tokens, captions, strict=True):
        read = parse_caption(caption) if isinstance(caption, str) else caption
        words = [] if read is None else str(read).split()
        row[: len(words)] = torch.tensor([_TOKENS[word] for word in words])
    return tokens
