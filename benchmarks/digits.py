"""Our digit denoiser beside a public library's of equal size: speed, and distance reached.

ours       attnoise DiT, x0-prediction, min-SNR weighting, cosine schedule
diffusers  UNet2DModel with attention and class embeddings, DDPMScheduler (cosine), with each of its
           prediction types "epsilon" and "sample"

Both see the same digits in batches of 128, AdamW at 2e-3 with the same warm-up and decay, the same
moving average, and 100 ancestral sampling steps. Part 1 times single training steps, taking
turns. Part 2 trains each for the same CPU-seconds, counted by the process clock, and measures the
Fréchet distance of 1,000 samples to the unseen digits, beside a per-class Gaussian and the floor.

Run: python -m benchmarks.digits [--seconds 120] [--seeds 3]
"""

import argparse
import statistics
import time

import diffusers
import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch.nn import functional as F

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
from attnoise.evaluation.metrics import frechet_distance, frechet_floor
from attnoise.together import DIT_PRESETS, DiT, DiTConfig
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, learning_rate
from attnoise.training.optimizers import make_optimizers

BATCH, SAMPLES, STEPS = 128, 1000, 100
DIGITS, UNSEEN = load_digits("train"), load_digits("test")


class Ours:
    """attnoise's transformer and its loss and sampler."""

    name = "ours"

    def __init__(self) -> None:
        config = DiTConfig(**DIT_PRESETS["digits"])
        self.model, self.schedule = DiT(config), cosine_schedule(1000)

    def loss(self, images, labels, generator):
        options = {"target": "x0", "weighting": "min_snr"}
        return simple_loss(self.model, images, self.schedule, generator, label=labels, **options)

    def sample(self, model, labels, generator):
        denoiser = NetworkDenoiser(model, self.schedule, "x0", clip=1.0)
        x = torch.randn(len(labels), 1, 8, 8, generator=generator)
        times = make_timesteps(self.schedule, STEPS, "trailing")
        return last(
            ddpm_sample(denoiser, x, self.schedule, generator, timesteps=times, label=labels)
        )


class Diffusers:
    """The library's U-Net, with its own scheduler for noising and sampling."""

    def __init__(self, prediction: str) -> None:
        self.name = f"diffusers {prediction}"
        self.model = UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(24, 32),
            norm_num_groups=8,
            attention_head_dim=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            num_class_embeds=10,
        )
        self.scheduler = DDPMScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type=prediction, clip_sample=True
        )

    def loss(self, images, labels, generator):
        t = torch.randint(0, 1000, (len(images),), generator=generator)
        eps = torch.randn(images.shape, generator=generator)
        output = self.model(self.scheduler.add_noise(images, eps, t), t, class_labels=labels).sample
        wanted = eps if self.scheduler.config.prediction_type == "epsilon" else images
        return F.mse_loss(output, wanted)

    @torch.no_grad()
    def sample(self, model, labels, generator):
        x = torch.randn(len(labels), 1, 8, 8, generator=generator)
        self.scheduler.set_timesteps(STEPS)
        for t in self.scheduler.timesteps:
            output = model(x, t.expand(len(x)), class_labels=labels).sample
            x = self.scheduler.step(output, t, x, generator=generator).prev_sample
        return x


def contestants() -> list:
    return [Ours(), Diffusers("epsilon"), Diffusers("sample")]


def step(one, optimizer, generator) -> None:
    images, labels = draw_batch((DIGITS.images, DIGITS.labels), BATCH, generator)
    optimizer.zero_grad()
    one.loss(images, labels, generator).backward()
    torch.nn.utils.clip_grad_norm_(one.model.parameters(), 1.0)
    optimizer.step()


def compare_speed(rounds: int) -> None:
    """Time training steps, the contestants taking turns, so that a busy moment hits all alike."""
    torch.manual_seed(0)
    ones, generator = contestants()[:2], torch.Generator().manual_seed(0)
    optimizers, seconds = [make_optimizers(one.model, 2e-3)[0] for one in ones], [[], []]
    for turn in range(rounds + 3):
        for one, optimizer, found in zip(ones, optimizers, seconds, strict=True):
            start = time.perf_counter()
            step(one, optimizer, generator)
            if turn >= 3:
                found.append(time.perf_counter() - start)
    print(f"training images per second, batch {BATCH}, {torch.get_num_threads()} threads:")
    for one, found in zip(ones, seconds, strict=True):
        low, middle, high = statistics.quantiles(found, n=4)
        parameters = sum(p.numel() for p in one.model.parameters())
        print(
            f"  {one.name:20s} {parameters:7,d} parameters  {BATCH / middle:6.0f} images/s "
            f"(quartiles {BATCH / high:.0f} to {BATCH / low:.0f})"
        )
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    print(f"  ours is {statistics.median(ratios):.2f} times as fast (median of {rounds} rounds)")


def train_for(one, seconds: float, seed: int) -> tuple[EMA, int]:
    """Train for so many CPU-seconds; the learning rate falls with the time that is used up."""
    generator, ema = torch.Generator().manual_seed(seed), EMA(one.model, 0.999)
    optimizer, start, count = make_optimizers(one.model, 2e-3)[0], time.process_time(), 0
    while (used := time.process_time() - start) < seconds:
        rate = learning_rate(1 + int(1000 * used / seconds), 1000, 2e-3, 30)
        for group in optimizer.param_groups:
            group["lr"] = rate
        step(one, optimizer, generator)
        ema.update(one.model)
        count += 1
    return ema, count


def compare_distance(seconds: float, seeds: int) -> None:
    classifier, labels = digit_classifier(), torch.arange(SAMPLES) % 10
    real, name = classifier.features(UNSEEN.images), f"FD-{classifier.feature_name}"
    print(
        f"{name} of {SAMPLES} samples to {len(real)} unseen digits after {seconds:g} CPU-seconds:"
    )
    floor = frechet_floor(classifier.features(DIGITS.images), real, SAMPLES)
    found: dict[str, list[float]] = {"per-class Gaussian": []}
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(100 + seed)
        drawn = PerClassGaussian(*DIGITS).sample(labels, generator)
        found["per-class Gaussian"].append(frechet_distance(classifier.features(drawn), real))
        torch.manual_seed(seed)
        for one in contestants():
            ema, count = train_for(one, seconds, seed)
            samples = one.sample(ema.model, labels, generator).clamp(-1, 1)
            distance = frechet_distance(classifier.features(samples), real)
            agreement = classifier.agreement(samples, labels).value
            found.setdefault(one.name, []).append(distance)
            print(
                f"  seed {seed} {one.name:20s} {count:5d} steps  {name} {distance:.2f}  "
                f"agreement {agreement:.3f}",
                flush=True,
            )
    print(f"  {'floor (real)':22s} mean {floor.value:.2f}  [{floor.low:.2f}, {floor.high:.2f}]")
    for one, values in found.items():
        low, high = min(values), max(values)
        print(f"  {one:22s} mean {statistics.mean(values):.2f}  from {low:.2f} to {high:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="training time of each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=40, help="timed steps of each")
    options = parser.parse_args()
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}")
    compare_speed(options.rounds)
    compare_distance(options.seconds, options.seeds)


if __name__ == "__main__":
    main()
