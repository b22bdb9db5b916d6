"""The diagram of BERT's training: which tokens are hidden, and where the loss looks."""

import torch

from ..transformers import BytePairTokenizer, mask_tokens
from .scene import Scene
from .shapes import Shapes, shipped, trace
from .words import Maker, begin

SENTENCE = "I will not go with him"
SEED = 1608  # of the draw: one token masked, one replaced, one kept


def draw_bert() -> Scene:
    """Draw one sentence through the shipped BERT, with what it predicts where it is asked."""
    model, card = shipped("bert-shakespeare")
    tokenizer, special = BytePairTokenizer(card["merges"]), len(card["special"])
    tokens = torch.tensor([tokenizer.encode(SENTENCE)]) + special
    draw = torch.Generator().manual_seed(SEED)
    hidden, chosen = mask_tokens(tokens, model.config, draw, mask_ratio=0.45, special=special)
    shapes = trace(model, hidden) | {"": tuple(tokens.shape)}
    with torch.no_grad():
        found = model(hidden).argmax(dim=-1)

    def words(row: torch.Tensor) -> list[str]:
        pieces = [[t - special] if t >= special else [] for t in row[0].tolist()]
        return [tokenizer.decode(piece).strip() or "mask" for piece in pieces]

    before, after, predicted = words(tokens), words(hidden), words(found)
    at = [i for i, asked in enumerate(chosen[0].tolist()) if asked]
    scene, part = begin(
        "bert",
        542,
        before=" ".join(before),
        after=" ".join(after),
        answers=", ".join(predicted[i] for i in at),
    )
    xs = [4 + 332 / len(before) * (i + 0.5) for i in range(len(before))]
    _rows(scene, part, shapes, xs, at, before, after)
    _model(scene, part, shapes, xs, at[0], model.config.depth)
    asked = part("predictions_and_loss", shapes[""])
    for i in at:
        below = scene.box(xs[i], 486, predicted[i], asked, w=xs[1] - xs[0] - 5, tone="prediction")
        scene.arrow((xs[i], 454), below.top)
    return scene


def _rows(
    scene: Scene,
    part: Maker,
    shapes: Shapes,
    xs: list[float],
    at: list[int],
    before: list[str],
    after: list[str],
) -> None:
    """Draw the text, and below it what the model sees."""
    text, seen = part("the_text", shapes[""]), part("what_the_model_sees", shapes[""])
    for i, x in enumerate(xs):
        wide, asked = xs[1] - xs[0] - 5, i in at
        first = scene.box(x, 6, before[i], text, w=wide, tone="data" if asked else "quiet")
        second = scene.box(x, 84, after[i], seen, w=wide, tone="noise" if asked else "quiet")
        scene.arrow(first.bottom, second.top)
        became = "mask" if after[i] == "mask" else "kept" if after[i] == before[i] else "random"
        scene.text(x - 7, 66, became if asked else "", kind="note", anchor="end")


def _model(
    scene: Scene, part: Maker, shapes: Shapes, xs: list[float], chosen: int, depth: int
) -> None:
    """Draw embedding, the look both ways, blocks, norm and head."""
    box = scene.box(170, 156, "embedding", part("embedding", shapes["tokens"]), w=332)
    for x in xs:
        scene.arrow((x, 128), (x, box.y))
    order = [*(x for x in xs if x != xs[chosen]), xs[chosen]]  # the chosen one lies on top
    for to in order:
        for x in xs:
            tone = "ink" if to == xs[chosen] else "quiet"
            scene.arrow((x, 200), (to, 262), head=False, tone=tone)
    blocks = part("blocks_bidirectional", shapes[f"blocks.{depth - 1}"])
    body = scene.box(170, 262, f"blocks × {depth}, looking both ways", blocks, w=332)
    norm = scene.box(170, 336, "norm", part("norm", shapes["norm"]), w=332)
    scene.arrow(body.bottom, norm.top, shape="b n d")
    head = scene.box(170, 410, "head", part("masked_token_head", shapes["head"]), w=332)
    scene.arrow(norm.bottom, head.top, shape="b n d")
