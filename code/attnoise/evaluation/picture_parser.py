"""Object detection in pictures of shapes by template matching, and scores of captions by it.

No network is involved: what is not one of the shapes in one of the colours counts as none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_images
from ..data.captions import COLOURS, SHAPES, Caption, SceneObject
from ..data.shapes import BACKGROUND, PALETTE, RADIUS, SIDE, Scene, coverage
from ..devices import on_cpu
from ..errors import ShapeError

HALF = 8  # a template reaches so many pixels from its middle
COVERED = 0.4  # a pixel belongs to an object if it is covered by so much or more
LEAST = 4  # pixels; fewer are no object
COLOUR_LIMIT = 0.2  # an object's colour lies at most so far from its name's, in RGB
SHAPE_LIMIT = 0.15  # part of a template's square that may be missing or too much
SIZE_LIMIT = sum(RADIUS.values()) / 2
UNCLEAR = "?"


@dataclass(frozen=True)
class DetectedObject:
    """A detected object, "?" for an attribute that is unclear, and its centre in pixels."""

    object: SceneObject
    x: float
    y: float


@cache
def _templates() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return all templates, flat, with the shape, the radius and the centre of each."""
    side = 2 * HALF + 1
    radii = torch.arange(3.0, 7.01, 0.2).tolist()
    offsets = torch.arange(-0.6, 0.61, 0.2).tolist()
    rows = list(product(range(len(SHAPES)), radii, offsets, offsets))
    shape = torch.tensor([row[0] for row in rows])[:, None]
    radius = torch.tensor([row[1] for row in rows])[:, None]
    centre = torch.tensor([row[2:] for row in rows])[:, None] + side / 2
    chunks = zip(shape.split(500), radius.split(500), centre.split(500), strict=True)
    drawn = torch.cat([coverage(Scene(s, s, r, c), side=side) for s, r, c in chunks])
    return drawn.flatten(1), shape[:, 0], radius[:, 0], centre[:, 0]


@on_cpu
def parse_pictures(images: Float[Tensor, "b 3 32 32"]) -> list[list[DetectedObject]]:
    """Detect the objects in each picture.

    Each pixel is taken apart into background and the colour of the palette that fits it best.
    Connected pixels make an object. The colour that explains its pixels best must be close to the
    palette's; the template with the least squared error names its shape and gives size and place.

    Args:
        images: Pixels in [-1, 1]; what lies outside is cut off.

    Returns:
        Per picture its objects, from left to right.

    Raises:
        ShapeError: The pictures have another size, or are no floating-point numbers.
        DataError: A pixel is NaN, infinite, or far outside [-1, 1].
    """
    images = images.detach().cpu()
    check_images("images", images, (3, SIDE, SIDE))
    from scipy.ndimage import label  # slow to import

    background = torch.tensor(BACKGROUND)
    paint = torch.tensor([PALETTE[name] for name in COLOURS]) - background  # c 3
    light = (images.float().clamp(-1, 1) + 1) / 2 - background[:, None, None]
    abundances, best = _unmix(light, paint)
    masks = (abundances.gather(1, best[:, None])[:, 0] >= COVERED).numpy()

    owners, colours, corners, patches = [], [], [], []
    for row, mask in enumerate(masks):
        places, count = label(mask, structure=np.ones((3, 3)))
        for number in range(1, count + 1):
            own = torch.from_numpy(places == number)
            if int(own.sum()) < LEAST:
                continue
            votes = best[row][own].bincount(minlength=len(COLOURS))
            abundance = abundances[row, int(votes.argmax())]
            weight = abundance * own
            hue = (light[row] * weight).sum(dim=(1, 2)) / weight.square().sum()  # least squares
            known = bool((hue - paint[votes.argmax()]).norm() <= COLOUR_LIMIT)
            elsewhere = torch.from_numpy((places > 0) & (places != number))
            patch, corner = _cut(abundance.masked_fill(elsewhere, 0), own)
            owners.append(row)
            colours.append(COLOURS[int(votes.argmax())] if known else UNCLEAR)
            corners.append(corner)
            patches.append(patch)

    found: list[list[DetectedObject]] = [[] for _ in images]
    if patches:
        matches = _match(torch.stack(patches))
        for row, colour, corner, match in zip(owners, colours, corners, matches, strict=True):
            shape, radius, (x, y) = match
            size = "large" if radius > SIZE_LIMIT else "small"
            found[row].append(
                DetectedObject(SceneObject(size, colour, shape), corner[0] + x, corner[1] + y)
            )
    return [sorted(each, key=lambda one: (one.x, one.y)) for each in found]


def _unmix(
    light: Float[Tensor, "b 3 height width"], paint: Float[Tensor, "c 3"]
) -> tuple[Float[Tensor, "b c height width"], Int[Tensor, "b height width"]]:
    """Return how much of each colour each pixel would have, and which colour fits it best."""
    abundances = torch.einsum("bkhw,ck->bchw", light, paint / paint.square().sum(1, keepdim=True))
    abundances = abundances.clamp(0, 1)
    mixed = torch.einsum("bchw,ck->bckhw", abundances, paint)
    return abundances, (light[:, None] - mixed).square().sum(2).argmin(dim=1)


def _cut(abundance: Tensor, own: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Cut a square around an object; return it with where its upper left corner is."""
    y, x = (round(float(axis.float().mean())) for axis in own.nonzero(as_tuple=True))
    padded = torch.nn.functional.pad(abundance, [HALF] * 4)
    return padded[y : y + 2 * HALF + 1, x : x + 2 * HALF + 1], (x - HALF, y - HALF)


def _match(patches: Float[Tensor, "m p p"]) -> list[tuple[str, float, tuple[float, float]]]:
    """Return shape, radius and centre of the template nearest to each patch."""
    templates, shape, radius, centre = _templates()
    flat = patches.flatten(1)
    square = templates.square().sum(dim=1)  # m
    error = flat.square().sum(dim=1, keepdim=True) - 2 * flat @ templates.T + square
    least, which = error.min(dim=1)
    return [
        (
            SHAPES[int(shape[k])] if float(e / square[k]) <= SHAPE_LIMIT else UNCLEAR,
            float(radius[k]),
            (float(centre[k, 0]), float(centre[k, 1])),
        )
        for e, k in zip(least, which, strict=True)
    ]


@dataclass(frozen=True)
class CaptionScore:
    """Which parts of a caption a picture shows.

    Args:
        count: As many objects as asked for.
        colours, shapes, sizes: As often as asked for, whatever object has them.
        objects: Every object with the attributes that belong together (attribute binding).
        relation: They lie as asked.
    """

    count: bool
    colours: bool
    shapes: bool
    sizes: bool
    objects: bool
    relation: bool

    @property
    def exact(self) -> bool:
        """Whether the picture shows what the caption says, and nothing else."""
        return self.objects and self.relation

    @property
    def error(self) -> str:
        """The first error: "", "count", "colour", ..., "binding" or "relation"."""
        kinds = ("count", "colour", "shape", "size", "binding", "relation")
        fine = (self.count, self.colours, self.shapes, self.sizes, self.objects, self.relation)
        return next((kind for kind, good in zip(kinds, fine, strict=True) if not good), "")


def score_caption(caption: Caption, found: Sequence[DetectedObject]) -> CaptionScore:
    """Score a picture's detected objects against its caption.

    A relation holds between the two centres if it is true along the axis on which they are
    further apart.
    """
    asked, seen = caption.objects, [each.object for each in found]

    def same(part: Callable[[SceneObject], str]) -> bool:
        return sorted(map(part, asked)) == sorted(map(part, seen))

    objects = same(str)
    return CaptionScore(
        count=len(asked) == len(seen),
        colours=same(lambda t: t.colour),
        shapes=same(lambda t: t.shape),
        sizes=same(lambda t: t.size),
        objects=objects,
        relation=objects and (caption.relation is None or _lies(caption, found)),
    )


def _lies(caption: Caption, found: Sequence[DetectedObject]) -> bool:
    first, second = sorted(found, key=lambda each: each.object != caption.objects[0])
    right, down = second.x - first.x, second.y - first.y
    if abs(down) > abs(right):
        return caption.relation == ("above" if down > 0 else "below")
    return caption.relation == ("left of" if right > 0 else "right of")


def score_captions(
    captions: Sequence[Caption], images: Float[Tensor, "b 3 32 32"]
) -> list[CaptionScore]:
    """Score each picture against its caption, by what `parse_pictures` detects.

    Raises:
        ShapeError: There is not one caption per picture, or the pictures have another size.
        DataError: A pixel is NaN, infinite, or far outside [-1, 1].
    """
    if len(captions) != len(images):
        raise ShapeError(
            f"captions and images must be pairs, but there are {len(captions)} captions and "
            f"{len(images)} images."
        )
    return [
        score_caption(c, found) for c, found in zip(captions, parse_pictures(images), strict=True)
    ]
