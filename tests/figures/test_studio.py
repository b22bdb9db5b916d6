"""The studio's Python half: noise from a seed, scores in words, recorded films; and bad input."""

import base64
import io

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from attnoise.data.captions import parse_caption
from attnoise.data.shapes import draw_captions
from attnoise.errors import DataError, ShapeError
from attnoise.evaluation.picture_parser import parse_pictures
from attnoise.figures import page_noise, studio
from attnoise.figures.studio import describe_score, film

TEXTS = ["a large red circle", "a small white cross above a large blue ring"]


def pictures(text, n=3):
    return draw_captions([parse_caption(text)] * n, torch.Generator().manual_seed(1))


def test_noise_is_standard_and_comes_from_its_seed():
    noise = page_noise(5, 4001)
    assert_close(noise.mean(), torch.tensor(0.0), atol=0.06, rtol=0)
    assert_close(noise.var(), torch.tensor(1.0), atol=0.08, rtol=0)
    assert_close((noise.abs() < 1).float().mean(), torch.tensor(0.683), atol=0.03, rtol=0)
    assert abs((noise[1:] * noise[:-1]).mean()) < 0.06  # neighbours know nothing of each other
    assert torch.equal(page_noise(5, 11), noise[:11])
    assert (page_noise(6, 11) - noise[:11]).abs().max() > 0.1


def test_scores_say_what_is_seen_and_what_is_wrong():
    image = pictures(TEXTS[1], 1)
    found = parse_pictures(image)[0]
    asked = parse_caption(TEXTS[1])
    assert describe_score(asked, found).endswith("exactly as asked.")
    assert "a small white cross" in describe_score(asked, found)
    assert describe_score(asked.swapped, found).endswith("wrong binding.")
    assert describe_score(parse_caption(TEXTS[0]), found).endswith("wrong count.")
    assert describe_score(asked, []) == "the parser finds nothing."


def test_films_lose_nothing():
    three = pictures(TEXTS[0])
    address = film(three)
    content = base64.b64decode(address.removeprefix("data:image/webp;base64,"))
    image = Image.open(io.BytesIO(content))
    assert image.size == (96, 32)
    wanted = ((three[1] + 1) * 127.5).round().permute(1, 2, 0)
    found = torch.tensor(list(image.convert("RGB").crop((32, 0, 64, 32)).getdata()))
    assert_close(found.reshape(32, 32, 3).float(), wanted)


def test_the_sentence_is_the_parsers():
    both = torch.stack([pictures(text) for text in TEXTS])
    figure = studio(TEXTS, both, seed=3, guidance_scale=2.0)
    assert figure.sentence(caption=TEXTS[1], step=2) == (
        f"“{TEXTS[1]}”, after step 2 of 3: "
        + describe_score(parse_caption(TEXTS[1]), parse_pictures(both[1, 1:2])[0])
    )
    assert "after step 3 of 3" in figure.sentence()
    assert len(figure.html()) < 300_000


@pytest.mark.bad_input
def test_bad_input_is_named():
    both = torch.stack([pictures(text) for text in TEXTS])
    with pytest.raises(ShapeError, match="as many, but are 1 and 2"):
        studio(TEXTS[:1], both, seed=3, guidance_scale=2.0)
    with pytest.raises(DataError, match="'pink' is none"):
        studio([TEXTS[0], "a large pink circle"], both, seed=3, guidance_scale=2.0)
