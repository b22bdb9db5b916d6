"""Train the shipped digit denoiser and write it with its card: `make checkpoints`.

What the chapter `diffusion/reverse-process` trains for some seconds, this script trains to the end:
class-conditional denoising of the 8 x 8 training digits, x0-prediction, on a CPU. It can be stopped
and started again; it goes on from its last save.
"""

import argparse
import hashlib
import platform
import sys
import time
from pathlib import Path

import torch

from attnoise.data import load_digits
from attnoise.diffusion import (
    NetworkDenoiser,
    cosine_schedule,
    ddpm_sample,
    last,
    make_timesteps,
    simple_loss,
)
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import (
    frechet_distance,
    frechet_floor,
    memorisation_alarm,
    precision_recall,
    two_sample_test,
)
from attnoise.together import DIT_PRESETS, DiT, DiTConfig
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, train

CONFIG = DiTConfig(**DIT_PRESETS["digits"])
RECIPE = {"target": "x0", "weighting": "min_snr"}
BATCH, SAMPLES, NETWORK_CALLS = 128, 1000, 100


def stored(images: torch.Tensor) -> torch.Tensor:
    """Round images to the 17 grey levels of the data, or a judge would detect the rounding."""
    return ((images + 1) * 8).round().clamp(0, 16) / 8 - 1


def evaluate(samples: torch.Tensor, labels: torch.Tensor, seed: int) -> dict:
    """Return every number of the card for one set of samples, real unseen digits as reference."""
    samples = stored(samples)
    train_set, unseen, judge = load_digits("train"), load_digits("test"), digit_classifier()
    features, real = judge.features(samples), judge.features(unseen.images)
    memory = memorisation_alarm(samples, train_set.images, unseen.images, seed=seed)
    some = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))[: len(real)]
    precision, recall = precision_recall(real, features[some.numpy()])
    return {
        f"FD-{judge.feature_name}": round(frechet_distance(features, real), 3),
        "class_agreement": [round(x, 4) for x in judge.agreement(samples, labels)],
        "nearest_training_distance": [round(x, 3) for x in memory.samples],
        "memorisation_alarm": memory.alarm,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "two_sample_accuracy": [round(x, 3) for x in two_sample_test(unseen.images, samples)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "digits-ddpm")
    parser.add_argument("--save-to", type=Path, default=Path("_build/training/digits-ddpm.pt"))
    options = parser.parse_args()

    digits, schedule = load_digits("train"), cosine_schedule(1000)
    generator = torch.Generator().manual_seed(options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = DiT(CONFIG)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        images, labels = draw_batch((digits.images, digits.labels), BATCH, generator)
        return simple_loss(model, images, schedule, generator, label=labels, **RECIPE)

    losses, start = [], time.process_time()
    for record in train(model, loss, options.steps, generator, lr=2e-3, warmup=100, ema=ema,
                        save_to=options.save_to):  # fmt: skip
        losses.append(record.loss)
        if record.step % 100 == 0:
            mean = sum(losses[-100:]) / len(losses[-100:])
            print(f"step {record.step} loss {mean:.4f}", file=sys.stderr, flush=True)
    seconds = time.process_time() - start

    labels = torch.arange(SAMPLES) % CONFIG.classes
    generator = torch.Generator().manual_seed(options.seed + 1)
    denoiser = NetworkDenoiser(ema.model.half().float(), schedule, RECIPE["target"], clip=1.0)
    noise = torch.randn(SAMPLES, 1, 8, 8, generator=generator)
    timesteps = make_timesteps(schedule, NETWORK_CALLS, "trailing")
    samples = last(
        ddpm_sample(denoiser, noise, schedule, generator, timesteps=timesteps, label=labels)
    )

    unseen, judge = load_digits("test"), digit_classifier()
    features, real = judge.features(digits.images), judge.features(unseen.images)
    gaussian = PerClassGaussian(*digits).sample(labels, generator)
    pixels = (digits.images * 8 + 8).to(torch.uint8).numpy().tobytes()
    card = {
        "task": "class-conditional denoising of 8 x 8 digits",
        "data": f"scikit-learn digits, {len(digits.images)} training images",
        "data_sha256": hashlib.sha256(pixels).hexdigest(),
        "schedule": {"name": schedule.name, "T": schedule.T},
        **RECIPE,
        "seed": options.seed,
        "steps": options.steps,
        "batch": BATCH,
        "ema_decay": ema.decay,
        "start_loss": round(sum(losses[:10]) / len(losses[:10]), 3) if losses else None,
        "end_loss": round(sum(losses[-100:]) / len(losses[-100:]), 4) if losses else None,
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "sampler": f"ancestral, {NETWORK_CALLS} network calls, x0_hat clipped to [-1, 1], "
        "samples rounded to 17 grey levels",
        "samples": SAMPLES,
        "result": evaluate(samples, labels, options.seed),
        "baseline_per_class_gaussian": evaluate(gaussian, labels, options.seed),
        "floor": {
            f"FD-{judge.feature_name}": [
                round(x, 3) for x in frechet_floor(features, real, SAMPLES, seed=0)
            ],
            "nearest_training_distance_unseen": [
                round(x, 3)
                for x in memorisation_alarm(samples, digits.images, unseen.images).unseen
            ],
            "class_agreement_unseen": [round(x, 4) for x in judge.agreement(*unseen)],
        },
    }
    save_checkpoint(options.out, ema.model, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


if __name__ == "__main__":
    main()
