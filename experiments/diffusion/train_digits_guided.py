"""Train the shipped digit denoiser that also knows "no label", and measure guidance with it.

The recipe is that of train_digits_ddpm.py, with a null class and label dropout. The card holds the
numbers that are too costly for the chapter `diffusion/guidance`: 1,000 digits for each scale, with
and without an interval, for three seeds.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

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
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import frechet_distance, precision_recall
from attnoise.together import DiT
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from experiments import core
from experiments.core import LOG, command_line, make_card, rounded, seeded
from experiments.diffusion import digits as shared
from experiments.diffusion.digits import BATCH, RECIPE, evaluate, stored

CONFIG = replace(shared.CONFIG, null_class=True)
DROPPED, DECAY, STEPS, SEEDS = 0.15, 0.999, 25, (1, 2, 3)
SCALES, INTERVAL = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0), (0.2, 0.7)


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        samples: Digits that are drawn for each scale and seed.
    """

    steps: int = 2500
    lr: float = 2e-3
    samples: int = 1000


def measure(images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return agreement, Fréchet distance, precision and recall against the unseen digits."""
    classifier, unseen = digit_classifier(), load_digits("test")
    features, real = classifier.features(stored(images)), classifier.features(unseen.images)
    precision, recall = precision_recall(real, features[: len(real)])
    agreement = classifier.agreement(stored(images), labels).value
    return rounded((agreement, frechet_distance(features, real), precision, recall))


def guided_digits(model, count: int, scale: float, interval, seed: int) -> torch.Tensor:
    """Draw digits with DDIM, the same noise for every scale."""
    schedule, labels = cosine_schedule(1000), torch.arange(count) % CONFIG.classes
    denoiser = NetworkDenoiser(model, schedule, RECIPE["target"])
    guided = GuidedDenoiser(denoiser, scale, null_label=CONFIG.classes, interval=interval, clip=1.0)
    noise = torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    times = make_timesteps(schedule, STEPS)
    return last(ddim_sample(guided, noise, schedule, timesteps=times, label=labels))


def curves(model, count: int) -> dict:
    """Return, for guidance at all times and within the interval, what `measure` finds per seed."""
    labels, found = torch.arange(count) % CONFIG.classes, {}
    for name, interval in (("constant", None), ("interval", INTERVAL)):
        found[name] = [
            [measure(guided_digits(model, count, scale, interval, seed), labels)
             for scale in SCALES]
            for seed in SEEDS
        ]  # fmt: skip
        LOG.info("%s %s", name, found[name])
    return found


def train_guided(
    experiment: core.Experiment,
    seed: int,
    steps: int,
    lr: float,
    generator: torch.Generator,
    name: str,
) -> tuple[nn.Module, core.Trained]:
    """Train a denoiser with label dropout; return it, rounded as it is stored."""
    digits, schedule = load_digits("train"), cosine_schedule(1000)
    model = seeded(lambda: DiT(CONFIG), seed)
    ema = EMA(model, decay=DECAY)

    def loss(model, generator):
        images, labels = draw_batch((digits.images, digits.labels), BATCH, generator)
        labels = drop_labels(labels, CONFIG.classes, DROPPED, generator)
        return simple_loss(model, images, schedule, generator, label=labels, **RECIPE)

    trained = experiment.run(model, loss, steps, generator, lr=lr, warmup=100, ema=ema, name=name)
    return ema.model.half().float(), trained


def main(options: Options) -> None:
    """Train, measure every scale, and write weights and card."""
    experiment = core.Experiment("digits-guided", options)
    digits, schedule = load_digits("train"), cosine_schedule(1000)
    generator = experiment.generator()
    network, trained = train_guided(
        experiment, options.seed, options.steps, options.lr, generator, experiment.name
    )
    labels, classifier = torch.arange(options.samples) % CONFIG.classes, digit_classifier()
    unseen = load_digits("test")
    samples = guided_digits(network, options.samples, 1.0, None, options.seed + 1)
    features, real = classifier.features(digits.images), classifier.features(unseen.images)
    pick = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[: len(real)]
    gaussian = shared.gaussian_digits(labels, generator)
    card = make_card(
        experiment,
        task="denoising of 8 x 8 digits with or without their class",
        **shared.about_the_data(),
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=DECAY,
        trained=trained,
        result=evaluate(samples, labels, options.seed),
        baseline={"per_class_gaussian": evaluate(gaussian, labels, options.seed)},
        floor=shared.floors(options.samples),
        ceiling={
            "class_agreement_unseen": rounded(classifier.agreement(*unseen)),
            "precision_recall_of_training_digits": rounded(
                precision_recall(real, features[pick]), 3
            ),
        },
        schedule={"name": schedule.name, "T": schedule.T},
        **RECIPE,
        cond_drop_prob=DROPPED,
        sampler=f"DDIM, {STEPS} even steps, the guided x0_hat clipped to [-1, 1], samples "
        "rounded to 17 grey levels",
        samples=options.samples,
        guidance={
            "scales": SCALES,
            "interval_of_times": INTERVAL,
            "seeds": SEEDS,
            "columns": ["class_agreement", f"FD-{classifier.feature_name}", "precision", "recall"],
            **curves(network, options.samples),
        },
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
