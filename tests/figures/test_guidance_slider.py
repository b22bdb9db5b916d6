"""The figure of guidance: its points are those of the package, and it refuses what it cannot draw."""

import math

import pytest
import torch
from tests.figures.figure_examples import guiding
from torch.testing import assert_close

from attnoise.diffusion import (
    GuidedDenoiser,
    IdealDenoiser,
    TrigPath,
    ddim_sample,
    last,
    without_label,
)
from attnoise.errors import ConfigError, ShapeError
from attnoise.figures import guidance_slider
from attnoise.figures.guidance_slider import STEPS, WHEN

CENTRES = torch.tensor([[1.0, 0.5], [-1.2, 0.1], [0.2, -1.1], [1.1, -0.7], [-0.4, 1.3]])
LABELS = torch.tensor([0, 1, 2, 2, 0])


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0, 8.0])
def test_points_are_those_of_the_package(scale, when):
    path, figure = TrigPath(), guiding()
    exact = IdealDenoiser(CENTRES.double(), path, LABELS, std=0.3)
    interval = tuple(WHEN[when])
    guided = GuidedDenoiser(exact, scale, weak=without_label(exact), interval=interval)
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(4)).double()
    first = round(math.radians(89), 6)
    times = [first * (1 - i / STEPS) for i in range(STEPS + 1)]
    label = torch.full((7,), 2)
    ends = last(ddim_sample(guided, x, path, timesteps=times, label=label))
    numbers = figure.numbers(guidance_scale=scale, when=when, label=2)
    assert_close(torch.tensor(numbers["ends"]).view(7, 2), ends.float(), atol=2e-2, rtol=1e-3)
    nearest = LABELS[torch.cdist(ends.float(), CENTRES).argmin(dim=1)]
    assert numbers["fraction"] == pytest.approx((nearest == 2).float().mean().item())
    spread = (ends - ends.mean(dim=0)).norm().item() / 7**0.5
    assert numbers["spread"] == pytest.approx(spread, abs=2e-2)


def test_a_larger_scale_goes_farther_and_an_interval_less_far():
    def gap(scale, when="always"):
        return guiding().numbers(guidance_scale=scale, when=when, label=0)["gap"]

    assert gap(1.0) < gap(3.0) < gap(8.0)
    assert gap(8.0, "middle") < gap(8.0) and gap(8.0, "late") < gap(8.0)
    true = guiding().numbers(guidance_scale=1.0, when="always", label=1)["true"]
    assert true == pytest.approx(0.3 * math.sqrt(2), abs=1e-4)  # a class of one blob


def test_the_sentence_says_scale_class_and_when():
    text = guiding().sentence(guidance_scale=8.0, when="late", label=1)
    assert text.startswith("Class 1, scale 8, guidance on: late.")
    assert "% of the points are nearest to the class" in text


PLANE = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.zeros(3, 3), torch.arange(3), 0.2, PLANE), ShapeError, "points in the plane"),
        ((PLANE, torch.arange(4), 0.2, PLANE), ShapeError, "one class for each of the 3 blobs"),
        ((PLANE, torch.zeros(3, dtype=torch.long), 0.2, PLANE), ConfigError, "two classes or more"),
        ((PLANE, torch.tensor([0, 1, 3]), 0.2, PLANE), ConfigError, "counted from 0"),
        ((PLANE, torch.arange(3), 0.0, PLANE), ConfigError, "std must be above 0"),
    ],
)
@pytest.mark.bad_input
def test_it_names_what_it_cannot_draw(arguments, error, message):
    with pytest.raises(error, match=message):
        guidance_slider(*arguments)
