"""Our U-Net beside public ones on MNIST-5k: training speed, and distance reached in equal time.

ours    attnoise UNet, x0-prediction, min-SNR weighting, shifted cosine schedule, Muon and AdamW
others  see `baselines.py`: about as many parameters each, attention where ours has blocks, classes

  1. Training images per second, taking turns step by step.
  2. Each trains for the same CPU-seconds (clock of the process) on the 4,000 training images. Then
     the same search for all: ancestral sampling with 25 and with 50 steps, whichever comes nearer
     to 500 training images with the first seed. With it 500 digits are drawn: their Fréchet
     distance to the 1,000 unseen images, and their agreement with the label, by the shipped ViT.
     No guidance for anyone. Beside them a Gaussian per class and the floor.

Run: python -m benchmarks.mnist [--seconds 300] [--seeds 3]
"""

import argparse
import statistics
import time
from importlib.metadata import version

import torch

from attnoise.data import load_mnist
from attnoise.diffusion import (
    NetworkDenoiser,
    UNet,
    UNetConfig,
    cosine_schedule,
    ddpm_sample,
    last,
    make_timesteps,
    shift_schedule,
    simple_loss,
)
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import mnist_classifier
from attnoise.evaluation.metrics import frechet_distance, frechet_floor
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, learning_rate
from attnoise.training.optimizers import make_optimizers

from .baselines import baselines

BATCH, SAMPLES, STEPS = 64, 500, (25, 50)
TRAIN, UNSEEN = load_mnist("train"), load_mnist("test")


class Ours:
    """attnoise's U-Net, its loss and its sampler."""

    name, optimizer, lr = "ours", "muon", 6e-3

    def __init__(self) -> None:
        self.model = UNet(UNetConfig(widths=(32, 64), depth=3))
        self.schedule = shift_schedule(cosine_schedule(1000), 2.5)

    def loss(self, images, labels, generator):
        options = {"target": "x0", "weighting": "min_snr"}
        return simple_loss(self.model, images, self.schedule, generator, label=labels, **options)

    def sample(self, model, labels, steps, generator):
        denoiser = NetworkDenoiser(model, self.schedule, "x0", clip=1.0)
        x = torch.randn(len(labels), 1, 28, 28, generator=generator)
        grid = make_timesteps(self.schedule, steps, "trailing")
        return last(
            ddpm_sample(denoiser, x, self.schedule, generator, timesteps=grid, label=labels)
        )


def contestants() -> list:
    return [Ours(), *baselines()]


def step(one, optimizers, generator) -> None:
    images, labels = draw_batch((TRAIN.images, TRAIN.labels), BATCH, generator)
    for optimizer in optimizers:
        optimizer.zero_grad()
    one.loss(images, labels, generator).backward()
    torch.nn.utils.clip_grad_norm_(one.model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()


def compare_speed(rounds: int) -> None:
    """Time training steps, taking turns, so that a busy moment hits all alike."""
    torch.manual_seed(0)
    ones, generator = contestants(), torch.Generator().manual_seed(0)
    optimizers = [make_optimizers(one.model, 1e-3, optimizer="adamw") for one in ones]
    seconds: list[list[float]] = [[] for _ in ones]
    for turn in range(rounds + 2):
        for one, own, found in zip(ones, optimizers, seconds, strict=True):
            start = time.process_time()
            step(one, own, generator)
            if turn >= 2:
                found.append(time.process_time() - start)
    print(f"training images per second, batch {BATCH}, one thread, AdamW for all:")
    for one, found in zip(ones, seconds, strict=True):
        low, middle, high = statistics.quantiles(found, n=4)
        parameters = sum(p.numel() for p in one.model.parameters())
        print(
            f"  {one.name:27s} {parameters:7,d} parameters  {BATCH / middle:6.0f} images/s "
            f"(quartiles {BATCH / high:.0f} to {BATCH / low:.0f})"
        )
    for one, found in zip(ones[1:], seconds[1:], strict=True):
        ratio = statistics.median(b / a for a, b in zip(seconds[0], found, strict=True))
        print(f"  ours is {ratio:.2f} times as fast as {one.name} (median of {rounds} rounds)")


def train_for(one, seconds: float, seed: int) -> tuple[EMA, int]:
    """Train for so many CPU-seconds; the learning rate falls with the time that is used up."""
    generator, ema = torch.Generator().manual_seed(seed), EMA(one.model, 0.999)
    optimizers = make_optimizers(one.model, one.lr, 0.01, one.optimizer)
    start, count = time.process_time(), 0
    while (used := (time.process_time() - start) / seconds) < 1:
        rate = learning_rate(1 + int(1000 * used), 1000, one.lr, 30)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        step(one, optimizers, generator)
        ema.update(one.model)
        count += 1
    return ema, count


def compare_distance(seconds: float, seeds: int) -> None:
    classifier, labels = mnist_classifier(), torch.arange(SAMPLES) % 10
    order = torch.randperm(len(TRAIN.images), generator=torch.Generator().manual_seed(7))
    checked, real = (
        classifier.features(images) for images in (TRAIN.images[order[:500]], UNSEEN.images)
    )
    name = f"FD-{classifier.feature_name}"
    floor = frechet_floor(classifier.features(TRAIN.images), real, SAMPLES)
    print(
        f"{name} of {SAMPLES} samples to {len(real)} unseen digits after {seconds:g} CPU-seconds:"
    )
    found: dict[str, list[float]] = {"per-class Gaussian": []}
    chosen: dict[str, tuple[int, ...]] = {}
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(100 + seed)
        drawn = PerClassGaussian(*TRAIN).sample(labels, generator)
        found["per-class Gaussian"].append(frechet_distance(classifier.features(drawn), real))
        torch.manual_seed(seed)
        for one in contestants():
            ema, count = train_for(one, seconds, seed)
            tried = {
                steps: one.sample(ema.model, labels, steps, generator).clamp(-1, 1)
                for steps in chosen.get(one.name, STEPS)
            }
            steps, samples = min(
                tried.items(),
                key=lambda pair: frechet_distance(classifier.features(pair[1]), checked),
            )
            chosen[one.name] = (steps,)
            distance = frechet_distance(classifier.features(samples), real)
            found.setdefault(one.name, []).append(distance)
            agreement = classifier.agreement(samples, labels).value
            print(
                f"  seed {seed} {one.name:27s} {count:5d} training steps, {steps} of sampling  "
                f"{name} {distance:.2f}  agreement {agreement:.3f}",
                flush=True,
            )
    print(f"  {'floor (real)':27s} mean {floor.value:.2f}  [{floor.low:.2f}, {floor.high:.2f}]")
    for one, values in found.items():
        low, high = min(values), max(values)
        print(f"  {one:27s} mean {statistics.mean(values):.2f}  from {low:.2f} to {high:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="training time of each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20, help="timed steps of each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    libraries = ("torch", "diffusers", "smalldiffusion", "denoising-diffusion-pytorch")
    print(", ".join(f"{name} {version(name)}" for name in libraries) + ", one thread")
    compare_speed(options.rounds)
    compare_distance(options.seconds, options.seeds)


if __name__ == "__main__":
    main()
