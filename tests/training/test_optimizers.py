"""Muon: nearly orthogonal steps, torch's own arithmetic, and who gets which weights."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attnoise.errors import ConfigError, ShapeError
from attnoise.training.optimizers import (
    Muon,
    make_optimizers,
    orthogonalise,
    orthogonalise_stack,
)
from attnoise.transformers import GPT, GPTConfig


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(rows=st.integers(2, 60), cols=st.integers(2, 60), seed=st.integers(0, 99))
def test_updates_are_nearly_orthogonal(rows, cols, seed):
    matrix = draw(rows, cols, seed=seed)
    values = torch.linalg.svdvals(orthogonalise(matrix))
    # A singular value near 0 needs more steps; the others are near 1.
    strong = torch.linalg.svdvals(matrix) > 0.05 * matrix.norm()
    assert values.max() < 1.3
    assert values[strong].min() > 0.6


@pytest.mark.parametrize("shape", [(7, 11), (11, 7)])
def test_directions_are_kept(shape):
    u, _, v = torch.linalg.svd(draw(*shape), full_matrices=False)
    skewed = u @ torch.diag(torch.linspace(1, 3, 7)) @ v
    product = u.T @ orthogonalise(skewed) @ v.T
    off_diagonal = product - product.diag().diag()
    assert off_diagonal.abs().max() < 1e-5
    assert product.diag().min() > 0.6


@pytest.mark.parametrize("shape", [(23, 23), (23, 67), (67, 23)])
def test_the_fast_twin_agrees(shape):
    matrices = draw(3, *shape) * torch.tensor([1e-3, 1.0, 1e3])[:, None, None]
    plain = torch.stack([orthogonalise(matrix) for matrix in matrices])
    assert_close(orthogonalise_stack(matrices), plain, atol=1e-5, rtol=0)


def test_the_fast_twin_is_near_where_most_directions_are_weak():
    """The small matrix holds squares, so a direction of a hundredth keeps fewer digits."""
    matrix = draw(23, 67)
    matrix[:, 5:] *= 0.01
    found, plain = orthogonalise_stack(matrix[None])[0], orthogonalise(matrix)
    assert (found - plain).norm() < 1e-2 * plain.norm()


def test_size_of_the_matrix_does_not_matter():
    matrix = draw(5, 7)
    assert_close(orthogonalise(1000 * matrix), orthogonalise(matrix), atol=1e-5, rtol=1e-4)


def test_steps_are_those_of_torchs_muon_up_to_its_bfloat16():
    ours, theirs = nn.Parameter(draw(24, 40)), nn.Parameter(draw(24, 40))
    mine = Muon([ours], lr=0.02, weight_decay=0.1)
    torchs = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True,
        adjust_lr_fn="match_rms_adamw",
    )  # fmt: skip
    for seed in range(3):
        ours.grad = draw(24, 40, seed=seed)
        theirs.grad = ours.grad.clone()
        before = ours.detach().clone()
        mine.step()
        torchs.step()
        step, their_step = ours - before, theirs - before
        similar = nn.functional.cosine_similarity(step.flatten(), their_step.flatten(), dim=0)
        assert similar > 0.99
        theirs.data.copy_(ours.data)


def test_step_has_the_size_of_one_of_adamw():
    weight = nn.Parameter(draw(24, 40))
    before, weight.grad = weight.detach().clone(), draw(24, 40, seed=1)
    Muon([weight], lr=0.01).step()
    size = (weight - before).square().mean().sqrt().item()
    assert 0.15 * 0.01 < size < 0.25 * 0.01


def test_only_matrices_decay():
    model = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5))
    (adamw,) = make_optimizers(model, 1e-3, 0.1)
    decayed, kept = adamw.param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert [p.ndim for p in decayed["params"]] == [2]
    assert [p.ndim for p in kept["params"]] == [1, 1, 1]


def test_muon_gets_the_matrices_of_the_blocks_and_adamw_the_rest():
    model = GPT(GPTConfig(vocab=7))
    adamw, muon = make_optimizers(model, 1e-3, 0.1, "muon")
    (group,) = muon.param_groups
    inside = {id(p) for n, p in model.named_parameters() if n.startswith("blocks") and p.ndim == 2}
    assert {id(p) for p in group["params"]} == inside
    rest = [p for g in adamw.param_groups for p in g["params"]]
    assert not inside & {id(p) for p in rest}
    assert len(rest) + len(inside) == len(list(model.parameters()))


def test_muon_learns():
    target, weight = draw(6, 8), nn.Parameter(torch.zeros(6, 8))
    optimizer = Muon([weight], lr=0.05)
    for _ in range(200):
        weight.grad = weight.detach() - target
        optimizer.step()
    assert (weight - target).norm() < 0.2 * target.norm()


@pytest.mark.bad_input
def test_bad_input_is_named():
    with pytest.raises(ShapeError, match=r"matrix must have shape \(rows, columns\).*\(5,\)"):
        orthogonalise(torch.zeros(5))
    with pytest.raises(ShapeError, match="floating-point dtype.*int64"):
        orthogonalise(torch.zeros(5, 3, dtype=torch.long))
    with pytest.raises(ConfigError, match="steps must be a whole number of at least 0"):
        orthogonalise(torch.zeros(5, 3), steps=-1)
    assert orthogonalise(torch.eye(3), steps=0).norm() == pytest.approx(1)
    for options, message in (
        ({"lr": math.nan}, "lr must be finite and at least 0, but it is nan"),
        ({"lr": -1.0}, "lr must be finite"),
        ({"weight_decay": -0.1}, "weight_decay must be finite"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\), but it is 1.0"),
        ({"momentum": math.nan}, "momentum must lie in"),
    ):
        with pytest.raises(ConfigError, match=message):
            Muon([nn.Parameter(torch.zeros(2, 2))], **options)
    Muon([nn.Parameter(torch.zeros(2, 2))], lr=0.0, momentum=0.0)
    with pytest.raises(ConfigError, match=r"params must be matrices.*shape \(5,\)"):
        Muon([nn.Parameter(torch.zeros(5))])
    with pytest.raises(ConfigError, match="optimizer must be one of 'adamw', 'muon'"):
        make_optimizers(nn.Linear(2, 2), 1e-3, optimizer="sgd")
    with pytest.raises(ConfigError, match="hidden matrices lie in `blocks`, but Linear has none"):
        make_optimizers(nn.Linear(2, 2), 1e-3, optimizer="muon")


def test_five_rounds_bring_values_near_one_unless_they_are_tiny():
    values = torch.logspace(-3, 0, 200)[:-1]  # of a diagonal, those above 0.2 % of its norm
    values = values / values.norm()
    after = orthogonalise(torch.diag(values)).diagonal()
    large = values > 0.002
    assert 0 < large.sum() < len(values)
    assert 0.68 <= after[large].min() and after[large].max() <= 1.21
    square = draw(512, 512)
    below = torch.linalg.svdvals(orthogonalise(square)) < 0.68
    assert 0.01 < below.float().mean() < 0.04  # about one in fifty
