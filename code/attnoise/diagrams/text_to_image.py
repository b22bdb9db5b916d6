"""The diagram of the text-to-image model: words and noise in, a picture out."""

from torch import Tensor

from .latents import CAPTION, example, latent_row
from .scene import Scene
from .shapes import Shapes, as_picture, shipped, trace
from .words import Maker, begin

# Of each block: the key of the part, its label, and the module whose shape it has.
BLOCK = (
    ("self_attention", "self-attention", "dit.blocks.0.attention"),
    ("cross_attention", "cross-attention", "dit.blocks.0.cross_attention"),
    ("mlp", "MLP", "dit.blocks.0"),
)


def draw_text_to_image() -> Scene:
    """Draw the shipped model painting one caption."""
    model, _ = shipped("text-to-image")
    given = example()
    shapes = trace(model, given["x_t"], given["time"], given["tokens"])
    scene, part = begin("text-to-image", 704, caption=CAPTION)
    _inputs(scene, part, shapes, given)
    _blocks(scene, part, shapes, model.config.depth)
    _output(scene, part, given)
    return scene


def _inputs(scene: Scene, part: Maker, shapes: Shapes, given: dict[str, Tensor]) -> None:
    """Draw the noisy latent and its patches on the left, the caption and its encoder right."""
    tokens, text = (
        part("caption_tokens", given["tokens"].shape),
        part("text_encoder", shapes["text"]),
    )
    words = CAPTION.split()
    label = " ".join(words[:2]) + "\n" + " ".join(words[2:])
    first = scene.box(261, 6, label, tokens, w=150, h=50, tone="data")
    second = scene.box(261, 88, "text encoder", text, w=150)
    scene.arrow(first.bottom, second.top, shape="b m")
    scene.text(90, 12, "noise", tone="noise")
    noisy = part("noisy_latent", given["noise"].shape)
    bottom, _ = latent_row(scene, 90, 26, given["noise"], noisy, w=30)
    box = scene.box(90, 88, "patches", part("patches", shapes["dit.read"]), w=140)
    scene.arrow(bottom, box.top, shape="b c i j")
    scene.box(276, 188, "time", part("time", shapes["dit.time"]), w=84)


def _blocks(scene: Scene, part: Maker, shapes: Shapes, depth: int) -> None:
    """Draw one block of the diffusion transformer with its three sublayers."""
    scene.frame(14, 160, 212, 286)
    x, start = 36, 132.0
    for i, (key, label, name) in enumerate(BLOCK):
        y, shown = 176 + 90 * i, part(key, shapes[name])
        box = scene.box(136, y + 12, label, shown, w=140)
        plus = scene.sign(x, y + 70, shown)
        scene.arrow((x, start), plus.top, shape="" if i else "b n d", at=147)
        scene.arrow((x, y), (136, y), box.top)
        scene.arrow(box.bottom, (136, plus.cy), plus.right)
        start = plus.y + plus.h
    scene.text(214, 432, f"× {depth}", kind="note", anchor="end")
    scene.arrow((234, 210), (206, 210))
    scene.arrow((328, 132), (328, 300), (206, 300), shape="b m e", side=-1, at=270)
    last = part("norm_and_write", shapes["dit"])
    scene.box(90, 470, "norm, write", last, w=140, tone="prediction")
    scene.arrow((x, start), (x, 470), shape="b n d", at=457)


def _output(scene: Scene, part: Maker, given: dict[str, Tensor]) -> None:
    """Draw guidance, the sampling step that closes the loop, the decoder and the picture."""
    sizes, image = given["latent"].shape, given["sample"]
    first = scene.box(261, 470, "guidance", part("guidance", sizes), w=150)
    scene.arrow((160, 492), first.left)
    second = scene.box(261, 546, "sampling step", part("sampling_step", sizes), w=150)
    scene.arrow(first.bottom, second.top, shape="b c i j")
    scene.arrow(second.left, (5, 568), (5, 41), (20, 41), dashed=True)
    scene.text(18, 555, "again and again", kind="note", anchor="start")
    decode = part("decoder", image.shape)
    box = scene.box(261, 622, "decoder", decode, w=150)
    scene.arrow(second.bottom, box.top, shape="b c i j")
    picture = scene.picture(90, 588, as_picture(image[0]), decode, w=112)
    scene.arrow(box.left, (picture.right[0], 644))
