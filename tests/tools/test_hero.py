"""The landing page's figure is what its tool makes today, not what it made long ago."""

import base64
import json
import re

import hero
import numpy as np
import pytest

ADDRESS = re.compile(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=]+")


@pytest.fixture(scope="module")
def made():
    return hero.make_hero().html() + "\n"


def pixels(html):
    page = json.loads(re.search(r'class="pan-fig-data">(.*?)</script>', html, re.S)[1])
    content = page["data"]["rows"][0]["pixels"].split(",")[1]
    return np.frombuffer(base64.b64decode(content), dtype=np.uint8).astype(int)


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
