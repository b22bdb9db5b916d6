"""What a drawing becomes: MNIST's box, its centre, and a pen of one width; and bad input."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.errors import ShapeError
from attnoise.figures import draw_digit, mnist_like

ELL = [[(2.0, 3.0), (2.5, 14.0), (9.0, 14.5)]]


def mass_centre(image):
    ink, middles = (image + 1) / 2, torch.arange(28) + 0.5
    return (ink.sum(0) * middles).sum() / ink.sum(), (ink.sum(1) * middles).sum() / ink.sum()


def test_a_drawing_fills_mnists_box_and_rests_on_its_mass():
    image = mnist_like(ELL)
    assert image.shape == (28, 28) and image.min() == -1 and image.max() == 1
    rows = (image > 0).any(dim=1).nonzero()
    assert 19 <= rows.max() - rows.min() + 1 <= 21  # its longer side
    for centre in mass_centre(image):
        assert abs(centre - 14) < 0.1


def test_where_and_how_large_one_draws_does_not_matter():
    moved = [[(1.3 * x + 11, 1.3 * y + 5) for x, y in line] for line in ELL]
    assert_close(mnist_like(moved), mnist_like(ELL), atol=1e-5, rtol=0)


def test_two_lines_are_the_brighter_of_both_and_a_dot_stays_small():
    cross = mnist_like([[(4.0, 14.0), (24.0, 14.0)], [(14.0, 4.0), (14.0, 24.0)]])
    assert_close(cross, cross.T, atol=1e-5, rtol=0)
    dot = mnist_like([[(14.0, 14.0)]])
    assert 4 <= (dot > 0).sum() <= 12
    assert_close(dot, dot.flip(0), atol=1e-5, rtol=0)


@pytest.mark.bad_input
def test_bad_input_is_named():
    images, labels = torch.zeros(2, 1, 28, 28), torch.tensor([1, 2])
    with pytest.raises(ShapeError, match="as many, but are 2, 2, 3 and 2"):
        draw_digit(images, labels, torch.zeros(3, 10), torch.zeros(2, 49))
    with pytest.raises(ShapeError, match="square grid that divides 28 pixels.*there are 36"):
        draw_digit(images, labels, torch.zeros(2, 10), torch.zeros(2, 36))
