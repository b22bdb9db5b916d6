"""A square of latents: corners are corners, between is even; what is recorded is what is said."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.data import draw_captions
from attnoise.data.captions import parse_caption
from attnoise.errors import ShapeError
from attnoise.figures import between, latent_plane

TEXTS = ["a large red circle", "a small white cross", "a large blue ring", "a small green square"]


def pictures():
    captions = [parse_caption(text) for text in TEXTS]
    return draw_captions(captions, torch.Generator().manual_seed(1)).unflatten(0, (2, 2))


def test_corners_and_the_middle():
    corners = torch.randn(4, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    for (u, v), corner in zip(((0, 0), (1, 0), (0, 1), (1, 1)), corners, strict=True):
        assert_close(between(corners, u, v), corner)
    assert_close(between(corners, 0.5, 0.5), corners.mean(dim=0))
    assert_close(between(corners, 0.25, 0), 0.75 * corners[0] + 0.25 * corners[1])


def test_it_says_what_the_nearest_recorded_picture_shows():
    figure = latent_plane(torch.randn(4, 4, 8, 8), pictures())
    for (u, v), text in zip(((0.1, 0.3), (0.9, 0.05), (0.4, 0.75), (1.0, 0.5)), TEXTS, strict=True):
        assert figure.sentence(u=u, v=v).endswith(f"the parser reads {text}.")


@pytest.mark.bad_input
def test_the_grid_must_be_a_square():
    with pytest.raises(ShapeError, match="but it is 2 by 1"):
        latent_plane(torch.randn(4, 4, 8, 8), pictures()[:, :1])
