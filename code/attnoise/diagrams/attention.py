"""Diagrams of attention: one look-up with its matrices, and several heads side by side."""

import torch
from torch import Tensor

from ..attention import attention, record_weights
from ..transformers import BytePairTokenizer
from .scene import Scene
from .shapes import shipped, trace
from .words import Maker, begin

PHRASE = "To be, or not to be"


def draw_attention() -> Scene:
    """Draw scaled dot-product attention on the sizes of its chapter: 5 queries, 7 keys."""
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(size, generator=draw) for size in ((5, 8), (7, 8), (7, 3)))
    output, weights = attention(q, k, v, return_weights=True)
    scene, part = begin("attention", 580, n=len(q), m=len(k))
    for name, cx, values in (("query", 62, q), ("key", 170, k), ("value", 284, v)):
        shown = part(name, values.shape)
        scene.text(cx, 14, name, tone=name)
        scene.text(cx, 32, shown.axes, kind="shape")
        scene.cells(cx, 44, values, shown, side=9, tone=name)
    _look_up(scene, part, weights, output)
    return scene


def _look_up(scene: Scene, part: Maker, weights: Tensor, output: Tensor) -> None:
    """Draw the three steps of the look-up below the matrices."""
    score, soft = part("scores", weights.shape), part("softmax", weights.shape)
    mean = part("weighted_mean", output.shape)
    product = scene.box(116, 132, "query · key / √k", score, w=196)
    scene.arrow((62, 89), (62, product.y), tone="query")
    scene.arrow((170, 107), (170, product.y), tone="key")
    scores = weights.log()  # up to a constant in each row, which changes nothing
    table = scene.cells(116, 202, scores - scores.min(), score, side=12)
    scene.arrow(product.bottom, table.top, shape="n m")
    box = scene.box(116, 288, "softmax of each row", soft, w=196)
    scene.arrow(table.bottom, box.top)
    table = scene.cells(116, 358, weights, soft, side=12)
    scene.arrow(box.bottom, table.top, shape="n m")
    box = scene.box(170, 444, "weighted mean of the values", mean, w=316)
    scene.arrow(table.bottom, (table.cx, box.y))
    scene.arrow((284, 107), (284, box.y), tone="value", shape="m e", at=380)
    table = scene.cells(170, 514, output, mean, side=12)
    scene.arrow(box.bottom, table.top, shape="n e")
    scene.text(200, table.cy, "output", anchor="start")


def draw_many_heads() -> Scene:
    """Draw multi-head attention with the weights of the shipped GPT's second block."""
    model, card = shipped("shakespeare")
    tokens = torch.tensor([BytePairTokenizer(card["merges"]).encode(PHRASE)])
    shapes = trace(model, tokens)
    with torch.no_grad(), record_weights(model) as recorded:
        model(tokens)
    weights, stream = recorded["blocks.1.attention"][0], shapes["blocks.1.attention"]
    heads, n, _ = weights.shape
    scene, part = begin("many-heads", 500, heads=heads, phrase=PHRASE)
    top = scene.box(170, 6, "x", part("input", stream), w=110)
    cut = part("cut_into_heads", (1, heads, n, stream[-1] // heads))
    bar = scene.box(170, 168, f"cut into {heads} heads", cut, w=328)
    for cx, name in ((58, "query"), (170, "key"), (282, "value")):
        sizes = shapes[f"blocks.1.attention.to_{name}"]
        box = scene.box(cx, 88, name, part(f"projection_to_{name}", sizes), w=100, tone=name)
        turn = () if cx == 170 else ((170, 68), (cx, 68))
        scene.arrow(top.bottom, *turn, box.top, shape="b n d" if cx == 170 else "", at=60)
        scene.arrow((cx, 132), (cx, bar.y), tone=name, shape="b n d")
    below = scene.box(170, 350, "join the heads", part("join_the_heads", stream), w=328)
    for i in range(heads):
        head = part("head", (1, heads, n, n), number=i + 1)
        table = scene.cells(6 + 328 * (i + 0.5) / heads, 244, weights[i], head, side=72 / n)
        scene.arrow((table.cx, bar.y + bar.h), table.top, shape="b h n k" if i == 0 else "")
        scene.arrow(table.bottom, (table.cx, below.y))
    last = scene.box(170, 424, "output projection", part("output_projection", stream), w=180)
    scene.arrow(below.bottom, last.top, shape="b n d")
    scene.arrow(last.bottom, (170, 498), shape="b n d")
    return scene
