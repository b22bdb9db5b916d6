"""Little pictures of coloured shapes, drawn from captions: place the objects, then draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from einops import reduce
from jaxtyping import Float, Int
from torch import Tensor

from ..devices import on_cpu
from ..errors import ConfigError, DataError
from .captions import COLOURS, SHAPES, SIZES, Caption

SIDE = 32  # pixels
RADIUS = {"small": 3.6, "large": 6.0}  # pixels; drawn up to 5 % smaller or larger
EXTENT = 1.15  # no shape reaches further from its centre along an axis, in radii
BACKGROUND = (0.07, 0.08, 0.11)
PALETTE = {
    "red": (0.90, 0.20, 0.18),
    "green": (0.16, 0.70, 0.30),
    "blue": (0.20, 0.42, 0.95),
    "yellow": (0.97, 0.86, 0.18),
    "purple": (0.72, 0.28, 0.88),
    "white": (0.96, 0.96, 0.96),
}


@dataclass(frozen=True)
class Scene:
    """A batch of scenes: one row per picture, one column per object.

    Args:
        shape: Index into SHAPES.
        colour: Index into COLOURS.
        radius: In pixels; 0 where there is no object.
        centre: Pixels from the upper left corner: first right, then down.
    """

    shape: Int[Tensor, "b objects"]
    colour: Int[Tensor, "b objects"]
    radius: Float[Tensor, "b objects"]
    centre: Float[Tensor, "b objects 2"]


def _circle(x: Tensor, y: Tensor) -> Tensor:
    return x.square() + y.square() <= 1


def _square(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) <= 0.88


def _triangle(x: Tensor, y: Tensor) -> Tensor:  # its corners lie at a distance of 1.15
    return (y <= 1.15 / 2) & (3**0.5 * x.abs() - y <= 1.15)


def _cross(x: Tensor, y: Tensor) -> Tensor:
    wide, high = x.abs(), y.abs()
    return (torch.minimum(wide, high) <= 0.32) & (torch.maximum(wide, high) <= 1)


def _ring(x: Tensor, y: Tensor) -> Tensor:
    distance = x.square() + y.square()
    return (distance >= 0.5**2) & (distance <= 1)


# Whether a shape of radius 1 around the origin covers a point; y grows downwards.
COVERS = dict(zip(SHAPES, (_circle, _square, _triangle, _cross, _ring), strict=True))


@on_cpu
def coverage(
    scene: Scene, *, side: int = SIDE, fine: int = 4
) -> Float[Tensor, "b objects height width"]:
    """Return which part of each pixel each object covers, from fine * fine points per pixel."""
    points = (torch.arange(side * fine) + 0.5) / fine
    covered = torch.zeros(*scene.shape.shape, side, side)
    for number, covers in enumerate(COVERS.values()):
        ours = (scene.shape == number) & (scene.radius > 0)  # b objects
        radius, centre = scene.radius[ours][:, None, None], scene.centre[ours][:, :, None, None]
        inside = covers((points - centre[:, 0]) / radius, (points[:, None] - centre[:, 1]) / radius)
        inside = inside.expand(-1, side * fine, side * fine).float()
        covered[ours] = reduce(inside, "m (h p) (w q) -> m h w", "mean", p=fine, q=fine)
    return covered


@on_cpu
def draw(scene: Scene) -> Float[Tensor, "b 3 32 32"]:
    """Render scenes with anti-aliased edges, pixels in [-1, 1]."""
    background = torch.tensor(BACKGROUND)[:, None, None]
    palette = torch.tensor([PALETTE[name] for name in COLOURS])
    images = background.expand(len(scene.shape), 3, SIDE, SIDE)
    for covered, colour in zip(coverage(scene).unbind(1), scene.colour.unbind(1), strict=True):
        paint = palette[colour][:, :, None, None]  # b 3 1 1
        images = images + covered[:, None] * (paint - images)
    return 2 * images - 1


def _check_captions(captions: Sequence[Caption]) -> None:
    if not len(captions):
        raise ConfigError("captions must hold one caption or more, but there are none.")
    if not all(isinstance(caption, Caption) for caption in captions):
        raise DataError(
            "captions must be a list of Caption, but it holds something else; read texts with "
            "parse_caption."
        )


def _uniform(generator: torch.Generator, *shape: int) -> Float[Tensor, "..."]:
    return torch.rand(*shape, generator=generator, device=generator.device).cpu()


@on_cpu
def place(captions: Sequence[Caption], generator: torch.Generator) -> Scene:
    """Sample a scene for each caption: sizes, within 5 %, and positions that make it true.

    Two objects lie apart by two pixels or more along the axis of their relation, and by at most
    half as much across it. Everything else is uniform.

    Args:
        captions: What to show.
        generator: Where sizes and positions come from, drawn on its device.

    Raises:
        ConfigError: There are no captions.
        DataError: A caption is a text; `parse_caption` reads it.
    """
    _check_captions(captions)
    rows = [(*caption.objects, *caption.objects)[:2] for caption in captions]  # one object: twice
    index = torch.tensor(
        [
            [(SHAPES.index(t.shape), COLOURS.index(t.colour), SIZES.index(t.size)) for t in row]
            for row in rows
        ]
    )
    shape, colour, size = index.unbind(-1)  # each b 2
    two = torch.tensor([len(caption.objects) == 2 for caption in captions])
    b = len(captions)
    random = partial(_uniform, generator)
    radius = torch.tensor([RADIUS[name] for name in SIZES])[size] * (0.95 + 0.1 * random(b, 2))
    half = EXTENT * radius  # b 2

    down = torch.tensor([c.relation in ("above", "below") for c in captions])
    back = torch.tensor([c.relation in ("below", "right of") for c in captions])
    room = SIDE - 1 - half.sum(dim=1)  # between two centres at most, half a pixel off the edges
    least = half.sum(dim=1) + 2
    along = least + (room - least) * random(b)
    across = torch.minimum(along / 2, room) * (2 * random(b) - 1)
    along = torch.where(back, -along, along)
    step = torch.where(
        down[:, None], torch.stack([across, along], -1), torch.stack([along, across], -1)
    )
    step = torch.where(two[:, None], step, torch.zeros(()))  # from the first centre to the second

    edge = half[:, :, None] + 0.5
    low = torch.maximum(edge[:, 0], edge[:, 1] - step)
    high = torch.minimum(SIDE - edge[:, 0], SIDE - edge[:, 1] - step)
    first = low + (high - low).clamp(min=0) * random(b, 2)
    centre = torch.stack([first, first + step], dim=1)
    radius = torch.stack([radius[:, 0], torch.where(two, radius[:, 1], 0.0)], dim=1)
    return Scene(shape, colour, radius, centre)


def draw_captions(
    captions: Sequence[Caption], generator: torch.Generator
) -> Float[Tensor, "b 3 32 32"]:
    """Sample one picture per caption: place its objects, then draw them; pixels in [-1, 1].

    Args:
        captions: What to show.
        generator: Where sizes and positions come from, drawn on its device.

    Raises:
        ConfigError, DataError: As in `place`.
    """
    return draw(place(captions, generator))
