"""The studio: type a caption, and the book's own model draws it on the page, step by step.

`studio.js` runs on the page. Recorded pictures stand there until the reader asks for one, and
wherever the model cannot run. The page makes its noise as `page_noise` does, so the same seed gives
the same picture in both.
"""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ..checks import check_images, check_positive, check_sizes
from ..data.captions import (
    COLOURS,
    MAX_LENGTH,
    RELATIONS,
    SHAPES,
    SIZES,
    WORDS,
    Caption,
    parse_caption,
)
from ..data.shapes import BACKGROUND, PALETTE, SIDE
from ..errors import ShapeError
from ..evaluation import picture_parser
from ..evaluation.picture_parser import DetectedObject
from .controls import Control
from .explore import MovingFigure, live

FACTS = {  # what the page knows of the grammar and of the parser
    "sizes": SIZES,
    "colours": COLOURS,
    "shapes": SHAPES,
    "relations": list(RELATIONS),
    "vocab": WORDS,
    "max_length": MAX_LENGTH,
    "palette": PALETTE,
    "background": BACKGROUND,
    "side": SIDE,
    "half": picture_parser.HALF,
    "limits": {
        "covered": picture_parser.COVERED,
        "least": picture_parser.LEAST,
        "colour": picture_parser.COLOUR_LIMIT,
        "shape": picture_parser.SHAPE_LIMIT,
        "size": picture_parser.SIZE_LIMIT,
    },
}


def page_uniform(seed: int, index: int) -> float:
    """Return the index-th number of a seed, above 0 and below 1, as the page's scripts draw it.

    Args:
        seed: From 0 to 2^32 - 1.
        index: From 0.

    Source: the generator mulberry32, whose state moves by the same number at each draw.
    """
    mask = 0xFFFFFFFF
    state = (seed + (index + 1) * 0x6D2B79F5) & mask
    mixed = ((state ^ (state >> 15)) * (state | 1)) & mask
    mixed = ((mixed + ((mixed ^ (mixed >> 7)) * (mixed | 61))) & mask) ^ mixed
    return ((mixed ^ (mixed >> 14)) + 0.5) / 2**32


def page_noise(seed: int, count: int) -> Float[Tensor, " n"]:
    """Draw standard noise from a whole number, the same here and in the page's script.

    Args:
        seed: From 0 to 2^32 - 1.
        count: How many numbers.

    Raises:
        ConfigError: count is below 1.

    Source: the transform of Box & Muller 1958, doi:10.1214/aoms/1177706645.
    """
    check_sizes(count=count)
    return torch.tensor(
        [
            math.sqrt(-2 * math.log(page_uniform(seed, 2 * i)))
            * math.cos(2 * math.pi * page_uniform(seed, 2 * i + 1))
            for i in range(count)
        ]
    )


def studio(
    captions: Sequence[str],
    pictures: Float[Tensor, "b steps 3 32 32"],
    *,
    seed: int,
    guidance_scale: float | int,
    model: str = "text-to-image",
    decoder: str = "shapes-decoder",
    title: str = "The studio: write a caption",
    alt: str | None = None,
    seconds: float | None = None,
) -> MovingFigure:
    """Build the figure in which a reader's caption becomes a picture.

    Args:
        captions: Of the recorded pictures.
        pictures: What the model predicts after each of its steps, from noise to picture.
        seed: The noise of all of them was `page_noise(seed, ...)`.
        guidance_scale: Of all of them.
        model: The file in the site's folder `_static/models`, without ".onnx": latents, time,
            tokens and scale in, velocity and attention to words out.
        decoder: The file that decodes latents.
        title: The visible title.
        alt: What the figure shows; a fixed text if not given.
        seconds: If given, the recorded steps play in a loop, and a run takes this long.

    Raises:
        ConfigError: seconds is not above 0.
        ShapeError: There are not as many captions as pictures, or pictures are not 32 x 32.
        DataError: A caption is none, or a pixel is NaN, infinite or far outside [-1, 1].
    """
    _check_films(captions, pictures)
    play = None if seconds is None else _looped(seconds)
    steps, asked = pictures.shape[1], [parse_caption(text) for text in captions]
    read = [picture_parser.parse_pictures(each) for each in pictures]
    numbered = {text: i for i, text in enumerate(captions)}
    sentences = [
        [describe_score(caption, found) for found in row]
        for caption, row in zip(asked, read, strict=True)
    ]
    data = {
        "facts": FACTS,
        "captions": list(captions),
        "films": [film(each) for each in pictures],
        "sentences": sentences,
        "steps": steps,
        "seed": seed,
        "guidance_scale": guidance_scale,
        "model": model,
        "decoder": decoder,
    }
    numbers = list(range(1, steps + 1))
    controls = {
        "caption": Control(label="Recorded", values=list(captions)),
        "step": Control(label="Step", values=numbers, start=steps, idea="prediction"),
    }

    def describe(caption: str, step: int) -> str:
        score = sentences[numbered[caption]][step - 1]
        return f"“{caption}”, after step {step} of {steps}: {score}"

    return live(
        "studio",
        data,
        controls,
        lambda caption, step: draw(pictures[numbered[caption]], caption, step),
        describe,
        numbers=lambda caption, step: {},  # the sentence holds what the page must find
        play=play,
        title=title,
        alt=alt
        or (
            "A picture of 32 by 32 pixels with one or two coloured shapes, large, and beneath it "
            "the model's prediction after each of its steps, from a blur to the finished picture."
        ),
    )


def _looped(seconds: float) -> dict[str, Any]:
    check_positive(seconds=seconds)
    return {"control": "step", "seconds": seconds, "auto": True, "loop": True}


def _check_films(captions: Sequence[str], pictures: Tensor) -> None:
    if len(captions) != len(pictures):
        raise ShapeError(
            f"captions and pictures must be as many, but are {len(captions)} and {len(pictures)}."
        )
    if pictures.ndim != 5:
        raise ShapeError(
            f"pictures must have shape (captions, steps, 3, {SIDE}, {SIDE}), but their shape is "
            f"{tuple(pictures.shape)}."
        )
    check_images("pictures", pictures.flatten(0, 1), (3, SIDE, SIDE))


def describe_score(caption: Caption, found: Sequence[DetectedObject]) -> str:
    """Name what the parser reads in a picture, and whether it was asked for.

    The page's script writes the same.
    """
    if not found:
        return "the parser finds nothing."
    seen = ", ".join(str(each.object) for each in found)
    error = picture_parser.score_caption(caption, found).error
    return f"the parser reads {seen}: " + (f"wrong {error}." if error else "exactly as asked.")


def film(pictures: Float[Tensor, "steps 3 32 32"]) -> str:
    """Return the pictures side by side as the data address of one lossless image."""
    pixels = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    strip = torch.cat(list(pixels), dim=2).permute(1, 2, 0)  # h steps*w 3
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(strip)).save(buffer, format="WEBP", lossless=True, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def draw(pictures: Float[Tensor, "steps 3 32 32"], caption: str, step: int) -> Figure:
    """Draw one recorded picture, and all its steps in a row beneath."""
    shown = ((pictures.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).numpy()
    figure = plt.figure(figsize=(6.4, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, len(pictures), height_ratios=[4, 1])
    large = figure.add_subplot(grid[0, :])
    large.imshow(shown[step - 1])
    large.set_title(caption)
    small = [figure.add_subplot(grid[1, i]) for i in range(len(pictures))]
    for number, (ax, image) in enumerate(zip(small, shown, strict=True), start=1):
        ax.imshow(image)
        ax.set_title(str(number), fontsize="small")
    for ax in (large, *small):
        ax.set(xticks=[], yticks=[])
    return figure
