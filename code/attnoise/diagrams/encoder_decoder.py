"""The diagram of the encoder-decoder: two columns of blocks, joined by cross-attention."""

import torch

from ..data import LETTERS, PHONES
from ..transformers import SymbolTokenizer, greedy_decode
from .scene import Scene
from .shapes import Shapes, shipped, trace
from .words import Maker, begin

WORD = "night"
# Of each block: the key of the part, its label, and the module whose shape it has.
ENCODER = (
    ("self_attention", "self-attention", "encoder_blocks.0.attention"),
    ("mlp_of_the_encoder", "MLP", "encoder_blocks.0"),
)
DECODER = (
    ("causal_self_attention", "causal\nself-attention", "decoder_blocks.0.attention"),
    ("cross_attention", "cross-\nattention", "decoder_blocks.0.cross_attention"),
    ("mlp_of_the_decoder", "MLP", "decoder_blocks.0"),
)


def draw_encoder_decoder() -> Scene:
    """Draw the shipped model that reads spelling and writes phones, at work on one word."""
    model, _ = shipped("pronunciation")
    special = ["<pad>", "<begin>", "<end>"]
    spelling, sound = (SymbolTokenizer(s, special=special) for s in (LETTERS, PHONES))
    source = torch.tensor([spelling.encode(WORD)])
    phones = sound.decode(greedy_decode(model, source)[0].tolist())
    target = torch.tensor([[model.config.begin, *sound.encode(phones[:-1])]])
    shapes = trace(model, source, target)
    shapes |= {"source_tokens": tuple(source.shape), "target_tokens": tuple(target.shape)}
    scene, part = begin("encoder-decoder", 606, word=WORD, phones=" ".join(phones))
    scene.frame(4, 146, 156, 224)
    scene.frame(180, 146, 156, 332)
    written = " ".join(["begin", *phones[:-1]])
    _input(scene, part, shapes, (82, 20), "source", " ".join(WORD), "b m")
    _input(scene, part, shapes, (258, 320), "target", written, "b n")
    left = _column(scene, part, shapes, (96, 20), ENCODER)
    right = _column(scene, part, shapes, (244, 320), DECODER)
    scene.text(150, 356, f"× {model.config.encoder_depth}", kind="note", anchor="end")
    scene.text(190, 464, f"× {model.config.decoder_depth}", kind="note", anchor="start")
    norm = scene.box(82, 404, "norm", part("encoder_norm", shapes["encoder_norm"]), w=148)
    scene.arrow((20, left), (20, norm.y), shape="b m d", at=385)
    scene.arrow(norm.right, (170, norm.cy), (170, 318), (190, 318))
    head = scene.box(258, 512, "norm, head", part("norm_and_head", shapes["head"]), w=148)
    scene.arrow((320, right), (320, head.y), shape="b n d", side=-1, at=494)
    scene.arrow(head.bottom, (258, 590), shape="b n vocab")
    scene.text(248, 592, phones[-1], anchor="end", tone="prediction")
    return scene


def _input(
    scene: Scene,
    part: Maker,
    shapes: Shapes,
    at: tuple[float, float],
    name: str,
    text: str,
    axes: str,
) -> None:
    """Draw tokens and their embedding, at the middle of a column, above its stream."""
    cx, stream = at
    tokens = part(f"{name}_tokens", shapes[f"{name}_tokens"])
    above = scene.box(cx, 6, text, tokens, w=148, tone="data")
    box = scene.box(cx, 78, "embedding", part(f"{name}_embedding", shapes[name]), w=148)
    scene.arrow(above.bottom, box.top, shape=axes)
    scene.arrow((stream, box.y + box.h), (stream, 234))


def _column(
    scene: Scene, part: Maker, shapes: Shapes, at: tuple[float, float], rows: tuple
) -> float:
    """Draw the sublayers of a block beside its stream; return the height where that ends."""
    (cx, stream), start = at, 0.0
    for i, (key, label, name) in enumerate(rows):
        y, shown = 158 + 108 * i, part(key, shapes[name])
        box = scene.box(cx, y + 14, label, shown, w=108, h=48)
        plus = scene.sign(stream, y + 86, shown)
        scene.arrow((stream, y), (cx, y), box.top)
        scene.arrow(box.bottom, (cx, plus.cy), plus.right if stream < cx else plus.left)
        if i:
            scene.arrow((stream, start), plus.top)
        start = plus.y + plus.h
    return start
