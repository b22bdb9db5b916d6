"""Measure ways to make one step of a flow enough: reflow, transport, distillation, mean flows.

One network for all, told the time and the length of the jump, with the same data, batches, rate
and steps. Reflow and consistency distillation spend half of their steps on the flow that they
start from. Each row is measured with one, two and four calls; the flow with many is the teacher.
Controls: three times the steps, and the time told by sines a hundred times faster, which a mean
flow must differentiate. Since one step of some methods costs more, CPU-seconds are noted.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import jvp

from attnoise.diffusion import LinearPath, Step, make_timesteps, pair_by_transport, straightness
from attnoise.diffusion.networks import time_features
from attnoise.evaluation.energy import energy_distance
from attnoise.training.ema import EMA
from attnoise.training.loop import train
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

PATH, BATCH, PAIRS = LinearPath(), 256, 20_000
Loss = Callable[[nn.Module, torch.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        steps: Steps of training in all, for each row.
        longer: Steps of the control.
        longer_seeds: Seeds of training of the control.
        points: Points that are drawn and measured.
    """

    seeds: int = 3
    steps: int = 800
    longer: int = 2400
    longer_seeds: int = 1
    points: int = 3000


class Jumper(nn.Module):
    """Predict the mean velocity from time t down to r: `PointDenoiser`, told one thing more.

    With r = t that is the velocity of a flow. A jump goes from x_t to x_t - (t - r) u.

    Args:
        scale: Times are multiplied by it before the sines; 1 is what `PointDenoiser` does.
        d: Width.
        depth: Number of residual layers.
    """

    def __init__(self, scale: float = 0.01, d: int = 96, depth: int = 3) -> None:
        super().__init__()
        self.scale, self.d, self.read = scale, d, nn.Linear(2, d)
        self.time, self.span = nn.Linear(d, d), nn.Linear(d, d)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
            for _ in range(depth)
        )
        self.write = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2))

    def forward(self, x_t: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Return the mean velocity."""
        when, far = (time_features(self.scale * z, self.d) for z in (t, t - r))
        condition = self.time(when) + self.span(far)
        x = self.read(x_t)
        for layer in self.layers:
            x = x + layer(x + condition)
        return self.write(x)


def draw(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw samples, noise, and two uniform times, the later one first."""
    x0, eps = ARM.sample(BATCH, generator), torch.randn(BATCH, 2, generator=generator)
    times = 1 - torch.rand(2, BATCH, generator=generator)
    return x0, eps, times.amax(0), times.amin(0)


def mix(x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Return the points on the straight lines."""
    return (1 - t[:, None]) * x0 + t[:, None] * eps


def flow_loss_of(pairs: Callable[[torch.Generator], tuple[Tensor, Tensor]]) -> Loss:
    """Return the flow-matching loss on given pairs of samples and noise, at uniform times."""

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        x0, eps = pairs(generator)
        t = 1 - torch.rand(len(x0), generator=generator)
        return (model(mix(x0, eps, t), t, t) - (eps - x0)).square().mean()

    return loss


def at_random(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pair samples and noise at random."""
    return draw(generator)[:2]


def by_transport(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pair a batch by optimal transport."""
    x0, eps = at_random(generator)
    return x0, pair_by_transport(x0, eps)


def mean_flow_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    """Return the loss of mean flows: u = v - (t - r) du/dt, along the line's own velocity v.

    Source: Geng et al. 2025, algorithm 1, arXiv:2505.13447.
    Differs: uniform times, half of them with r = t, and the plain squared error.
    """
    x0, eps, t, r = draw(generator)
    r = torch.where(torch.rand(BATCH, generator=generator) < 0.5, t, r)
    v = eps - x0
    along = (v, torch.ones(BATCH), torch.zeros(BATCH))
    u, change = jvp(model, (mix(x0, eps, t), t, r), along)  # type: ignore[misc]
    return (u - (v - (t - r)[:, None] * change).detach()).square().mean()


def shortcut_loss_of(ema: EMA, finest: int = 6) -> Loss:
    """Return the loss of shortcut models: one jump must equal two jumps of half its length.

    Source: Frans et al. 2024, algorithm 1, arXiv:2410.12557. Differs: t = 1 is noise here, and the
        average of weights makes the two jumps.
    """

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        x0, eps, t, _ = draw(generator)
        n = BATCH // 4  # that learn from two jumps; the others learn the velocity
        level = torch.randint(finest, (n,), generator=generator)
        length = 0.5 ** level.float()  # of the jump: 1, 1/2, ... 1/32
        place = (torch.rand(n, generator=generator) * 2**level).floor()
        t[:n] = 1 - place * length
        r = t.clone()
        r[:n] -= length
        x_t, wanted = mix(x0, eps, t), eps - x0
        with torch.no_grad():
            half = length / 2
            first = ema.model(x_t[:n], t[:n], t[:n] - half)
            second = ema.model(x_t[:n] - half[:, None] * first, t[:n] - half, r[:n])
        wanted[:n] = (first + second) / 2
        return (model(x_t, t, r) - wanted).square().mean()

    return loss


def consistency_loss_of(teacher: nn.Module, ema: EMA, stops: int = 20) -> Loss:
    """Return the loss of consistency distillation; f(x_t, t) is the jump from t to 0.

    Source: Song et al. 2023, algorithm 2, arXiv:2303.01469. Differs: Euler's step by the teacher.
    """

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        x0, eps, _, _ = draw(generator)
        t = torch.randint(1, stops + 1, (BATCH,), generator=generator) / stops
        s, zero = t - 1 / stops, torch.zeros(BATCH)
        x_t = mix(x0, eps, t)
        with torch.no_grad():
            x_s = x_t - teacher(x_t, t, t) / stops
            end = x_s - s[:, None] * ema.model(x_s, s, zero)
        return (x_t - t[:, None] * model(x_t, t, zero) - end).square().mean()

    return loss


def jumps(model: nn.Module, x: Tensor, times: list[float], velocity: bool = False) -> list[Tensor]:
    """Return the states of a sampler that jumps from time to time, or takes Euler's steps."""
    states = [x]
    with torch.no_grad():
        for now, then in pairwise(times):
            t, r = (x.new_full((len(x),), z) for z in (now, now if velocity else then))
            states.append(states[-1] - (now - then) * model(states[-1], t, r))
    return states


def consistency_sample(model: nn.Module, x: Tensor, times: list[float]) -> list[Tensor]:
    """Jump to 0 from each time but the last, with fresh noise in between."""
    generator, states = torch.Generator().manual_seed(102), [x]
    for now, then in pairwise(times):
        end = jumps(model, states[-1], [now, 0.0])[-1]
        noise = torch.randn(x.shape, generator=generator)
        states.append(mix(end, noise, x.new_full((len(x),), then)))
    return states


def trained(name: str, steps: int, seed: int) -> nn.Module:
    """Train one row."""
    name, _, fast = name.partition(", ")
    model = seeded(lambda: Jumper(1.0 if fast else 0.01), seed)
    ema, generator = EMA(model, decay=0.99), torch.Generator().manual_seed(seed)

    def fit(loss: Loss, n: int) -> None:
        for _ in train(model, loss, n, generator, lr=2e-3, warmup=min(50, n // 2), ema=ema):
            pass

    losses: dict[str, Callable[[], Loss]] = {
        "flow": lambda: flow_loss_of(at_random),
        "transport": lambda: flow_loss_of(by_transport),
        "mean flow": lambda: mean_flow_loss,
        "shortcut": lambda: shortcut_loss_of(ema),
    }
    if name in losses:
        fit(losses[name](), steps)
        return ema.model
    fit(flow_loss_of(at_random), steps // 2)
    teacher = copy.deepcopy(ema.model)
    if name == "consistency":
        ema.decay = 0.9  # of the three tried on another seed, 0.99 and 0 were worse
        fit(consistency_loss_of(teacher, ema), steps - steps // 2)
        return ema.model
    noise = torch.randn(PAIRS, 2, generator=generator)
    carried = jumps(teacher, noise, make_timesteps(PATH, 50), velocity=True)[-1]

    def pairs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(PAIRS, (BATCH,), generator=generator)
        return carried[rows], noise[rows]

    fit(flow_loss_of(pairs), steps - steps // 2)
    return ema.model


def measure(x: Tensor, real: Tensor) -> dict[str, float]:
    """Return the energy distance, and the fraction of points beyond three std from the line."""
    off = off_the_arm(distance_to_arm(x))
    return dict(zip(("energy", "off"), rounded((energy_distance(x, real), off), 5), strict=True))


def row(name: str, steps: int, seed: int, options: Options) -> dict[str, Any]:
    """Train one row and measure it with each number of calls."""
    start = time.process_time()
    model = trained(name, steps, seed)
    found: dict[str, Any] = {"seconds": round(time.process_time() - start, 1)}
    real = real_points(options.points)
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(101))
    velocity = name.partition(",")[0] in ("flow", "transport", "reflow")

    def sample(calls: int) -> list[Tensor]:
        times = make_timesteps(PATH, calls)
        if name == "consistency":
            return consistency_sample(model, noise, times)
        return jumps(model, noise, times, velocity)

    for calls in (1, 2, 4, 20, 50):
        states = sample(calls)
        found[f"calls {calls}"] = measure(states[-1], real)
    found["straightness"] = round(straightness(Step(1.0, x, x) for x in sample(50)), 4)
    return found


ROWS = ("flow", "transport", "reflow", "consistency", "shortcut", "mean flow")
FAST = ("flow, fast sines", "mean flow, fast sines")


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("flow-one-step", options)

    def run(name: str, steps: int, seeds: int) -> list[dict[str, Any]]:
        key = f"{name} {steps} {options.points}"
        return [
            experiment.remember(f"{key} {seed}", partial(row, name, steps, seed, options))
            for seed in range(seeds)
        ]

    result = {name: run(name, options.steps, options.seeds) for name in (*ROWS, *FAST)}
    longer = {name: run(name, options.longer, options.longer_seeds) for name in ROWS}
    real = real_points(options.points)
    others = [ARM.sample(options.points, experiment.generator(200 + i)) for i in range(5)]
    cloud = one_gaussian(real, experiment.generator(2))
    card = make_card(
        experiment,
        task="few-step flows on a spiral, at equal steps of training",
        data=DATA,
        data_sha256="",
        steps=options.steps,
        batch=BATCH,
        lr=2e-3,
        ema=0.99,
        cpu_seconds=experiment.seconds(),
        result=result,
        baseline={"one Gaussian": measure(cloud, real)},
        floor=[measure(x, real) for x in others],
        longer=longer,
        longer_steps=options.longer,
        seeds=options.seeds,
        points=options.points,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
