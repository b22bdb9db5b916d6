"""Diagrams of the transformer block: plain, and with adaLN-Zero."""

import torch

from ..transformers import BytePairTokenizer
from .attention import PHRASE
from .scene import Part, Scene
from .shapes import Shapes, shipped, trace
from .words import Maker, begin


def draw_block() -> Scene:
    """Draw a pre-norm block with the shapes of the shipped GPT's."""
    model, card = shipped("shakespeare")
    shapes = trace(model, torch.tensor([BytePairTokenizer(card["merges"]).encode(PHRASE)]))
    depth, x = model.config.depth, 66
    scene, part = begin("block", 466, depth=depth)

    def made(key: str, name: str = "blocks.0") -> Part:
        d, hidden = shapes["blocks.0"][-1], shapes["blocks.0.mlp.up"][-1]
        return part(key, shapes[name], d=d, hidden=hidden)

    scene.text(x, 12, "x")
    scene.text(x + 14, 12, "b n d", kind="shape", anchor="start")
    norm = made("norm_before_attention", "blocks.0.attention_norm")
    attention = made("attention", "blocks.0.attention")
    first = made("first_sum", "blocks.0.attention")
    end = _sublayer(scene, 24, 46, norm, ("multi-head attention", attention), first)
    norm, mlp = made("norm_before_the_mlp", "blocks.0.mlp_norm"), made("mlp", "blocks.0.mlp")
    end = _sublayer(scene, end, end + 26, norm, ("MLP on each token", mlp), made("second_sum"))
    scene.arrow((x, end), (x, 446), shape="b n d")
    scene.text(x, 457, "to the next block", kind="note")
    scene.brace(36, 36, end + 4, f"× {depth}", side=-1)
    return scene


def _sublayer(
    scene: Scene, start: float, y: float, norm: Part, work: tuple[str, Part], plus: Part
) -> float:
    """Draw one branch of the stream and the sum at its end; return the height where that ends."""
    x = 66
    first = scene.box(222, y + 18, "norm", norm, w=196)
    second = scene.box(222, y + 90, *work, w=196)
    total = scene.sign(x, y + 166, plus)
    scene.arrow((x, start), total.top)
    scene.arrow((x, y), (222, y), first.top)
    scene.arrow(first.bottom, second.top, shape="b n d")
    scene.arrow(second.bottom, (222, y + 166), total.right, shape="b n d", at=y + 152)
    return total.y + total.h


def draw_adaln_zero() -> Scene:
    """Draw a block with adaLN-Zero with the shapes of the shipped class-conditional DiT's."""
    model, _ = shipped("digits-guided")
    config = model.config
    x_t = torch.zeros(1, config.channels, config.image_size, config.image_size)
    shapes = trace(model, x_t, torch.tensor([0.5]), torch.tensor([3]))
    scene, part = begin("adaln-zero", 596)
    condition, vectors = _condition(scene, part, shapes)
    scene.text(26, 12, "x")
    scene.text(40, 12, "b n d", kind="shape", anchor="start")
    scene.arrow(condition, vectors, shape="b d")
    end = _modulated(scene, part, shapes, 24, 46, "attention")
    end = _modulated(scene, part, shapes, end, 306, "mlp")
    scene.arrow((26, end), (26, 576), shape="b n d", at=562)
    scene.text(30, 588, f"next of {config.depth} blocks", kind="note", anchor="start")
    return scene


def _condition(scene: Scene, part: Maker, shapes: Shapes) -> tuple:
    """Draw the condition and the layer that makes six vectors of it; return where they join."""
    width = shapes["blocks.0.modulation.to_vectors"]
    given = scene.box(282, 6, "condition", part("condition", (1, shapes["blocks.0"][-1])), w=104)
    vectors = scene.box(282, 78, "SiLU, linear", part("six_vectors", width), w=104)
    scene.arrow(vectors.bottom, (282, 534), head=False)
    return given.bottom, vectors.top


def _modulated(
    scene: Scene, part: Maker, shapes: Shapes, start: float, y: float, name: str
) -> float:
    """Draw one modulated sublayer; return the height where its sum ends."""
    sizes, x, cx = shapes["blocks.0"], 26, 140
    labels = (f"norm_before_{name}", "norm"), ("scale_and_shift", "scale, shift"), (name, name)
    boxes = [
        scene.box(cx, y + 18 + 66 * i, label.replace("mlp", "MLP"), part(key, sizes), w=128)
        for i, (key, label) in enumerate(labels)
    ]
    times = scene.sign(cx, y + 228, part(f"gate_of_{name}", sizes), "×")
    plus = scene.sign(x, y + 228, part(f"sum_after_{name}", sizes))
    scene.arrow((x, start), plus.top)
    scene.arrow((x, y), (cx, y), boxes[0].top)
    for above, below in zip(boxes, [*boxes[1:], times], strict=True):
        scene.arrow(above.bottom, below.top)
    scene.arrow(times.left, plus.right)
    scene.arrow((282, boxes[1].cy), boxes[1].right)
    scene.text(244, boxes[1].cy - 10, "shift, scale", kind="note")
    scene.arrow((282, times.cy), times.right)
    scene.text(244, times.cy - 10, "gate", kind="note")
    return plus.y + plus.h
