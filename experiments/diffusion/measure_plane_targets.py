"""Measure what a denoiser of points should predict: eps, x0, v, or x0 with EDM's preconditioning.

Each recipe trains the same network on the spiral, with the same batches, rate and steps, in three
seeds, and is measured twice on the way: after the chapter's steps, and after three times as many.
An arm that is too thin cannot win by these measures: the energy distance to real points, and how
the distances to the centre line are spread; beside them stands the fraction of points off the arm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attnoise.diffusion import (
    NetworkDenoiser,
    PointDenoiser,
    PreconditionedDenoiser,
    cosine_schedule,
    ddpm_sample,
    edm_loss,
    last,
    simple_loss,
)
from attnoise.evaluation.energy import energy_distance
from attnoise.training.ema import EMA
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded
from experiments.diffusion.plane import (
    ARM,
    DATA,
    distance_to_arm,
    off_the_arm,
    one_gaussian,
    real_points,
)

SCHEDULE = cosine_schedule(100)
RECIPES: dict[str, tuple[str, str]] = {
    "eps, simple": ("eps", "simple"),
    "x0, simple": ("x0", "simple"),
    "x0, min-SNR": ("x0", "min_snr"),
    "v, simple": ("v", "simple"),
    "EDM": ("EDM", "EDM"),
}
SIGMA_DATA = 1.0  # of a coordinate of the arm: 1.02


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        stops: Steps of training after which a network is measured.
        points: Points that are drawn and measured.
    """

    seeds: int = 3
    stops: tuple[int, ...] = (600, 1800)
    points: int = 2000


def denoiser_of(network: nn.Module, target: str) -> Callable[..., Tensor]:
    """Return the denoiser that a network is under a recipe's target."""
    if target == "EDM":
        return PreconditionedDenoiser(network, SCHEDULE, sigma_data=SIGMA_DATA)
    return NetworkDenoiser(network, SCHEDULE, target)


def loss_of(model: nn.Module, recipe: str, generator: torch.Generator) -> Tensor:
    """Return a recipe's loss on 256 fresh points."""
    target, weighting = RECIPES[recipe]
    x0 = ARM.sample(256, generator)
    if target == "EDM":
        return edm_loss(denoiser_of(model, target), x0, generator)  # type: ignore[arg-type]
    return simple_loss(model, x0, SCHEDULE, generator, target=target, weighting=weighting)


def measure(x: Tensor, real: Tensor) -> dict[str, float]:
    """Return the measures of a set of points, those of the chapter's table."""
    distance, theirs = distance_to_arm(x), distance_to_arm(real)
    grid = torch.linspace(0, 1, 2001)
    cdf, their_cdf = ((d[:, None] <= grid).float().mean(0) for d in (distance, theirs))
    names = ("energy_distance", "off_the_arm", "median_distance", "ks_of_distance", "log_density")
    values = (
        energy_distance(x, real),
        off_the_arm(distance),
        distance.median(),
        (cdf - their_cdf).abs().max(),
        ARM.log_prob(x).clamp(min=-100).mean(),  # a point far off must not be all that counts
    )
    return dict(zip(names, rounded(values, 5), strict=True))


def draw(network: nn.Module, target: str, points: int) -> Tensor:
    """Draw points by all hundred steps of ancestral sampling, from the same noise each time."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(points, 2, generator=generator)
    every = range(SCHEDULE.T, -1, -1)
    denoiser = denoiser_of(network, target)
    with torch.no_grad():
        return last(ddpm_sample(denoiser, noise, SCHEDULE, generator, timesteps=every))


def train_and_measure(recipe: str, seed: int, options: Options) -> list[dict[str, float]]:
    """Train one network, and return its measures at every stop."""
    model = seeded(lambda: PointDenoiser(d=64), seed)
    generator, ema = torch.Generator().manual_seed(seed), EMA(model, decay=0.99)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)
    real, found = real_points(options.points, seed=5), []
    for step in range(1, max(options.stops) + 1):
        loss = loss_of(model, recipe, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update(model)
        if step in options.stops:
            found.append(measure(draw(ema.model, RECIPES[recipe][0], options.points), real))
    return found


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("plane-targets", options)

    def run(recipe: str, seed: int) -> list[dict[str, float]]:
        name = f"{recipe} {seed} {options.stops} {options.points}"
        return experiment.remember(name, lambda: train_and_measure(recipe, seed, options))

    found = {recipe: [run(recipe, seed) for seed in range(options.seeds)] for recipe in RECIPES}
    result: dict[str, Any] = {
        recipe: {str(stop): [run[i] for run in runs] for i, stop in enumerate(options.stops)}
        for recipe, runs in found.items()
    }
    real = real_points(options.points, seed=5)
    floor = [measure(real_points(options.points, seed=100 + i), real) for i in range(5)]
    cloud = one_gaussian(real, experiment.generator(2))
    card = make_card(
        experiment,
        task="denoising of points on a spiral, by what the network predicts",
        data=DATA,
        data_sha256="",
        steps=max(options.stops),
        batch=256,
        lr=2e-3,
        ema=0.99,
        cpu_seconds=experiment.seconds(),
        result=result,
        baseline={"one Gaussian": measure(cloud, real)},
        floor=floor,
        points=options.points,
        seeds=options.seeds,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
