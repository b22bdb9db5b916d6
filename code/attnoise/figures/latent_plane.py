"""Move between four latents, and the decoder on the page draws what lies there.

`latent_plane.js` runs on the page. A grid of recorded pictures stands there until the reader starts
the decoder, and wherever it cannot run.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..checks import check_images
from ..data.shapes import SIDE
from ..errors import ConfigError, ShapeError
from ..evaluation.picture_parser import DetectedObject, parse_pictures
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_finite
from .plots import COLOURS
from .studio import FACTS, film

VALUES = [round(0.05 * i, 2) for i in range(21)]
CORNERS = ("upper left", "upper right", "lower left", "lower right")


def between(
    corners: Float[Tensor, "4 c i j"], u: float | int, v: float | int
) -> Float[Tensor, "c i j"]:
    """Return the latent at a place of the square: u to the right, v down, both from 0 to 1.

    z(u, v) = (1 - v) ((1 - u) z_1 + u z_2) + v ((1 - u) z_3 + u z_4)

    Args:
        corners: Upper left, upper right, lower left, lower right.
        u: To the right.
        v: Down.

    Raises:
        ShapeError: corners are not four latents.
        ConfigError: u or v lies outside [0, 1].
    """
    check_corners(corners)
    for name, place in (("u", u), ("v", v)):
        if not 0 <= place <= 1:
            raise ConfigError(f"{name} must lie between 0 and 1, but it is {place}.")
    a, b, c, d = corners
    return (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)


def check_corners(corners: Tensor) -> None:
    """Check that there are four latents.

    Raises:
        ShapeError: There are more or fewer, or they are no latents.
    """
    if corners.ndim != 4 or len(corners) != 4:
        raise ShapeError(
            f"corners must be four latents, shape (4, channels, rows, columns), but their shape is "
            f"{tuple(corners.shape)}."
        )


def read_out(found: Sequence[DetectedObject]) -> str:
    """Name what the parser reads; the page's script writes the same."""
    if not found:
        return "the parser finds nothing"
    return "the parser reads " + ", ".join(str(each.object) for each in found)


def latent_plane(
    corners: Float[Tensor, "4 c i j"],
    pictures: Float[Tensor, "rows columns 3 32 32"],
    *,
    decoder: str = "shapes-decoder",
    title: str = "Move through the latent space",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader moves through a square of latents.

    Args:
        corners: Standardised latents: upper left, upper right, lower left, lower right.
        pictures: Recorded pictures, decoded on an even grid from corner to corner.
        decoder: The file in the site's folder `_static/models`, without ".onnx".
        title: The visible title.
        alt: What the figure shows; a fixed text if not given.

    Raises:
        ShapeError: corners are not four latents, or pictures no square grid of two or more pictures
            of 32 x 32 a side.
        DataError: A number is NaN or infinite, or a pixel far outside [-1, 1].
    """
    check_corners(corners)
    check_finite("corners", corners)
    side = len(pictures)
    if pictures.ndim != 5 or side < 2 or pictures.shape[1] != side:
        raise ShapeError(
            f"pictures must be a square grid of two or more a side, but it is "
            f"{' by '.join(map(str, pictures.shape[:2]))}."
        )
    check_images("pictures", pictures.flatten(0, 1), (3, SIDE, SIDE))
    found = parse_pictures(pictures.flatten(0, 1))
    sentences = [read_out(objects) for objects in found]

    def nearest(u: float, v: float) -> int:
        row, column = (int(place * (side - 1) + 0.5) for place in (v, u))
        return row * side + column

    data = {
        "facts": FACTS,
        "corners": rounded(corners.flatten(1)),
        "shape": list(corners.shape[1:]),
        "film": film(pictures.flatten(0, 1)),
        "side": side,
        "sentences": sentences,
        "decoder": decoder,
    }
    stored = torch.tensor(data["corners"], dtype=torch.float64).view(corners.shape)
    return live(
        "latent_plane",
        data,
        {
            "u": Control(label="To the right", values=VALUES, start=0.5, idea="data"),
            "v": Control(label="Down", values=VALUES, start=0.5, idea="data"),
        },
        lambda u, v: draw(pictures, nearest(u, v), u, v),
        lambda u, v: f"At ({u:.2f}, {v:.2f}), nearest recorded: {sentences[nearest(u, v)]}.",
        numbers=lambda u, v: {"latent": between(stored, u, v).flatten()[:8].tolist()},
        title=title,
        alt=alt
        or (
            "A square of small pictures, from corner to corner, with a mark that can be moved, and "
            "beside it, large, the picture at the mark."
        ),
    )


def draw(
    pictures: Float[Tensor, "rows columns 3 32 32"], shown: int, u: float | int, v: float | int
) -> Figure:
    """Draw the recorded grid with the mark, and the picture nearest to it."""
    pixels = (pictures.clamp(-1, 1) + 1) / 2
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.3), layout="constrained")
    whole = torch.cat([torch.cat(list(row), dim=2) for row in pixels], dim=1)
    side = whole.shape[1]
    axes[0].imshow(whole.permute(1, 2, 0).numpy())
    half = pixels.shape[-1] / 2  # corners are the middles of the outer pictures
    place = [half + part * (side - 2 * half) for part in (u, v)]
    axes[0].plot(*place, "o", ms=11, mfc="none", mec=COLOURS["prediction"], mew=2.5)
    axes[1].imshow(pixels.flatten(0, 1)[shown].permute(1, 2, 0).numpy())
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    return figure
