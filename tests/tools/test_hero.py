"""The landing page's figure is what its tool makes today, not what it made long ago."""

import base64
import io
import json
import re

import hero
import numpy as np
import pytest
from PIL import Image

ADDRESS = re.compile(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=]+")


@pytest.fixture(scope="module")
def made():
    return hero.make_hero().html() + "\n"


def pixels(html):
    page = json.loads(re.search(r'class="pan-fig-data">(.*?)</script>', html, re.S)[1])
    strips = [base64.b64decode(film.split(",")[1]) for film in page["data"]["films"]]
    return np.stack([np.asarray(Image.open(io.BytesIO(strip))) for strip in strips]).astype(int)


def test_every_picture_is_as_asked(made):
    page = json.loads(re.search(r'class="pan-fig-data">(.*?)</script>', made, re.S)[1])
    assert all(each[-1].endswith("exactly as asked.") for each in page["data"]["sentences"])


def test_the_committed_figure_is_fresh(made):
    committed = hero.PATH.read_text("utf8")
    fresh = ADDRESS.sub("", made) == ADDRESS.sub("", committed)
    assert fresh, "book/_hero.html is stale. Make it again: python tools/hero.py"


def test_the_committed_pixels_are_the_models(made):
    ours, theirs = pixels(hero.PATH.read_text("utf8")), pixels(made)
    assert ours.shape == theirs.shape
    far = np.abs(ours - theirs).max()  # processors round the last digit differently
    assert far <= 3, f"a pixel is off by {far} of 255. Make it again: python tools/hero.py"


def test_it_is_written_for_a_page(tmp_path, made):
    figure = hero.make_hero()
    hero.write_hero(tmp_path / "_hero.html", figure)
    assert (tmp_path / "_hero.html").read_bytes().decode() == figure.html() + "\n" == made
