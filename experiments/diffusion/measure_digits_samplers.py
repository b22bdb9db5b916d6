"""Measure how many network calls the shipped digit model needs, by sampler.

Each solver draws 1,000 digits, as many of each class, with several numbers of network calls and
seeds, all from the same noise for the same seed. The card holds the Fréchet distance to unseen
digits, beside the floor and the per-class Gaussian.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from attnoise.diffusion import (
    NetworkDenoiser,
    Step,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    heun_sample,
    last,
    make_timesteps,
)
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.training.checkpoints import load_checkpoint
from experiments import core
from experiments.core import command_line, make_card
from experiments.diffusion.digits import (
    about_the_data,
    distance,
    floors,
    gaussian_digits,
    stored,
)

SPACINGS = ("even", "leading", "karras", "log_snr")
SCHEDULE = cosine_schedule(1000)
SOLVERS: dict[str, tuple[Callable[..., Iterator[Step]], dict[str, Any]]] = {
    "DDIM": (ddim_sample, {}),
    "Heun": (heun_sample, {"parametrisation": "ve"}),
    "Heun, trig": (heun_sample, {"parametrisation": "trig"}),
    "DPM-Solver++(2M)": (dpm_solver_sample, {}),
}


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of sampling.
        samples: Digits of each draw.
        calls: Network calls, for each solver.
        few: Network calls, for each spacing of DPM-Solver++'s steps.
        reference: Network calls of DDPM that the others are compared with.
    """

    seeds: int = 3
    samples: int = 1000
    calls: tuple[int, ...] = (4, 6, 8, 10, 14, 20, 30, 50, 100)
    few: tuple[int, ...] = (6, 10, 20)
    reference: int = 1000


def draw(denoiser, solver: str, calls: int, seed: int, spacing: str, count: int) -> torch.Tensor:
    """Draw digits with a solver and so many network calls (Heun: one fewer)."""
    generator = torch.Generator().manual_seed(2000 + seed)
    noise = torch.randn(count, 1, 8, 8, generator=generator)
    label = torch.arange(count) % 10
    if solver == "DDPM":
        grid = make_timesteps(SCHEDULE, calls, "trailing")
        steps = ddpm_sample(denoiser, noise, SCHEDULE, generator, timesteps=grid, label=label)
    else:
        kind, options = SOLVERS[solver]
        grid = make_timesteps(SCHEDULE, calls // 2 if kind is heun_sample else calls, spacing)
        steps = kind(denoiser, noise, SCHEDULE, timesteps=grid, label=label, **options)
    return stored(last(steps))


def main(options: Options) -> None:
    """Measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("digits-samplers", options)
    model, about = load_checkpoint("digits-ddpm")
    seeds, solver = range(options.seeds), "DPM-Solver++(2M)"

    def measure(solver, calls, spacing="even", clip=1.0):
        denoiser = NetworkDenoiser(model, SCHEDULE, about["target"], clip=clip)
        return [
            experiment.remember(
                f"{solver} {calls} {seed} {spacing} {clip} {options.samples}",
                lambda seed=seed: round(
                    distance(draw(denoiser, solver, calls, seed, spacing, options.samples)), 4
                ),
            )
            for seed in seeds
        ]

    result = {
        "by_solver_and_calls": {
            name: {str(n): measure(name, n) for n in options.calls} for name in ("DDPM", *SOLVERS)
        },
        "dpm_solver_by_spacing_and_calls": {
            spacing: {str(n): measure(solver, n, spacing) for n in options.few}
            for spacing in SPACINGS
        },
        "dpm_solver_without_clipping_by_calls": {
            str(n): measure(solver, n, clip=None) for n in options.few
        },
        "references": {"DDPM": measure("DDPM", options.reference)},
    }
    labels = torch.arange(options.samples) % 10
    gaussian = gaussian_digits(labels, torch.Generator().manual_seed(0))
    feature = f"FD-{digit_classifier().feature_name}"
    card = make_card(
        experiment,
        task="Fréchet distance of generated digits to unseen ones, by network calls",
        **about_the_data(),
        cpu_seconds=experiment.seconds(),
        result=result,
        baseline={"per_class_gaussian": round(distance(stored(gaussian)), 3)},
        floor=floors(options.samples)[feature],
        feature=feature,
        checkpoint="digits-ddpm",
        checkpoint_sha256=about["sha256"],
        samples=options.samples,
        seeds=options.seeds,
        clip=1.0,
        reference_calls=options.reference,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
