"""The exercises of the ViT chapter: solutions pass, each mistake is told from the others."""

import pytest
import torch
from tests.exercises.proof import prove

from attnoise.exercises import vit as module


def cut(images, p, order):
    x = images.unfold(2, p, p).unfold(3, p, p)  # b c i j p q
    return x.permute(order).reshape(len(images), -1, images.shape[1] * p * p)


def mixed(weights):
    return list((weights.mean(1) + torch.eye(weights.shape[-1])) / 2)


def product(*matrices):
    return torch.linalg.multi_dot(matrices)


WRONG = {
    "sentence_length": [
        ((196, 768), "class token is missing"),
        ((15, 768), "one row of patches"),
        ((197, 256), "three numbers for each pixel"),
        ((196, 256), "Two slips"),
        ((768, 197), "wrong order"),
        ((197, 48), "a height, too"),
        ((224, 16), "in each direction"),
    ],
    "cut_patches": [
        (lambda x, p: x.reshape(len(x), -1, x.shape[1] * p * p), "rows of pixels"),
        (lambda x, p: cut(x, p, (0, 1, 2, 3, 4, 5)), "permute first"),
        (lambda x, p: cut(x, p, (0, 3, 2, 1, 4, 5)), "read by columns"),
        (lambda x, p: cut(x, p, (0, 2, 3, 1, 5, 4)), "is transposed"),
        (lambda x, p: cut(x, p, (0, 2, 3, 4, 5, 1)), "channels come last"),
        (lambda x, p: cut(x, p, (0, 2, 3, 1, 4, 5))[:, :-1], "Expected shape"),
    ],
    "rollout": [
        (lambda w: product(*w.mean(1).flip(0)), "identity is missing"),
        (lambda w: product(*mixed(w)), "order is reversed"),
        (lambda w: 8 * product(*reversed(mixed(w))), "sum to 8"),
        (lambda w: sum(mixed(w)) / 3, "averaged the blocks"),
        (lambda w: mixed(w)[-1], "last block alone"),
        (lambda w: product(*reversed(mixed(w[:, :1]))), "Mean over heads"),
    ],
    "price_of_patches": [
        (lambda s, p, d: 12 * (s // p) * d**2 + 2 * (s // p) ** 2 * d, "both directions"),
        (lambda s, p, d: 12 * (s // p) ** 2 * d**2, "Attention itself"),
        (lambda s, p, d: 12 * (s // p) ** 2 * d**2 + (s // p) ** 4 * d, "weighted sums"),
        (lambda s, p, d: module.cost((s // p) ** 2 + 1, d), "no class token"),
        (lambda s, p, d: 11 * (s // p) ** 2 * d**2 + 2 * (s // p) ** 4 * d, "fourth layer"),
        (lambda s, p, d: 2 * module.cost((s // p) ** 2, d), "additions"),
        (lambda s, p, d: 2 * (s // p) ** 4 * d, "linear layers are missing"),
        (lambda s, p, d: 4 * (s // p) ** 2 * d**2 + 2 * (s // p) ** 4 * d, "MLP is missing"),
        (lambda s, p, d: 8 * (s // p) ** 2 * d**2 + 2 * (s // p) ** 4 * d, "leads back"),
        (lambda s, p, d: 12 * (s // p) ** 2 * d**2 + 2 * (s // p) ** 4, "not one"),
        (lambda s, p, d: 12 * (s // p) ** 2 * d**2 + 2 * (s // p) ** 2 * d, "every key"),
        (lambda s, p, d: 12 * 49 * d**2 + 2 * 49**2 * d, "use the arguments"),
    ],
    "blind_spot": [
        ((0, 1, 2, 3, 4, 5), "border is blank"),
        ((22, 23, 24, 25, 26, 27), "A line of patches"),
        ((8, 9, 15, 12, 13, 19), "differ most"),
        ((24, 24, 24, 24, 24, 24), "six different places"),
    ],
}


def test_exercises_are_proved():
    prove("transformers/vit.ipynb", module, WRONG, {"check": module})


@pytest.mark.parametrize(("n", "d"), [(49, 64), (13, 8)])
def test_the_cost_is_that_of_the_layers_counted_by_hand(n, d):
    attention = 4 * n * d * d + n * n * d + n * n * d
    mlp = n * d * 4 * d + n * 4 * d * d
    assert module.cost(n, d) == attention + mlp


def test_the_blind_spot_is_measured_on_all_ten_digits():
    _, images, labels = module._setting()
    assert len(images) == 300
    assert labels.bincount().tolist() == [30] * 10


def test_nothing_left_out_is_the_checkpoints_own_accuracy():
    model, images, labels = module._setting()
    with torch.no_grad():
        own = (model(images).argmax(dim=1) == labels).float().mean()
    assert module.accuracy_without(()) == pytest.approx(float(own), abs=1e-6)
    assert float(own) > 0.95
    assert module.accuracy_without(range(1, 49)) < 0.5
