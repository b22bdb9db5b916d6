"""Train the shipped one-step digit model and its teacher, and write their cards.

First a teacher: a digit denoiser with EDM's preconditioning. Then a student, which starts as a copy
of it and learns to reach in one step where the teacher's trajectory ends after 20 (consistency
distillation). Both see the training digits alone. The cards say what each cost and how far its
samples are from unseen digits.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch

from attnoise.data import load_digits
from attnoise.diffusion import (
    consistency_loss,
    consistency_sample,
    cosine_schedule,
    dpm_solver_sample,
    last,
    make_timesteps,
)
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from experiments import core
from experiments.core import command_line, make_card
from experiments.diffusion.digits import (
    BATCH,
    CONFIG,
    about_the_data,
    distance,
    evaluate,
    floors,
    gaussian_digits,
    preconditioned,
    train_edm,
)

SCHEDULE = cosine_schedule(1000)
STEPS = 20  # of the teacher's trajectory
MIDDLE = 600.0  # where the second step starts
GRIDS = {"one jump": (1000, 0), "two jumps": (1000, MIDDLE, 0)}


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        teacher_steps: Steps of training of the teacher.
        steps: Steps of training of the student.
        teacher_lr: Peak of the teacher's learning rate.
        lr: Peak of the student's.
        samples: Digits of each draw.
        draws: Sets of samples that are evaluated.
    """

    teacher_steps: int = 2500
    steps: int = 2500
    teacher_lr: float = 2e-3
    lr: float = 1e-3
    samples: int = 1000
    draws: int = 3


def sample(denoiser, name: str, seed: int, count: int) -> torch.Tensor:
    """Draw the samples of one row of the card: as many of each class."""
    generator = torch.Generator().manual_seed(1000 + seed)
    noise = torch.randn(count, 1, 8, 8, generator=generator)
    label = torch.arange(count) % CONFIG.classes
    if name == "trajectory":
        grid = make_timesteps(SCHEDULE, STEPS)
        steps = dpm_solver_sample(denoiser, noise, SCHEDULE, timesteps=grid, label=label)
    else:
        steps = consistency_sample(
            denoiser, noise, SCHEDULE, generator, timesteps=GRIDS[name], label=label
        )
    with torch.no_grad():
        return last(steps).clamp(-1, 1)


def measure(denoiser, name: str, calls: int, options: Options) -> dict:
    """Return the numbers of several draws, each evaluated as the other digit models are."""
    label = torch.arange(options.samples) % CONFIG.classes
    rows = [
        evaluate(sample(denoiser, name, seed, options.samples), label, seed)
        for seed in range(options.draws)
    ]
    return {"network_calls": calls, "draws": rows}


def main(options: Options) -> None:
    """Train teacher and student, sample from both, and write weights and cards."""
    experiment = core.Experiment("digits-consistency", options)
    digits, generator = load_digits("train"), experiment.generator()

    def denoise(network):
        return preconditioned(network, SCHEDULE)

    teacher, taught = train_edm(
        experiment, options.seed, options.teacher_steps, options.teacher_lr, generator, "digits-edm"
    )

    student = copy.deepcopy(teacher).requires_grad_()
    slow, grid = EMA(student, decay=0.99), make_timesteps(SCHEDULE, STEPS)

    def distil(network, generator):
        images, labels = draw_batch(tuple(digits), BATCH, generator)
        return consistency_loss(
            denoise(network), denoise(slow.model), denoise(teacher), images, SCHEDULE,
            generator, timesteps=grid, label=labels,
        )  # fmt: skip

    trained = experiment.run(
        student, distil, options.steps, generator, lr=options.lr, warmup=100, ema=slow
    )

    gaussian = gaussian_digits(torch.arange(options.samples) % 10, generator)
    common: dict[str, Any] = {
        **about_the_data(),
        "batch": BATCH,
        "baseline": {
            "per_class_gaussian": {
                f"FD-{digit_classifier().feature_name}": round(distance(gaussian), 3)
            }
        },
        "floor": floors(options.samples),
        "schedule": {"name": SCHEDULE.name, "T": SCHEDULE.T},
        "sigma_data": denoise(teacher).sigma_data,
        "samples": options.samples,
    }
    card = make_card(
        experiment,
        task="class-conditional denoising of 8 x 8 digits, EDM's preconditioning",
        **common,
        steps=options.teacher_steps,
        lr=options.teacher_lr,
        ema=0.999,
        trained=taught,
        result=measure(denoise(teacher), "trajectory", STEPS, options),
        sampler=f"DPM-Solver++(2M), {STEPS} even steps",
    )
    experiment.write(card, teacher, "digits-edm")
    network = slow.model.half().float()
    card = make_card(
        experiment,
        task="class-conditional 8 x 8 digits in one jump or two, taught by digits-edm",
        **common,
        steps=options.steps,
        lr=options.lr,
        ema=slow.decay,
        trained=trained,
        result={
            "one jump": measure(denoise(network), "one jump", 1, options),
            "two jumps": measure(denoise(network), "two jumps", 2, options),
        },
        cpu_seconds_of_the_teacher=round(taught.seconds),
        second_jump_from=MIDDLE,
        teacher_in_one_jump=measure(denoise(teacher), "one jump", 1, options),
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
