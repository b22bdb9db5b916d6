"""Measure what is luck and what is not in the digits of the samplers' chapter.

The preconditioned digit model draws digits with several solvers and numbers of calls in eight
sampling seeds, paired: one seed is one set of noise for all. The student of one jump is measured on
the same noise. So are, in fewer seeds, networks of other training seeds. The first part starts from
digits with the noise of t = 10, where the x0 network's prediction is worse than the noisy picture,
and goes to 0 in one step, two or ten, with both shipped networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attnoise.data import load_digits
from attnoise.diffusion import (
    NetworkDenoiser,
    add_noise,
    consistency_sample,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    heun_sample,
    last,
    make_timesteps,
)
from attnoise.training.checkpoints import load_checkpoint
from experiments import core
from experiments.core import command_line, make_card
from experiments.diffusion.digits import (
    about_the_data,
    distance,
    floors,
    preconditioned,
    stored,
    train_edm,
)

SCHEDULE = cosine_schedule(1000)
ENDS: dict[str, list[int]] = {
    "one step": [10, 0],
    "two steps": [10, 5, 0],
    "ten steps": list(range(10, -1, -1)),
}
FROM_80 = ("Heun, Karras", "DPM-Solver++(2M), Karras")
PLAN: dict[str, tuple[int, ...]] = {  # network calls of each solver
    "DPM-Solver++(2M)": (6, 10, 20),
    "DPM-Solver++(2M), Karras": (10,),
    "Heun, Karras": (20,),
    "DDIM": (10,),
    "DDPM": (50,),
}


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of sampling.
        networks: Networks of different training seeds.
        steps: Of training, for those that are not shipped.
        samples: Digits of each draw.
        plan: The solvers; all of `PLAN`, or some.
        prefix: Sampling seeds in which the last ten times follow a drawn chain of 100 calls.
        few: Sampling seeds of the networks that are not shipped.
    """

    seeds: int = 8
    networks: int = 1
    steps: int = 2500
    samples: int = 1000
    plan: tuple[str, ...] = tuple(PLAN)
    prefix: int = 2
    few: int = 3


def karras_from_80(steps: int) -> list[float]:
    """Return Karras et al.'s times as published: sigma / alpha from 80 to 0.002, then 0."""
    ratio = torch.linspace(80 ** (1 / 7), 0.002 ** (1 / 7), steps, dtype=torch.float64) ** 7
    return [*SCHEDULE.time_of(ratio).tolist(), 0.0]


def draw(denoiser: Callable[..., Tensor], solver: str, calls: int, seed: int, n: int) -> Tensor:
    """Draw n digits with a solver and so many network calls (Heun: one fewer)."""
    generator = torch.Generator().manual_seed(2000 + seed)
    noise = torch.randn(n, 1, 8, 8, generator=generator)
    options: dict[str, Any] = {"label": torch.arange(n) % 10}
    even = make_timesteps(SCHEDULE, calls)
    with torch.no_grad():
        if solver == "DDPM":
            grid = make_timesteps(SCHEDULE, calls, "trailing")
            steps = ddpm_sample(denoiser, noise, SCHEDULE, generator, timesteps=grid, **options)
        elif solver == "Heun, Karras":
            grid = karras_from_80(calls // 2)
            steps = heun_sample(denoiser, noise, SCHEDULE, timesteps=grid, **options)
        elif solver == "DDIM":
            steps = ddim_sample(denoiser, noise, SCHEDULE, timesteps=even, **options)
        else:
            grid = karras_from_80(calls) if solver in FROM_80 else even
            steps = dpm_solver_sample(denoiser, noise, SCHEDULE, timesteps=grid, **options)
        return stored(last(steps))


def jump(student: Callable[..., Tensor], middle: int, seed: int, n: int) -> Tensor:
    """Draw n digits with the student: in one jump, or with a second one from a middle time."""
    generator = torch.Generator().manual_seed(2000 + seed)
    noise, label = torch.randn(n, 1, 8, 8, generator=generator), torch.arange(n) % 10
    times = (1000, middle, 0) if middle else (1000, 0)
    with torch.no_grad():
        return stored(
            last(
                consistency_sample(
                    student, noise, SCHEDULE, generator, timesteps=times, label=label
                )
            )
        )


def noised(seed: int, n: int) -> tuple[Tensor, Tensor]:
    """Return n training digits with the noise of t = 10, and their labels."""
    digits, generator = load_digits("train"), torch.Generator().manual_seed(3000 + seed)
    some = torch.randperm(len(digits.images), generator=generator)[:n]
    eps = torch.randn(len(some), 1, 8, 8, generator=generator)
    t = torch.full((len(some),), 10)
    return add_noise(digits.images[some], t, eps, SCHEDULE), digits.labels[some]


def drawn_to_ten(denoiser: Callable[..., Tensor], seed: int, n: int) -> tuple[Tensor, Tensor]:
    """Return n samples at t = 10 of the chain of 100 calls, and their labels."""
    generator = torch.Generator().manual_seed(2000 + seed)
    noise, label = torch.randn(n, 1, 8, 8, generator=generator), torch.arange(n) % 10
    grid = make_timesteps(SCHEDULE, 100, "trailing")[:-1]
    with torch.no_grad():
        steps = ddpm_sample(denoiser, noise, SCHEDULE, generator, timesteps=grid, label=label)
        return last(steps), label


def finish(
    denoiser: Callable[..., Tensor], x: Tensor, label: Tensor, seed: int
) -> dict[str, float]:
    """Go from t = 10 to 0 in each of the ways, and return the distances."""
    found = {}
    with torch.no_grad():
        for name, grid in ENDS.items():
            generator = torch.Generator().manual_seed(seed)
            steps = ddpm_sample(denoiser, x, SCHEDULE, generator, timesteps=grid, label=label)
            found[name] = round(distance(stored(last(steps))), 4)
    return found


def other_network(experiment: core.Experiment, seed: int, steps: int) -> torch.nn.Module:
    """Train the recipe of `digits-edm` from another seed."""
    generator = torch.Generator().manual_seed(seed)
    return train_edm(experiment, seed, steps, 2e-3, generator, f"digits-edm-{seed}")[0]


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("digits-seeds", options)
    (capped, about), (shipped, of_edm) = (
        load_checkpoint(name) for name in ("digits-ddpm", "digits-edm")
    )
    student = preconditioned(load_checkpoint("digits-consistency")[0], SCHEDULE)
    n = options.samples

    def over_seeds(name, measure, seeds=options.seeds):
        return [
            experiment.remember(f"{name} {seed} {n}", lambda seed=seed: measure(seed))
            for seed in range(seeds)
        ]

    def far(samples):
        return round(distance(samples), 4)

    denoisers = {
        "x0, min-SNR": NetworkDenoiser(capped, SCHEDULE, about["target"], clip=1.0),
        "EDM": preconditioned(shipped, SCHEDULE),
    }
    low_noise: dict[str, Any] = {"digits with noise": {}, "samples of 90 calls": {}}
    for name, denoiser in denoisers.items():
        low_noise["digits with noise"][name] = over_seeds(
            f"noised {name}", lambda seed, d=denoiser: finish(d, *noised(seed, n), seed)
        )
        low_noise["samples of 90 calls"][name] = over_seeds(
            f"drawn {name}",
            lambda seed, d=denoiser: finish(d, *drawn_to_ten(d, seed, n), seed),
            options.prefix,
        )
    networks = []
    for k in range(options.networks):
        model = shipped if k == 0 else other_network(experiment, k, options.steps)
        networks.append(
            {
                solver: {
                    str(calls): over_seeds(
                        f"network {k} {solver} {calls} {options.steps}",
                        lambda seed, m=model, s=solver, c=calls: far(
                            draw(preconditioned(m, SCHEDULE), s, c, seed, n)
                        ),
                        options.few if k else options.seeds,
                    )
                    for calls in PLAN[solver]
                }
                for solver in options.plan
            }
        )
    jumps = {
        str(middle): over_seeds(f"jump {middle}", lambda s, m=middle: far(jump(student, m, s, n)))
        for middle in (0, 200, 600, 900)
    }
    (feature, floor), = floors(n).items()  # fmt: skip
    card = make_card(
        experiment,
        task="Fréchet distance of generated digits over sampling seeds and networks",
        **about_the_data(),
        steps=options.steps,
        cpu_seconds=experiment.seconds(),
        result={
            "low_noise": low_noise,
            "networks": networks,
            "student_by_second_jump": jumps,
        },
        floor=floor,
        feature=feature,
        samples=n,
        seeds=options.seeds,
        checkpoints_sha256={"digits-ddpm": about["sha256"], "digits-edm": of_edm["sha256"]},
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
