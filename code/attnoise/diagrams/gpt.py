"""The diagram of a GPT that writes one token with the help of its key-value cache."""

import torch
from torch import Tensor

from ..transformers import BytePairTokenizer
from .attention import PHRASE
from .geometry import Box
from .scene import Scene
from .shapes import Shapes, shipped, trace
from .words import Maker, begin

STREAM = 304  # where the residual stream runs down


def draw_gpt() -> Scene:
    """Draw the step in which the shipped GPT reads one new token and predicts the next."""
    model, card = shipped("shakespeare")
    tokenizer = BytePairTokenizer(card["merges"])
    tokens = torch.tensor([tokenizer.encode(PHRASE)])[:, :-1]
    caches = model.make_caches(1)
    with torch.no_grad():
        model(tokens[:, :-1], caches=caches)
        shapes = trace(model, tokens[:, -1:], caches=caches)
        top = model(tokens)[0, -1].softmax(dim=-1).topk(5)
    words = [tokenizer.decode([token]).strip() for token in tokens[0].tolist()]
    found = [tokenizer.decode([token]).strip() for token in top.indices.tolist()]
    chances = dict(zip(found, top.values.tolist(), strict=True))
    scene, part = begin("gpt-cache", 776, words=" ".join(words), best=found[0])
    room = 332 / len(words)
    for i, word in enumerate(words):
        new = i == len(words) - 1
        shown = part("the_new_token", (1, 1)) if new else part("earlier_tokens")
        tone = "data" if new else "quiet"
        scene.box(4 + room * (i + 0.5), 6, word, shown, w=room - 6, tone=tone)
    _look_up(scene, part, shapes, caches[0].read()[0])
    _rest(scene, part, shapes, model.config.depth)
    _bars(scene, part, chances)
    return scene


def _look_up(scene: Scene, part: Maker, shapes: Shapes, keys: Tensor) -> None:
    """Draw embedding, queries, keys, values, the two caches, and attention."""
    x, (batch, heads, m, k) = STREAM, keys.shape
    scene.box(282, 78, "embedding", part("embedding", shapes["tokens"]), w=104)
    scene.arrow((x, 50), (x, 78), shape="b n", side=-1)
    scene.frame(4, 142, 332, 492)
    attention = part("attention", shapes["blocks.0.attention"])
    below = scene.box(142, 424, "attention", attention, w=252)
    for cx, name in ((58, "query"), (142, "key"), (226, "value")):
        made = part(name, (batch, heads, 1, k))
        top = scene.box(cx, 178, name, made, w=76, tone=name)
        scene.arrow((x, 158), (cx, 158), top.top)
        if name == "query":
            scene.arrow(top.bottom, (cx, below.y), tone=name, shape="b h n k", at=240)
            continue
        rows = [[0.35] * 4] * (m - 1) + [[1.0] * 4]
        held = part(f"cached_{name}s", keys.shape)
        cache = scene.cells(cx, 258, rows, held, side=min(18, 140 / m), tone=name)
        scene.arrow(top.bottom, cache.top, tone=name)
        shape = "b h m k" if name == "value" else ""
        scene.arrow(cache.bottom, (cx, below.y), tone=name, shape=shape)
    scene.text(100, 300, "cache", kind="note", anchor="end")
    plus = scene.sign(x, 500, attention)
    scene.arrow((x, 122), plus.top, shape="b n d", side=-1, at=134)
    scene.arrow(below.bottom, (142, plus.cy), plus.left)


def _rest(scene: Scene, part: Maker, shapes: Shapes, depth: int) -> None:
    """Draw the MLP, and what follows the blocks."""
    x, mlp = STREAM, part("mlp", shapes["blocks.0"])
    box = scene.box(142, 546, "MLP", mlp, w=252)
    plus = scene.sign(x, 610, mlp)
    scene.arrow((x, 510), plus.top)
    scene.arrow((x, 530), (142, 530), box.top)
    scene.arrow(box.bottom, (142, 610), plus.left)
    scene.text(16, 620, f"× {depth}", kind="note", anchor="start")
    head = scene.box(170, 658, "norm, head", part("norm_and_head", shapes["head"]), w=332)
    scene.arrow((x, 620), (x, head.y), shape="b n d", side=-1, at=646)
    scene.arrow((38, 702), (38, 728), shape="b n vocab")


def _bars(scene: Scene, part: Maker, chances: dict[str, float]) -> None:
    """Draw the likeliest next tokens as bars side by side."""
    listed = ", ".join(f"“{word}” {p:.2f}" for word, p in chances.items())
    number = scene.part(part("what_comes_next", listed=listed))
    scene.add("hit", number, box=Box(4, 728, 332, 44))
    for i, (word, p) in enumerate(chances.items()):
        x, width = 10 + 66 * i, max(4.0, 56 * p / max(chances.values()))
        scene.add("bar", number, box=Box(x, 734, width, 8), tone="prediction")
        scene.text(x, 757, word, anchor="start", part=number)
