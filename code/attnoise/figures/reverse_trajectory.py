"""Scrub digits from noise to data and back. `reverse_trajectory.js` draws them on the page."""

import base64
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..checks import check_sizes
from ..errors import ConfigError, DataError, ShapeError
from .controls import Control
from .explore import MovingFigure, live
from .plots import COLOURS, as_array

Rows = list[tuple[str, str, np.ndarray]]  # label, idea, bytes of shape (steps, b, height, width)


def reverse_trajectory(
    x: Float[Tensor, "steps b *c height width"],
    x0_hat: Float[Tensor, "steps b *c height width"],
    times: Sequence[int],
    *,
    start: int | None = None,
    columns: int = 8,
    title: str = "Scrub the reverse process",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a reader scrubs a sampler's steps, from noise to digits.

    Args:
        x: The samples at each kept step, grey images in [-1, 1], noise first, about 26 steps.
        x0_hat: The denoiser's prediction at each of these steps.
        times: The time t of each of these steps, falling.
        start: The time shown first; the first of times if not given.
        columns: Images in a line on a wide page.
        title: The visible title.
        alt: What the figure shows; a text made from the counts if not given.

    Raises:
        ShapeError: x, x0_hat and times do not fit together.
        DataError: An image holds NaN or infinity.
        ConfigError: The times do not fall, start is none of them, or columns is below 1.
    """
    rows = [
        ("samples x_t", "noise", as_bytes("x", x, times)),
        ("predictions of the clean digits", "prediction", as_bytes("x0_hat", x0_hat, times)),
    ]
    if rows[0][2].shape != rows[1][2].shape:
        raise ShapeError(
            f"x and x0_hat must have the same shape, but theirs are {tuple(x.shape)} and "
            f"{tuple(x0_hat.shape)}."
        )
    count = rows[0][2].shape[1]
    return build(
        rows,
        times,
        start=times[0] if start is None else start,
        columns=columns,
        title=title,
        alt=alt
        or (
            f"{count} small grey images in two rows at one step of the reverse process: above, "
            "the samples, which turn from noise into digits as t falls; below, the denoiser's "
            "prediction of the clean digits at the same step, blurred at first, sharp at the end."
        ),
        play={"control": "t", "seconds": 5},
    )


def build(
    rows: Rows,
    times: Sequence[int],
    *,
    start: int,
    columns: int,
    title: str,
    alt: str,
    play: dict,
) -> MovingFigure:
    """Give rows of images one slider over the time."""
    check_sizes(columns=columns)
    steps = [int(t) for t in times]
    if any(later >= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
        raise ConfigError(f"times must fall from noise to data, but they are {steps}.")
    data = {
        "columns": columns,
        "shape": list(rows[0][2].shape),
        "rows": [
            {"label": label, "idea": idea, "pixels": data_address(pixels)}
            for label, idea, pixels in rows
        ],
    }
    return live(
        "reverse_trajectory",
        data,
        {"t": Control(label="Time t", values=steps, start=start, idea="noise")},
        lambda t: draw(rows, steps.index(t), columns),
        lambda t: describe(distances(rows, steps.index(t)), t),
        numbers=lambda t: distances(rows, steps.index(t)),
        title=title,
        alt=alt,
        play=play,
    )


def as_bytes(name: str, images: Tensor, times: Sequence[int]) -> np.ndarray:
    """Return images in [-1, 1] as bytes, without their channel axis."""
    stack = as_array(images)
    if stack.ndim == 5 and stack.shape[2] == 1:
        stack = stack[:, :, 0]
    if stack.ndim != 4 or len(stack) != len(times):
        raise ShapeError(
            f"{name} must have shape (steps, images, height, width) with {len(times)} steps, one "
            f"for each of times, but its shape is {tuple(images.shape)}."
        )
    if not np.isfinite(stack).all():
        raise DataError(f"{name} must hold no NaN or infinity; look at the sampler's steps.")
    return np.round((np.clip(stack, -1, 1) + 1) * 127.5).astype(np.uint8)


def data_address(pixels: np.ndarray) -> str:
    """Return bytes as text for the page."""
    return "data:application/octet-stream;base64," + base64.b64encode(pixels.tobytes()).decode()


def distances(rows: Rows, step: int) -> dict:
    """Return how far each row is from the final samples: root mean square over all pixels."""
    final = rows[0][2][-1].astype(float)
    far = [
        float(np.sqrt(np.square(pixels[step] - final).mean())) / 127.5 for _label, _, pixels in rows
    ]
    return {"distances": far}


def describe(found: dict, t: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    sample, prediction = (f"{far:.1f}" for far in found["distances"])
    return (
        f"t = {t}: a pixel of the samples is typically {sample} from its final grey, "
        f"a pixel of the predictions {prediction}."
    )


def draw(rows: Rows, step: int, columns: int) -> Figure:
    """Draw each row of images as one mosaic."""
    count, height, width = rows[0][2].shape[1:]
    columns = min(columns, count)
    lines = -(-count // columns)
    tall = 6.4 * lines * (height + 1) / (columns * (width + 1)) + 0.3
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(6.4, tall * len(rows)), squeeze=False, layout="constrained"
    )
    for ax, (label, idea, pixels) in zip(axes.flat, rows, strict=True):
        mosaic = np.zeros((lines * (height + 1), columns * (width + 1)))
        for index, image in enumerate(pixels[step]):
            top, left = index // columns * (height + 1), index % columns * (width + 1)
            mosaic[top : top + height, left : left + width] = image
        ax.imshow(mosaic[:-1, :-1], cmap="gray_r", vmin=0, vmax=255)
        ax.axis("off")
        ax.set_title(label, color=COLOURS[idea], fontsize=9.5)
    return figure
