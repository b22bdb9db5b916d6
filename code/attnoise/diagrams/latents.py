"""Diagrams of latent spaces: the autoencoder, and diffusion among its latents."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..data import draw_captions, encode_captions, parse_caption
from ..diffusion import add_noise, euler_sample, last, make_timesteps
from ..together import condition_on_text
from .geometry import Point
from .scene import Part, Scene
from .shapes import Shapes, as_latent, as_picture, shipped, trace
from .words import Maker, begin

CAPTION = "a large red circle"


@cache
def example() -> dict[str, Tensor]:
    """Return one captioned picture, its latent, noise, a noisy latent, and a sampled picture."""
    autoencoder, _ = shipped("shapes-autoencoder")
    model, _ = shipped("text-to-image")
    draw = torch.Generator().manual_seed(3)
    image = draw_captions([parse_caption(CAPTION)], draw)
    with torch.no_grad():
        latent = autoencoder.encode(image)
        back = autoencoder.decode(latent)
    tokens, time = encode_captions([CAPTION]), torch.tensor([0.5])
    start = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    x_t = add_noise(latent, time, start, model.path)
    denoiser, label = condition_on_text(model, tokens, 2.0)
    with torch.no_grad():
        times: Any = {"timesteps": make_timesteps(model.path, 16), "parametrisation": "flow"}
        sampled = last(euler_sample(denoiser, start, model.path, draw, label=label, **times))
        sample = autoencoder.decode(sampled)
    return {
        "image": image, "latent": latent, "back": back, "noise": start, "x_t": x_t,
        "tokens": tokens, "time": time, "sampled": sampled, "sample": sample,
    }  # fmt: skip


def latent_row(
    scene: Scene, cx: float, y: float, latent: Tensor, part: Part, *, w: float
) -> tuple[Point, Point]:
    """Draw the channels of a latent in a row; return the middles of its lower and upper edge."""
    channels, pad = latent[0], 4
    wide = len(channels) * (w + pad) + pad
    tile = scene.box(cx, y - pad, "", part, w=wide, h=w + 2 * pad)
    for i, channel in enumerate(channels):
        x = tile.x + pad + (w + pad) * i + w / 2
        scene.picture(x, y, as_latent(channel), part, w=w)
    return tile.bottom, tile.top


# Of the way down and up: the key of the part, its label, its width, its module.
DOWN = (
    ("unshuffle_convolve", "unshuffle, convolve", 236, "encoder.1"),
    ("halve", "halve", 172, "encoder.3"),
    ("mean_log_variance", "mean, log-variance", 150, "encoder"),
)
UP = (
    ("convolve", "convolve", 150, "decoder.0"),
    ("double", "double", 172, "decoder.4"),
    ("convolve_shuffle", "convolve, shuffle", 236, "decoder"),
)


def draw_autoencoder() -> Scene:
    """Draw the shipped autoencoder with a picture on its way through the bottleneck."""
    autoencoder, _ = shipped("shapes-autoencoder")
    given = example()
    image, latent, back = given["image"], given["latent"], given["back"]
    shapes = trace(autoencoder, image)
    ratio = image.numel() // latent.numel()
    scene, part = begin("autoencoder", 652, stages="b c i j", ratio=ratio)
    picture = scene.picture(170, 4, as_picture(image[0]), part("picture", image.shape), w=72)
    start = _stages(scene, part, shapes, picture.bottom, image.shape, DOWN, 100)
    bottom, top = latent_row(scene, 170, 314, latent, part("latent", latent.shape), w=34)
    scene.arrow(start, top, shape=size(shapes["encoder"]))
    scene.text(86, 331, "latent", anchor="end", tone="data")
    start = _stages(scene, part, shapes, bottom, latent.shape, UP, 372)
    made = part("reconstruction", back.shape)
    last = scene.picture(170, 576, as_picture(back[0]), made, w=72)
    scene.arrow(start, last.top, shape=size(back.shape))
    return scene


def size(shape: Sequence[int]) -> str:
    """Return a shape without its batch axis, as an arrow shows it."""
    return "·".join(map(str, shape[1:]))


def _stages(
    scene: Scene,
    part: Maker,
    shapes: Shapes,
    start: Point,
    given: Sequence[int],
    rows: tuple,
    y: float,
) -> Point:
    """Draw boxes one below the other; return where the last one ends."""
    for i, (key, label, w, name) in enumerate(rows):
        box = scene.box(170, y + 69 * i, label, part(key, shapes[name]), w=w)
        scene.arrow(start, box.top, shape=size(given))
        start, given = box.bottom, shapes[name]
    return start


def draw_latent_diffusion() -> Scene:
    """Draw training and sampling of latent diffusion, with the shipped models' own pictures."""
    given = example()
    scene, part = begin("latent-diffusion", 528, caption=CAPTION)
    scene.text(82, 12, "training", kind="note")
    scene.text(258, 12, "sampling", kind="note")
    _training(scene, part, given)
    _sampling(scene, part, given)
    return scene


def _training(scene: Scene, part: Maker, given: dict[str, Tensor]) -> None:
    """Draw the left column."""
    x, sizes, image = 82, given["latent"].shape, given["image"]
    picture = scene.picture(x, 26, as_picture(image[0]), part("picture", image.shape), w=60)
    box = scene.box(x, 108, "encoder", part("encoder", sizes), w=120)
    scene.arrow(picture.bottom, box.top)
    bottom, top = latent_row(scene, x, 176, given["latent"], part("clean_latent", sizes), w=26)
    scene.arrow(box.bottom, top)
    mixed = part("noisy_latent", sizes)
    plus = scene.sign(x, 236, mixed)
    scene.arrow(bottom, plus.top)
    scene.text(28, 236, "noise", tone="noise")
    scene.arrow((50, 236), plus.left, tone="noise")
    bottom, top = latent_row(scene, x, 270, given["x_t"], mixed, w=26)
    scene.arrow(plus.bottom, top)
    box = scene.box(x, 330, "network", part("network", sizes), w=120, tone="prediction")
    scene.arrow(bottom, box.top, shape="b c i j")
    last = scene.box(x, 420, "loss", part("loss"), w=120)
    scene.arrow(box.bottom, last.top, shape="b c i j")


def _sampling(scene: Scene, part: Maker, given: dict[str, Tensor]) -> None:
    """Draw the right column."""
    x, sizes, image = 258, given["noise"].shape, given["sample"]
    bottom, _ = latent_row(scene, x, 34, given["noise"], part("noise", sizes), w=26)
    scene.frame(182, 92, 152, 168)
    asked = part("network_in_sampling", sizes)
    box = scene.box(x, 108, "network", asked, w=120, tone="prediction")
    scene.arrow(bottom, box.top)
    step = scene.box(x, 190, "sampling step", part("sampling_step", sizes), w=120)
    scene.arrow(box.bottom, step.top, shape="b c i j")
    scene.arrow(step.bottom, (x, 250), (190, 250), (190, 130), (198, 130))
    bottom, top = latent_row(scene, x, 298, given["sampled"], part("last_latent", sizes), w=26)
    scene.arrow((x, 250), top)
    box = scene.box(x, 350, "decoder", part("decoder", image.shape), w=120)
    scene.arrow(bottom, box.top)
    shown = part("sample", image.shape, caption=CAPTION)
    picture = scene.picture(x, 424, as_picture(image[0]), shown, w=96)
    scene.arrow(box.bottom, picture.top)
