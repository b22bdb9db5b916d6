"""Train the shipped digit denoiser that also knows "no label", and measure guidance with it.

The recipe is that of train_digits.py, with a null class and label dropout. The card holds the
numbers that are too costly for the chapter `diffusion/guidance`: 1,000 digits for each scale, with
and without an interval, for three seeds. Training goes on from its last save.
"""

import argparse
import hashlib
import platform
import sys
from pathlib import Path

import torch
from train_digits import BATCH, RECIPE, evaluate, stored

from attnoise.data import load_digits
from attnoise.diffusion import (
    GuidedDenoiser,
    NetworkDenoiser,
    cosine_schedule,
    ddim_sample,
    drop_labels,
    last,
    make_timesteps,
    simple_loss,
)
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import frechet_distance, frechet_floor, precision_recall
from attnoise.together import DIT_PRESETS, DiT, DiTConfig
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from training import run

CONFIG = DiTConfig(**DIT_PRESETS["digits"], null_class=True)
DROPPED, SAMPLES, STEPS, SEEDS = 0.15, 1000, 25, (1, 2, 3)
SCALES, INTERVAL = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0), (0.2, 0.7)


def measure(images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return agreement, FD-mlp64, precision and recall against the unseen digits."""
    judge, unseen = digit_classifier(), load_digits("test")
    features, real = judge.features(stored(images)), judge.features(unseen.images)
    precision, recall = precision_recall(real, features[: len(real)])
    agreement = judge.agreement(stored(images), labels).value
    return [round(x, 4) for x in (agreement, frechet_distance(features, real), precision, recall)]


def guided_digits(model, scale: float, interval, seed: int) -> torch.Tensor:
    """Draw 1,000 digits with DDIM, the same noise for every scale."""
    schedule, labels = cosine_schedule(1000), torch.arange(SAMPLES) % CONFIG.classes
    denoiser = NetworkDenoiser(model, schedule, RECIPE["target"])
    guided = GuidedDenoiser(denoiser, scale, null_label=CONFIG.classes, interval=interval, clip=1.0)
    noise = torch.randn(SAMPLES, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    times = make_timesteps(schedule, STEPS)
    return last(ddim_sample(guided, noise, schedule, timesteps=times, label=labels))


def curves(model) -> dict:
    """Return, for guidance at all times and within the interval, what `measure` finds per seed."""
    labels, found = torch.arange(SAMPLES) % CONFIG.classes, {}
    for name, interval in (("constant", None), ("interval", INTERVAL)):
        found[name] = [
            [measure(guided_digits(model, scale, interval, seed), labels) for scale in SCALES]
            for seed in SEEDS
        ]
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "digits-guided")
    parser.add_argument("--save-to", type=Path, default=Path("_build/training/digits-guided.pt"))
    options = parser.parse_args()

    digits, schedule = load_digits("train"), cosine_schedule(1000)
    generator = torch.Generator().manual_seed(options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = DiT(CONFIG)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        images, labels = draw_batch((digits.images, digits.labels), BATCH, generator)
        labels = drop_labels(labels, CONFIG.classes, DROPPED, generator)
        return simple_loss(model, images, schedule, generator, label=labels, **RECIPE)

    losses, seconds = run(
        model, loss, options.steps, generator, save_to=options.save_to, lr=2e-3, warmup=100,
        ema=ema,
    )  # fmt: skip

    labels, judge = torch.arange(SAMPLES) % CONFIG.classes, digit_classifier()
    rounded = ema.model.half().float()
    samples = guided_digits(rounded, 1.0, None, options.seed + 1)
    unseen = load_digits("test")
    features, real = judge.features(digits.images), judge.features(unseen.images)
    pick = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[: len(real)]
    gaussian = PerClassGaussian(*digits).sample(labels, generator)
    pixels = (digits.images * 8 + 8).to(torch.uint8).numpy().tobytes()
    card = {
        "task": "denoising of 8 x 8 digits with or without their class",
        "data": f"scikit-learn digits, {len(digits.images)} training images",
        "data_sha256": hashlib.sha256(pixels).hexdigest(),
        "schedule": {"name": schedule.name, "T": schedule.T},
        **RECIPE,
        "labels_dropped": DROPPED,
        "seed": options.seed,
        "steps": options.steps,
        "batch": BATCH,
        "ema_decay": ema.decay,
        "start_loss": round(sum(losses[:10]) / 10, 3),
        "end_loss": round(sum(losses[-100:]) / 100, 4),
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "sampler": f"DDIM, {STEPS} even steps, the guided x0_hat clipped to [-1, 1], samples "
        "rounded to 17 grey levels",
        "samples": SAMPLES,
        "result": evaluate(samples, labels, options.seed),
        "baseline_per_class_gaussian": evaluate(gaussian, labels, options.seed),
        "floor": {
            f"FD-{judge.feature_name}": [
                round(x, 3) for x in frechet_floor(features, real, SAMPLES, seed=0)
            ],
            "class_agreement_unseen": [round(x, 4) for x in judge.agreement(*unseen)],
            "precision_recall_of_training_digits": [
                round(x, 3) for x in precision_recall(real, features[pick])
            ],
        },
        "guidance": {
            "scales": SCALES,
            "interval": INTERVAL,
            "seeds": SEEDS,
            "columns": ["class_agreement", f"FD-{judge.feature_name}", "precision", "recall"],
            **curves(rounded),
        },
    }
    save_checkpoint(options.out, ema.model, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


if __name__ == "__main__":
    main()
