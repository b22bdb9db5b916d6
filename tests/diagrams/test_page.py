"""What a notebook stores: html with parts, a picture for places without html, a sentence."""

import base64
import io
import json
import re
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import Image

from attnoise.diagrams import DIAGRAMS, diagram
from attnoise.diagrams.raster import to_png
from attnoise.diagrams.scene import WIDTH
from attnoise.figures.plots import use_style

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def block():
    return diagram("block")


def test_a_notebook_gets_html_a_picture_and_a_sentence(block):
    data, metadata = block._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "image/png"}
    assert data["text/plain"].startswith("The block. The residual stream")
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    height = round(block.scene.height)
    assert picture.size == (2 * WIDTH, 2 * height)
    assert metadata == {"image/png": {"width": WIDTH, "height": height}}
    assert len(picture.convert("RGB").getcolors(100_000)) > 20, "an empty picture"


@pytest.mark.filterwarnings("error")
def test_the_style_of_a_chapter_changes_nothing(block):
    plain = to_png(block.scene)
    with matplotlib.rc_context():
        use_style()
        assert to_png(block.scene) == plain


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_drawing_is_xml_whose_colours_follow_the_page(name):
    shown = diagram(name)
    text = shown.svg()
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == shown.scene.alt and root.get("role") == "img"
    numbers = {int(g.get("data-part")) for g in root.iter(f"{SVG}g") if g.get("data-part")}
    assert numbers == set(range(len(shown.scene.parts)))
    without_style = re.sub(r"<style>.*?</style>|data:[^\"]+", "", text, flags=re.S)
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b|rgb\(", without_style), "a colour outside the sheet"
    assert "var(--pan-query, #0B6FB8)" in text


def test_the_html_holds_every_part_and_no_id(block):
    html = block.html()
    found = re.search(r'class="pan-diagram-data">(.*?)</script>', html, re.S)
    parts = json.loads(found[1])
    assert [part["title"] for part in parts] == [part.title for part in block.scene.parts]
    assert parts[1]["text"] == "self.attention = MultiHeadAttention("
    assert " id=" not in html and block.scene.caption.split(";")[0] in html
    assert html == diagram("block").html(), "the same diagram gives the same bytes"
