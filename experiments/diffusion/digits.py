"""What the experiments on 8 x 8 digits share: the network, its evaluation, baselines and floors."""

import hashlib
from typing import Any

import torch
from torch import nn

from attnoise.data import load_digits
from attnoise.diffusion import PreconditionedDenoiser, Schedule, cosine_schedule, edm_loss
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
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from experiments.core import Experiment, Trained, rounded, seeded

CONFIG = DiTConfig(**DIT_PRESETS["digits"])
RECIPE: dict[str, Any] = {"target": "x0", "weighting": "min_snr"}
BATCH = 128


def stored(images: torch.Tensor) -> torch.Tensor:
    """Round images to the 17 grey levels of the data, or a classifier would detect the rounding."""
    return ((images + 1) * 8).round().clamp(0, 16) / 8 - 1


def about_the_data() -> dict[str, Any]:
    """Return the fields of a card that name the data."""
    digits = load_digits("train")
    pixels = (digits.images * 8 + 8).to(torch.uint8).numpy().tobytes()
    return {
        "data": f"scikit-learn digits, {len(digits.images)} training images",
        "data_sha256": hashlib.sha256(pixels).hexdigest(),
    }


def evaluate(samples: torch.Tensor, labels: torch.Tensor, seed: int) -> dict[str, Any]:
    """Return every number of a card for one set of samples, real unseen digits as reference."""
    samples = stored(samples)
    train_set, unseen, classifier = load_digits("train"), load_digits("test"), digit_classifier()
    features, real = classifier.features(samples), classifier.features(unseen.images)
    memory = memorisation_alarm(samples, train_set.images, unseen.images, seed=seed)
    some = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))[: len(real)]
    precision, recall = precision_recall(real, features[some.numpy()])
    return {
        f"FD-{classifier.feature_name}": round(frechet_distance(features, real), 3),
        "class_agreement": rounded(classifier.agreement(samples, labels)),
        "nearest_training_distance": rounded(memory.samples, 3),
        "memorisation_alarm": memory.alarm,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "two_sample_accuracy": rounded(two_sample_test(unseen.images, samples), 3),
    }


def gaussian_digits(labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw from a Gaussian fitted to each class of the training digits: the cheap baseline."""
    return PerClassGaussian(*load_digits("train")).sample(labels, generator)


def distance(samples: torch.Tensor) -> float:
    """Return the Fréchet distance of samples to the unseen digits."""
    classifier, unseen = digit_classifier(), load_digits("test")
    return frechet_distance(classifier.features(samples), classifier.features(unseen.images))


def preconditioned(network: nn.Module, schedule: Schedule) -> PreconditionedDenoiser:
    """Return a network as a denoiser with EDM's preconditioning for the training digits."""
    digits = load_digits("train")
    size = float(digits.images.square().mean().sqrt())  # of a pixel, about 0 as the noise is
    return PreconditionedDenoiser(network, schedule, sigma_data=size)


def train_edm(
    experiment: Experiment, seed: int, steps: int, lr: float, generator: torch.Generator, name: str
) -> tuple[nn.Module, Trained]:
    """Train a digit denoiser with EDM's preconditioning; return it, rounded as it is stored."""
    digits, schedule = load_digits("train"), cosine_schedule(1000)
    model = seeded(lambda: DiT(CONFIG), seed)

    def loss(network, generator):
        images, labels = draw_batch(tuple(digits), BATCH, generator)
        return edm_loss(preconditioned(network, schedule), images, generator, label=labels)

    ema = EMA(model, decay=0.999)
    trained = experiment.run(
        model, loss, steps, generator, lr=lr, warmup=100, ema=ema, name=name
    )  # fmt: skip
    return ema.model.half().float(), trained


def floors(samples: int) -> dict[str, list[float]]:
    """Return the Fréchet distance of as many training digits to the unseen ones."""
    classifier = digit_classifier()
    features, real = (classifier.features(load_digits(s).images) for s in ("train", "test"))
    found = frechet_floor(features, real, samples, seed=0)
    return {f"FD-{classifier.feature_name}": rounded(found, 3)}
