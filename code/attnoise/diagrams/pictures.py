"""Diagrams of models of pictures: the vision transformer and the U-Net."""

import numpy as np
import torch

from ..data import load_mnist
from ..diffusion import add_noise, cosine_schedule
from ..transformers import patchify
from .geometry import Box
from .scene import Scene
from .shapes import Shapes, as_picture, shipped, trace
from .words import Maker, begin


def apart(picture: np.ndarray, p: int, *, scale: int = 3, gap: int = 2) -> np.ndarray:
    """Return a grey picture as its patches with clear gaps between them, in four channels."""
    n, side = len(picture) // p, p * scale + gap
    out = np.zeros((n * side - gap, n * side - gap, 4))
    large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    for i in range(n):
        for j in range(n):
            piece = large[i * p * scale : (i + 1) * p * scale, j * p * scale : (j + 1) * p * scale]
            place = out[i * side : i * side + p * scale, j * side : j * side + p * scale]
            place[..., :3], place[..., 3] = piece[..., None], 1
    return out


def draw_vit() -> Scene:
    """Draw the shipped ViT reading one digit of the test set."""
    model, _ = shipped("vit-mnist")
    config, digits = model.config, load_mnist("test")
    image = digits.images[digits.labels == 4][2:3]
    shapes, p = trace(model, image), config.patch
    with torch.no_grad():
        chances = model(image)[0].softmax(dim=-1)
    scene, part = begin(
        "vit", 618, side=config.image_size, patches=config.patches, best=int(chances.argmax())
    )
    picture, cut = as_picture(image[0]), part("patches", patchify(image, p).shape, p=p)
    left = scene.picture(72, 8, picture, part("picture", image.shape), w=112)
    right = scene.picture(258, 2, apart(picture, p), cut, w=124)
    scene.arrow(left.right, right.left)
    scene.text(162, 54, "cut", kind="note")
    linear = scene.box(258, 158, "linear", part("patch_embedding", shapes["patches"]), w=140)
    scene.arrow(right.bottom, linear.top, shape="b n e")
    plus = scene.sign(258, 232, part("sum", shapes["patches"]))
    scene.arrow(linear.bottom, plus.top)
    at = scene.box(84, 210, "positions", part("positions", model.positions.shape), w=140)
    scene.arrow(at.right, plus.left)
    blocks = part("blocks", shapes[f"blocks.{config.depth - 1}"])
    body = scene.box(170, 284, f"blocks × {config.depth}", blocks, w=316)
    scene.arrow(plus.bottom, (258, body.y), shape="b n d")
    norm = scene.box(170, 356, "norm", part("norm", shapes["norm"]), w=316)
    scene.arrow(body.bottom, norm.top, shape="b n d")
    label = "mean over patches, head"
    head = scene.box(170, 428, label, part("mean_and_head", shapes["head"]), w=316)
    scene.arrow(norm.bottom, head.top, shape="b n d")
    scene.arrow(head.bottom, (170, 504), shape="b classes")
    number = scene.part(part("probabilities", shapes["head"]))
    for digit, chance in enumerate(chances.tolist()):
        height, x = max(2.0, 76 * chance), 26 + 30 * digit
        scene.add("bar", number, box=Box(x, 592 - height, 18, height), tone="prediction")
        scene.text(x + 9, 606, str(digit), part=number)
    return scene


def draw_unet() -> Scene:
    """Draw the shipped U-Net removing noise from one digit."""
    model, _ = shipped("mnist-unet")
    digits, draw = load_mnist("test"), torch.Generator().manual_seed(0)
    x0 = digits.images[digits.labels == 3][1:2]
    schedule, t = cosine_schedule(1000), torch.tensor([500])
    x_t = add_noise(x0, t, torch.randn(x0.shape, generator=draw), schedule)
    given = x_t, t / schedule.T, torch.tensor([3])
    shapes = trace(model, *given)
    with torch.no_grad():
        x0_hat = model(*given)
    scene, part = begin("unet", 448, stages="b c i j d n height width")
    start = scene.picture(66, 6, as_picture(x_t[0]), part("noisy_picture", x_t.shape), w=72)
    end = scene.picture(274, 6, as_picture(x0_hat[0]), part("prediction", x0_hat.shape), w=72)
    down = _side(scene, part, shapes, 66, DOWN)
    up = _side(scene, part, shapes, 274, UP)
    for above, below, name in zip([start, *down], down, ("", "read", "down.0"), strict=False):
        scene.arrow(above.bottom, below.top, shape=size(shapes, name))
    for below, above, name in zip(up, [end, *up], ("", "up.0", "enlarge.0"), strict=False):
        scene.arrow(below.top, above.bottom, shape=size(shapes, name), side=-1)
    _middle(scene, part, shapes, down, up)
    return scene


# Of each side of the U, from the top: the key of the part, its label, its module, its width.
DOWN = (
    ("read", "read", "read", 120),
    ("residual_convolutions", "convolutions", "down.0", 120),
    ("halve", "halve", "shrink.0", 92),
)
UP = (
    ("write", "write", "write", 120),
    ("concatenate_convolve", "convolutions", "up.0", 120),
    ("double", "double", "enlarge.0", 92),
)


def size(shapes: Shapes, name: str) -> str:
    """Return a shape without its batch axis, as an arrow shows it."""
    return "·".join(map(str, shapes[name][1:]))


def _side(scene: Scene, part: Maker, shapes: Shapes, cx: float, rows: tuple) -> list[Box]:
    """Draw the boxes of one side of the U."""
    return [
        scene.box(cx, 104 + 76 * i, label, part(key, shapes[name]), w=w)
        for i, (key, label, name, w) in enumerate(rows)
    ]


def _middle(scene: Scene, part: Maker, shapes: Shapes, down: list[Box], up: list[Box]) -> None:
    """Draw the blocks at the bottom, the skip connection and the condition."""
    text, inner = size(shapes, "shrink.0"), part("blocks_of_part_ii", shapes["blocks.2"])
    blocks = scene.box(170, 376, "blocks × 3", inner, w=140, h=56)
    scene.arrow(down[2].bottom, (66, blocks.cy), blocks.left, shape=text, at=330)
    scene.arrow(blocks.right, (274, blocks.cy), up[2].bottom, shape=text, side=-1, at=330)
    left, right = down[1].right[0], up[1].left[0]
    scene.arrow((left, 212), (right, 212))
    scene.text(178, 225, "skip", kind="note", anchor="start")
    condition = scene.box(170, 20, "time,\nlabel", part("condition", shapes["time"]), w=88, h=48)
    scene.arrow(condition.bottom, blocks.top, dashed=True)
    scene.arrow((170, 192), (left, 192), dashed=True)
    scene.arrow((170, 192), (right, 192), dashed=True)
