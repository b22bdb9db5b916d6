"""adaLN-Zero: six vectors by hand, all zero at the start; scale and shift."""

import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attnoise.transformers.modulation import Modulation, modulate


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_every_vector_starts_at_zero():
    for vector in Modulation(5, 7)(draw(3, 5)):
        assert vector.shape == (3, 1, 7)
        assert not vector.any()


def test_the_six_vectors_are_slices_of_one_layer_in_their_order():
    modulation, condition = Modulation(5, 7), draw(3, 5)
    torch.nn.init.normal_(modulation.to_vectors.weight)
    layer = modulation.to_vectors
    for i, vector in enumerate(modulation(condition)):
        rows = slice(7 * i, 7 * (i + 1))
        expected = F.linear(F.silu(condition), layer.weight[rows], layer.bias[rows])
        assert_close(vector[:, 0], expected)


def test_modulate_by_hand():
    x = torch.tensor([[[1.0, -2.0], [3.0, 4.0]]])
    shift, scale = torch.tensor([[[10.0, 20.0]]]), torch.tensor([[[1.0, -0.5]]])
    expected = torch.tensor([[[12.0, 19.0], [16.0, 22.0]]])
    assert_close(modulate(x, shift, scale), expected)
