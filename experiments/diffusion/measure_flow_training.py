"""Measure two choices in training a flow: at which times it practises, and what it predicts.

Times: uniform or logit-normal, with the chapter's network on the spiral in the plane, at three
lengths of training and three rates. Targets: the spiral on a plane in 2, 32 and 256 dimensions,
for a narrow network that predicts x0, u, v or eps; and for u the controls: five times the steps,
another rate, a network wider than the space, and a skip from input to output with one learnt gate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from attnoise.diffusion import (
    LinearPath,
    NetworkDenoiser,
    PointDenoiser,
    euler_sample,
    flow_loss,
    last,
    log_likelihood,
    make_timesteps,
)
from attnoise.diffusion.numerics import append_dims
from attnoise.diffusion.targets import to_x0
from attnoise.evaluation.energy import energy_distance
from attnoise.training.ema import EMA
from attnoise.training.loop import train
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded
from experiments.diffusion.plane import ARM, DATA, one_gaussian, real_points

PATH = LinearPath()
# target, width, whether there is a skip, factor of the steps, peak of the rate
TARGETS = ("x0", "u", "v", "eps")
ARMS: dict[str, tuple[str, int, bool, int, float]] = {
    **{target: (target, 128, False, 1, 2e-3) for target in TARGETS},
    "x0, 5 x steps": ("x0", 128, False, 5, 2e-3),
    "u, 5 x steps": ("u", 128, False, 5, 2e-3),
    "u, rate 5e-3": ("u", 128, False, 1, 5e-3),
    "u, width 512": ("u", 512, False, 1, 2e-3),
    "u, skip": ("u", 128, True, 1, 2e-3),
    "u, skip, 5 x steps": ("u", 128, True, 5, 2e-3),
}


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        lengths: Steps of training for the comparison of times.
        rates: Peaks of the learning rate, tried at the middle length.
        steps: Steps of training for the comparison of targets.
        dimensions: Of the spaces in which the spiral lies; controls leave the first one out.
        arms: What is compared in them.
        points: Points that are drawn and measured.
    """

    seeds: int = 3
    lengths: tuple[int, ...] = (600, 1200, 3600)
    rates: tuple[float, ...] = (1e-3, 2e-3, 4e-3)
    steps: int = 300
    dimensions: tuple[int, ...] = (2, 32, 256)
    arms: tuple[str, ...] = tuple(ARMS)
    points: int = 3000


class Narrow(nn.Module):
    """Four linear layers; the output may get the input back, times a learnt number for each t."""

    def __init__(self, dimensions: int, hidden: int, skip: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Linear(dimensions + 1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()),
            *(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, dimensions)),
        )
        self.gate = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 1)) if skip else None

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return the prediction for points at times in [0, 1]."""
        out = self.layers(torch.cat([x_t, t[:, None]], dim=1))
        return out if self.gate is None else out + self.gate(t[:, None]) * x_t


def fit(model: nn.Module, loss: Callable[..., Tensor], steps: int, seed: int, lr: float) -> Any:
    """Train a model and return the moving average of its weights."""
    averaged, generator = EMA(model, decay=0.99), torch.Generator().manual_seed(seed)
    for _ in train(model, loss, steps, generator, lr=lr, warmup=min(50, steps // 10), ema=averaged):
        pass
    return averaged.model


def bits(network: nn.Module, n: int) -> float:
    """Return minus the log-likelihood of n unseen points, in bits per dimension."""

    def denoiser(x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        return x_t - t[:, None] * network(x_t.float(), t.float()).double()

    x = real_points(n, seed=300).double()
    times = [*make_timesteps(PATH, 60)[:-1], 0.001]
    found = log_likelihood(denoiser, x, PATH, timesteps=times)
    return -found.mean().item() / (2 * math.log(2))


def by_times(name: str, steps: int, lr: float, seed: int, options: Options) -> dict[str, float]:
    """Train the chapter's network with times drawn in one way, and measure it."""

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        return flow_loss(model, ARM.sample(256, generator), generator, time_sampling=name)

    model = seeded(lambda: PointDenoiser(d=96, depth=3), seed)
    network = fit(model, loss, steps, seed, lr)
    real = real_points(options.points)
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(101))
    found = {"bits": bits(network, min(400, options.points))}
    for calls in (8, 50):
        grid, denoiser = make_timesteps(PATH, calls), NetworkDenoiser(network, PATH, "u")
        x = last(euler_sample(denoiser, noise, PATH, timesteps=grid, parametrisation="flow"))
        found[f"energy, {calls} steps"] = energy_distance(x, real)
    return dict(zip(found, rounded(found.values(), 5), strict=True))


def by_target(arm: str, dimensions: int, seed: int, options: Options) -> dict[str, float]:
    """Train one narrow network on the spiral in a large space, and measure its samples."""
    target, hidden, skip, factor, lr = ARMS[arm]
    turn = torch.randn(dimensions, 2, generator=torch.Generator().manual_seed(7))
    lift = torch.linalg.qr(turn)[0].T  # 2 D

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        return flow_loss(model, ARM.sample(256, generator) @ lift, generator, target=target)

    model = seeded(lambda: Narrow(dimensions, hidden, skip), seed)
    network = fit(model, loss, factor * options.steps, seed, lr)

    @torch.no_grad()
    def denoiser(x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        t = t.float().clamp(max=0.999)  # eps / alpha would divide by 0 at pure noise
        sigma = append_dims(t, x_t)
        return to_x0(target, network(x_t, t), x_t, 1 - sigma, sigma)

    real = real_points(options.points)
    noise = torch.randn(1000, dimensions, generator=torch.Generator().manual_seed(9))
    grid = make_timesteps(PATH, 40)
    x = last(euler_sample(denoiser, noise, PATH, timesteps=grid, parametrisation="flow"))
    inside = x @ lift.T
    off = (x - inside @ lift).norm(dim=1).mean()
    return dict(
        zip(("energy", "off"), rounded((energy_distance(inside, real), off), 4), strict=True)
    )


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("flow-training", options)

    def run(measured: Callable[..., Any], *what: Any) -> list[Any]:
        key = f"{measured.__name__} {what} {options.steps} {options.points}"
        return [
            experiment.remember(f"{key} {seed}", partial(measured, *what, seed, options))
            for seed in range(options.seeds)
        ]

    middle, rate = sorted(options.lengths)[len(options.lengths) // 2], 2e-3
    settings = [(steps, rate) for steps in options.lengths]
    settings += [(middle, lr) for lr in options.rates if lr != rate]
    names = ("uniform", "logit_normal")
    times = {
        f"{steps} steps, rate {lr:g}": {name: run(by_times, name, steps, lr) for name in names}
        for steps, lr in settings
    }
    spaces = {arm: options.dimensions[arm not in TARGETS :] for arm in options.arms}
    targets = {arm: {str(d): run(by_target, arm, d) for d in spaces[arm]} for arm in options.arms}
    real = real_points(options.points)
    others = [ARM.sample(options.points, experiment.generator(200 + i)) for i in range(5)]
    cloud = one_gaussian(real, experiment.generator(2))
    card = make_card(
        experiment,
        task="flow matching on a spiral, by the times of training and by what is predicted",
        data=DATA,
        data_sha256="",
        batch=256,
        ema=0.99,
        lr=list(options.rates),
        cpu_seconds=experiment.seconds(),
        result={"times": times, "targets": targets},
        baseline={"one Gaussian": rounded([energy_distance(cloud, real)], 5)[0]},
        floor=rounded([energy_distance(x, real) for x in others], 5),
        target_steps=options.steps,
        seeds=options.seeds,
        points=options.points,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
