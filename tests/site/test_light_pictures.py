"""Pictures of a built site: the same pixels in fewer bytes, loaded when they are seen."""

import light_pictures
import numpy as np
from PIL import Image

PAGE = (
    '<img src="../_static/logo.svg"><article><a href="../_images/a.png?x">'
    '<img alt="A" src="../_images/a.png"></a><img src="data:,"></article>'
)


def test_a_picture_keeps_its_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png", compress_level=0)
    assert light_pictures.smaller(tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.webp"]
    with Image.open(tmp_path / "a.webp") as kept:
        np.testing.assert_array_equal(np.array(kept.convert("RGBA")), pixels)


def test_a_picture_that_would_grow_stays(tmp_path, monkeypatch):
    Image.new("L", (1, 1)).save(tmp_path / "a.png")
    smallest = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(smallest)
    monkeypatch.setattr(
        light_pictures.Image.Image, "save", lambda *a, **k: a[1].write_bytes(smallest + b"more")
    )
    assert not light_pictures.smaller(tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_pages_name_the_new_files_and_load_them_late(tmp_path):
    (tmp_path / "_images").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "_images" / "a.png", compress_level=0)
    (tmp_path / "page.html").write_text(PAGE)
    for _ in range(2):  # the second time changes nothing more
        light_pictures.write(tmp_path)
        assert (tmp_path / "page.html").read_text() == (
            '<img src="../_static/logo.svg"><article><a href="../_images/a.webp?x">'
            '<img loading="lazy" decoding="async" alt="A" src="../_images/a.webp"></a>'
            '<img src="data:,"></article>'
        )
