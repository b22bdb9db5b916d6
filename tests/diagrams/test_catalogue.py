"""Every diagram: its arrows meet its boxes, its shapes agree, and its lines stand in the package."""

import re

import pytest
import torch
import yaml
from notebooks import ROOT

from attnoise.diagrams import DIAGRAMS, diagram
from attnoise.diagrams.book_map import PARTS, imports
from attnoise.diagrams.scene import IDEAS, WIDTH
from attnoise.errors import ConfigError
from attnoise.training.checkpoints import load_checkpoint

PACKAGE = ROOT / "code" / "attnoise"
WANTED = {
    "attention", "many-heads", "block", "encoder-decoder", "gpt-cache", "bert", "vit", "unet",
    "adaln-zero", "autoencoder", "latent-diffusion", "text-to-image", "book-map",
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    return {name: diagram(name) for name in DIAGRAMS}


def test_the_book_has_its_diagrams():
    assert set(DIAGRAMS) >= WANTED


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="name must be one of .*text-to-image"):
        diagram("perceptron")


def touches(box, point):
    x, y = point
    level, upright = (
        box.y - 0.6 <= y <= box.y + box.h + 0.6,
        box.x - 0.6 <= x <= box.x + box.w + 0.6,
    )
    sides = min(abs(x - box.x), abs(x - box.x - box.w)), min(abs(y - box.y), abs(y - box.y - box.h))
    return (level and sides[0] < 0.6) or (upright and sides[1] < 0.6)


@pytest.mark.parametrize("name", DIAGRAMS)
def test_arrows_end_at_boxes(drawn, name):
    scene = drawn[name].scene
    free = [p for p in scene.heads if not any(touches(box, p) for box in scene.boxes)]
    assert len(free) <= 1, "only what leaves the whole diagram may end nowhere"
    assert all(y > 0.75 * scene.height for _, y in free)


@pytest.mark.parametrize("name", DIAGRAMS)
def test_everything_lies_in_the_frame(drawn, name):
    scene = drawn[name].scene
    for box in scene.boxes:
        assert box.x >= 0 and box.y >= 0
        assert box.x + box.w <= WIDTH and box.y + box.h <= scene.height


@pytest.mark.parametrize("name", DIAGRAMS)
def test_boxes_do_not_overlap_by_halves(drawn, name):
    boxes = drawn[name].scene.boxes
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            wide = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
            high = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
            if wide > 0.6 and high > 0.6:
                inside = wide >= min(a.w, b.w) - 0.6 and high >= min(a.h, b.h) - 0.6
                assert inside, f"{a} and {b}"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_every_part_has_its_text_its_shape_and_its_line(drawn, name):
    parts = drawn[name].scene.parts
    assert len(parts) >= 6
    for part in parts:
        assert part.title and len(part.note) > 10 and "{" not in part.note + part.title
        assert len(part.axes.split()) == len(part.sizes)
        source = (PACKAGE / part.line.file).read_text("utf8")
        written = re.sub(r"\s+|\(|\)|,", "", source)
        assert re.sub(r"\s+|\(|\)|,", "", part.line.text) in written, part.line
    assert len({(part.title, part.note) for part in parts}) == len(parts)


def test_shapes_are_those_of_the_models(drawn):
    block = {part.title: part for part in drawn["block"].scene.parts}
    model, _ = load_checkpoint("shakespeare")
    width = model.config.block.d
    assert block["Attention"].sizes[-1] == width and block["Attention"].axes == "b n d"
    assert f"{width} numbers become {model.blocks[0].mlp.up.out_features}" in block["MLP"].note
    cache = {part.title: part for part in drawn["gpt-cache"].scene.parts}
    assert cache["The new token"].sizes == (1, 1)
    assert cache["Cached keys"].sizes[2] > cache["Key"].sizes[2] == 1


@pytest.mark.parametrize("name", DIAGRAMS)
def test_alt_texts_say_what_is_seen(drawn, name):
    scene = drawn[name].scene
    assert 100 <= len(scene.alt) <= 500 and 60 <= len(scene.caption) <= 400
    assert scene.title not in scene.alt


def test_idea_colours_are_for_ideas(drawn):
    meant = {
        "query": "query",
        "key": "key",
        "value": "value",
        "noise": "noise|masked",
        "data": "token|text|caption",
        "prediction": "predict|network|next|velocity|of the ten digits",
    }
    for each in drawn.values():
        for kind, part, what in each.scene.items:
            if kind in ("rect", "bar", "cells") and what.get("tone") in IDEAS:
                shown = each.scene.parts[part]
                said = f"{shown.title} {shown.note}".lower()
                assert re.search(meant[what["tone"]], said), (each.scene.name, what["tone"], said)


def test_drawing_leaves_the_readers_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    diagram("block")
    torch.testing.assert_close(torch.rand(3), expected)


def test_the_map_lists_the_chapters_of_the_book(drawn):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    for part in drawn["book-map"].scene.parts:
        caption = next((p for p in toc["parts"] if p.get("caption") == part.title), None)
        if caption is not None:
            for chapter in caption["chapters"]:
                word = chapter["file"].split("/")[-1].replace("-process", "").replace("-", " ")
                plain = part.note.lower().replace("-", " ")
                assert word in plain, f"{part.title} lacks {word}"
    captions = {p.get("caption") for p in toc["parts"]}
    assert len(captions & {part.title for part in drawn["book-map"].scene.parts}) == 5


def test_the_map_draws_every_import_between_the_parts(drawn):
    notes = " ".join(part.note for part in drawn["book-map"].scene.parts)
    numeral = {room: n for room, n, _ in PARTS}
    for room in numeral:
        for other in imports(room):
            assert re.search(rf"Part {numeral[room]} takes", notes), (room, other)
    assert len(drawn["book-map"].scene.heads) == sum(len(imports(room)) for room in numeral)
