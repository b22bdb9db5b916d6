"""Train the shipped one-step digit model and its teacher, with their cards: `make checkpoints`.

First a teacher: a digit denoiser with EDM's preconditioning. Then a student, which starts as a copy
of it and learns to jump where the teacher walks in 20 steps (consistency distillation). Both see
the training digits alone. The cards say what each cost and how far its samples are from unseen
digits. It can be stopped and started again.
"""

import argparse
import copy
import hashlib
import platform
import sys
from pathlib import Path

import torch
from train_digits import evaluate

from attnoise.data import load_digits
from attnoise.diffusion import (
    PreconditionedDenoiser,
    consistency_loss,
    consistency_sample,
    cosine_schedule,
    dpm_solver_sample,
    edm_loss,
    last,
    make_timesteps,
)
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import frechet_distance, frechet_floor
from attnoise.together import DIT_PRESETS, DiT, DiTConfig
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from training import run

CONFIG = DiTConfig(**DIT_PRESETS["digits"])
SCHEDULE = cosine_schedule(1000)
BATCH, SAMPLES, WALK, SEEDS = 128, 1000, 20, 3
MIDDLE = 600.0  # where the second jump starts


def sample(denoiser, name: str, seed: int) -> torch.Tensor:
    """Draw the samples of one row of the card: as many of each class, rounded like the data."""
    generator = torch.Generator().manual_seed(1000 + seed)
    noise = torch.randn(SAMPLES, 1, 8, 8, generator=generator)
    label = torch.arange(SAMPLES) % CONFIG.classes
    if name == "walk":
        grid = make_timesteps(SCHEDULE, WALK)
        steps = dpm_solver_sample(denoiser, noise, SCHEDULE, timesteps=grid, label=label)
    else:
        grid = {"one": (1000, 0), "two": (1000, MIDDLE, 0)}[name]
        steps = consistency_sample(
            denoiser, noise, SCHEDULE, generator, timesteps=grid, label=label
        )
    with torch.no_grad():
        return last(steps).clamp(-1, 1)


def measure(denoiser, name: str, calls: int) -> dict:
    """Return the numbers of several draws, each evaluated as the other digit models are."""
    label = torch.arange(SAMPLES) % CONFIG.classes
    rows = [evaluate(sample(denoiser, name, seed), label, seed) for seed in range(SEEDS)]
    return {"network_calls": calls, "draws": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher-steps", type=int, default=2500)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--save-to", type=Path, default=Path("_build/training"))
    options = parser.parse_args()

    digits, generator = load_digits("train"), torch.Generator().manual_seed(options.seed)
    size = float(digits.images.square().mean().sqrt())  # of a pixel, about 0 as the noise is
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = DiT(CONFIG)

    def denoise(network):
        return PreconditionedDenoiser(network, SCHEDULE, sigma_data=size)

    def teach(network, generator):
        images, labels = draw_batch(tuple(digits), BATCH, generator)
        return edm_loss(denoise(network), images, generator, label=labels)

    ema = EMA(model, decay=0.999)
    _, teacher_seconds = run(
        model, teach, options.teacher_steps, generator, lr=2e-3, warmup=100, ema=ema,
        save_to=options.save_to / "digits-edm.pt",
    )  # fmt: skip
    teacher = ema.model.half().float()

    student = copy.deepcopy(teacher).requires_grad_()
    slow, grid = EMA(student, decay=0.99), make_timesteps(SCHEDULE, WALK)

    def distil(network, generator):
        images, labels = draw_batch(tuple(digits), BATCH, generator)
        return consistency_loss(
            denoise(network), denoise(slow.model), denoise(teacher), images, SCHEDULE,
            generator, timesteps=grid, label=labels,
        )  # fmt: skip

    losses, seconds = run(
        student, distil, options.steps, generator, lr=1e-3, warmup=100, ema=slow,
        save_to=options.save_to / "digits-consistency.pt",
    )  # fmt: skip

    unseen, judge = load_digits("test"), digit_classifier()
    features, real = judge.features(digits.images), judge.features(unseen.images)
    gaussian = PerClassGaussian(*digits).sample(torch.arange(SAMPLES) % 10, generator)
    feature = f"FD-{judge.feature_name}"
    pixels = (digits.images * 8 + 8).to(torch.uint8).numpy().tobytes()
    common = {
        "data": f"scikit-learn digits, {len(digits.images)} training images",
        "data_sha256": hashlib.sha256(pixels).hexdigest(),
        "schedule": {"name": SCHEDULE.name, "T": SCHEDULE.T},
        "sigma_data": size,
        "seed": options.seed,
        "batch": BATCH,
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "samples": SAMPLES,
        "baseline_per_class_gaussian": {
            feature: round(frechet_distance(judge.features(gaussian), real), 3)
        },
        "floor": {feature: [round(x, 3) for x in frechet_floor(features, real, SAMPLES, seed=0)]},
    }
    save_checkpoint(
        options.out / "digits-edm",
        teacher,
        {
            "task": "class-conditional denoising of 8 x 8 digits, EDM's preconditioning",
            **common,
            "steps": options.teacher_steps,
            "cpu_seconds": round(teacher_seconds),
            "sampler": f"DPM-Solver++(2M), {WALK} even steps",
            "result": measure(denoise(teacher), "walk", WALK),
        },
        half=True,
    )
    jumper = slow.model.half().float()
    save_checkpoint(
        options.out / "digits-consistency",
        jumper,
        {
            "task": "class-conditional 8 x 8 digits in one jump or two, taught by digits-edm",
            **common,
            "steps": options.steps,
            "start_loss": round(sum(losses[:10]) / 10, 5),
            "end_loss": round(sum(losses[-100:]) / 100, 5),
            "cpu_seconds": round(seconds),
            "cpu_seconds_of_the_teacher": round(teacher_seconds),
            "second_jump_from": MIDDLE,
            "result": {
                "one jump": measure(denoise(jumper), "one", 1),
                "two jumps": measure(denoise(jumper), "two", 2),
            },
            "teacher_in_one_jump": measure(denoise(teacher), "one", 1),
        },
        half=True,
    )
    print(f"wrote digits-edm and digits-consistency to {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
