"""Measure guidance of digits on three trained networks, each claim beside its control.

One seed is a network of its own, weak networks of their own, and one set of noise for all rows:
guidance away from the null label at all times and within intervals, with and without clipping the
predictions, under three remedies; autoguidance away from two kinds of weak networks; guidance of
the weak network itself; networks whose label dropout was forgotten; students that predict the
guided prediction in one call; and inpainting with rounds of resampling or with as many plain calls.
"""

import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from attnoise.data import load_digits
from attnoise.diffusion import (
    Denoiser,
    IdealDenoiser,
    NetworkDenoiser,
    add_noise,
    cosine_schedule,
    ddim_sample,
    drop_labels,
    inpaint,
    last,
    make_timesteps,
    simple_loss,
)
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import two_sample_test
from attnoise.together import DiT, DiTConfig
from attnoise.training.checkpoints import load_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, train
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded
from experiments.diffusion.digits import BATCH, RECIPE, about_the_data, floors, stored
from experiments.diffusion.train_digits_guided import measure, train_guided

SCHEDULE, NULL = cosine_schedule(1000), 10
MIDDLE, HIGH, LOW = (0.2, 0.7), (0.7, 1.0), (0.0, 0.2)
SMALL = DiTConfig(channels=1, classes=10, d=48, depth=2, null_class=True, label_std=1.0)
COLUMNS = ("class_agreement", "FD-mlp64", "precision", "recall", "moved")


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Networks, each with weak ones and noise of its own; the first is the shipped one.
        steps: Of training, of the networks that are not shipped.
        early: Of training, of the weak networks that are like the strong one.
        small: Of training, of the weak networks that are those of the page.
        students: Of training of the distilled networks.
        samples: Digits of each draw.
        holes: Digits that are inpainted.
        rounds: Of resampling.
    """

    seeds: int = 3
    steps: int = 2500
    early: int = 250
    small: int = 230
    students: int = 300
    samples: int = 500
    holes: int = 150
    rounds: tuple[int, ...] = (1, 4, 16)


def treated(conditional: Tensor, other: Tensor, scale: float, how: str) -> Tensor:
    """Mix two predictions, and keep the mix from overshooting in one of five ways.

    Source: "clipped" and "dynamic": static and dynamic thresholding, Saharia et al. 2022, section
        2.3, arXiv:2205.11487; "rescaled": Lin et al. 2024, equations 15 and 16, arXiv:2305.08891,
        with their factor 0.7; "projected": Sadat et al. 2025, arXiv:2410.02416.
    Differs: "rescaled" works on x0_hat, not on the network's own target; "projected" is the
        projection alone, with eta = 0, without the limit on the length and the momentum. Neither
        clips.
    """
    axes = tuple(range(1, conditional.ndim))
    push = conditional - other
    if how == "projected":
        along = (push * conditional).sum(axes, True) / conditional.square().sum(axes, True)
        return conditional + (scale - 1) * (push - along * conditional)
    x0_hat = other + scale * push
    if how == "clipped":
        return x0_hat.clamp(-1, 1)
    if how == "dynamic":
        limit = x0_hat.abs().flatten(1).quantile(0.995, dim=1).clamp(min=1)[:, None, None, None]
        return x0_hat.clamp(-limit, limit) / limit
    if how == "rescaled":
        ratio = conditional.std(axes, keepdim=True) / x0_hat.std(axes, keepdim=True)
        return 0.7 * ratio * x0_hat + 0.3 * x0_hat
    return x0_hat


def guided(
    network: nn.Module,
    scale: float,
    how: str = "clipped",
    weak: nn.Module | None = None,
    interval: tuple[float, float] = (0.0, 1.0),
) -> Denoiser:
    """Return a guided denoiser, away from the null label or from a weak network."""
    strong = NetworkDenoiser(network, SCHEDULE, RECIPE["target"])
    other = strong if weak is None else NetworkDenoiser(weak, SCHEDULE, RECIPE["target"])

    def predict(x_t: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is not None
        conditional = strong(x_t, t, label)
        on = interval[0] <= t[0].item() / SCHEDULE.T <= interval[1]
        if scale == 1 or not on:
            return treated(conditional, conditional, 1.0, how)
        away = torch.full_like(label, NULL) if weak is None else label
        return treated(conditional, other(x_t, t, away), scale, how)

    return predict


def draw(
    denoiser: Denoiser, seed: int, n: int, steps: int = 12, label: int | None = None
) -> Tensor:
    """Draw n digits with DDIM, ten classes in turn or all with one label."""
    noise = torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(1 + seed))
    labels = torch.arange(n) % 10 if label is None else torch.full((n,), label)
    times = make_timesteps(SCHEDULE, steps)
    parts = zip(noise.split(100), labels.split(100), strict=True)
    with torch.no_grad():
        found = [last(ddim_sample(denoiser, x, SCHEDULE, timesteps=times, label=y))
                 for x, y in parts]  # fmt: skip
    return stored(torch.cat(found))


def score(images: Tensor, reference: Tensor) -> list[float]:
    """Return agreement, distance, precision, recall, and how far it is to other digits, rms."""
    moved = (images - reference).square().mean().sqrt().item()
    return [*measure(images, torch.arange(len(images)) % 10), round(moved, 4)]


def page_network(seed: int, steps: int, cond_drop_prob: float) -> nn.Module:
    """Train the small network of the page."""
    digits, generator = load_digits("train"), torch.Generator().manual_seed(seed)
    model = seeded(lambda: DiT(SMALL), seed)
    ema = EMA(model, decay=0.98)

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        images, labels = draw_batch(tuple(digits), 64, generator)
        labels = drop_labels(labels, NULL, cond_drop_prob, generator)
        return simple_loss(model, images, SCHEDULE, generator, label=labels, **RECIPE)

    options: dict[str, Any] = {"lr": 0.02, "warmup": 30, "optimizer": "muon", "ema": ema}
    for _ in train(model, loss, steps, generator, **options):
        pass
    return ema.model.eval()


def student_of(teacher: nn.Module, scale: float, steps: int, seed: int) -> nn.Module:
    """Train a copy of a network to predict the guided prediction in one call.

    Source: Meng et al. 2023, stage one, arXiv:2210.03142.
    Differs: one scale, so the network needs no input for it.
    """
    digits, target = load_digits("train"), guided(teacher, scale)
    student = copy.deepcopy(teacher).train().requires_grad_()
    ema = EMA(student, decay=0.98)

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        images, labels = draw_batch(tuple(digits), BATCH, generator)
        t = torch.randint(1, SCHEDULE.T + 1, (len(images),), generator=generator)
        eps = torch.randn(images.shape, generator=generator)
        x_t = add_noise(images, t, eps, SCHEDULE)
        with torch.no_grad():
            wanted = target(x_t, t, labels)
        return (model(x_t, t / SCHEDULE.T, labels) - wanted).square().mean()  # it predicts x0

    generator = torch.Generator().manual_seed(100 + seed)
    for _ in train(student, loss, steps, generator, lr=1e-3, warmup=30, ema=ema):
        pass
    return ema.model.eval()


def curves(network: nn.Module, small: nn.Module, early: nn.Module, seed: int, n: int) -> dict:
    """Return the rows of guidance for one network, by kind and scale."""
    plan: dict[str, tuple[tuple[float, ...], dict[str, Any]]] = {
        "null": ((1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 6.0), {}),
        "interval": ((2.0, 3.0, 6.0), {"interval": MIDDLE}),
        "high noise only": ((3.0,), {"interval": HIGH}),
        "low noise only": ((3.0,), {"interval": LOW}),
        "free": ((2.0, 3.0, 6.0), {"how": "free"}),
        "dynamic": ((3.0, 6.0), {"how": "dynamic"}),
        "rescaled": ((3.0, 6.0), {"how": "rescaled"}),
        "projected": ((3.0, 6.0), {"how": "projected"}),
        "weak: small": ((1.25, 1.5, 2.0, 3.0), {"weak": small}),
        "weak: early": ((1.25, 1.5, 2.0, 3.0), {"weak": early}),
    }
    plain = draw(guided(network, 1.0), seed, n)
    found: dict[str, dict[str, list[float]]] = {
        kind: {
            f"{scale:g}": score(draw(guided(network, scale, **options), seed, n), plain)
            for scale in scales
        }
        for kind, (scales, options) in plan.items()
    }
    own = draw(guided(small, 1.0), seed, n)
    found["the small network itself"] = {
        f"{scale:g}": score(draw(guided(small, scale), seed, n), own)
        for scale in (1.0, 1.25, 1.5, 2.0, 3.0)
    }
    return found


def forgotten(small: nn.Module, broken: nn.Module, seed: int, n: int) -> dict:
    """Compare a network whose label dropout was forgotten with its twin that had it."""
    found = {}
    for name, network in (("with dropout", small), ("dropout forgotten", broken)):
        plain = draw(guided(network, 1.0), seed, n)
        alone = draw(guided(network, 1.0), seed, n, label=NULL)
        found[name] = {
            "scale 1": score(plain, plain),
            "scale 2": score(draw(guided(network, 2.0), seed, n), plain),
            "without a label": score(alone, plain),
        }
    return found


def distilled(network: nn.Module, student: nn.Module, seed: int, n: int) -> dict:
    """Compare a student of scale 2 with its teacher at equal calls.

    "moved" is here the way to the digits of the teacher with 50 steps, two calls each.
    """
    teacher = draw(guided(network, 2.0), seed, n, steps=50)
    found = {"teacher, 50 steps": score(teacher, teacher)}
    for steps in (2, 3, 6, 12):
        found[f"teacher, {steps} steps"] = score(
            draw(guided(network, 2.0), seed, n, steps=steps), teacher
        )
    for steps in (4, 6, 12, 24):
        found[f"student, {steps} steps"] = score(
            draw(guided(student, 1.0), seed, n, steps=steps), teacher
        )
    found["no guidance, 12 steps"] = score(draw(guided(network, 1.0), seed, n), teacher)
    return found


def holes(network: nn.Module, seed: int, n: int, rounds: tuple[int, ...]) -> dict:
    """Inpaint lower halves with resampling, and with as many calls of plain replacement."""
    digits, unseen, classifier = load_digits("train"), load_digits("test"), digit_classifier()
    order = torch.randperm(len(unseen.images), generator=torch.Generator().manual_seed(seed))
    images, labels = unseen.images[order[:n]], unseen.labels[order[:n]]
    others, mask = unseen.images[order[n:]], (torch.arange(8)[:, None] < 4).expand(1, 8, 8)
    denoisers: dict[str, tuple[Any, Tensor | None]] = {
        "label: network": (NetworkDenoiser(network, SCHEDULE, "x0", clip=1.0), labels),
        "network": (
            NetworkDenoiser(network, SCHEDULE, "x0", clip=1.0),
            torch.full_like(labels, NULL),
        ),
        "memoriser": (IdealDenoiser(digits.images, SCHEDULE), None),
    }

    def scored(x: Tensor) -> list[float]:
        x = torch.where(mask, images, stored(x))
        miss = (x - images)[:, :, 4:].square().mean().item()
        agree = classifier.agreement(x, labels).value
        return rounded((agree, miss, two_sample_test(others, x).value))

    far = torch.cdist((images * mask).flatten(1), (digits.images * mask).flatten(1))
    found = {"nearest neighbour": {"": scored(digits.images[far.argmin(dim=1)])}}
    for name, (denoiser, label) in denoisers.items():
        found[name] = {}
        for resample in rounds if name == "memoriser" else rounds[:2]:
            calls = 14 * resample + 1
            for way, steps, again in (("rounds", 15, resample), ("calls", calls, 1)):
                if resample == 1 and way == "rounds":
                    continue
                times = make_timesteps(SCHEDULE, steps)
                noise = torch.Generator().manual_seed(1 + seed)
                options: dict[str, Any] = {"timesteps": times, "label": label, "resample": again}
                with torch.no_grad():
                    x = last(inpaint(denoiser, images, mask, SCHEDULE, noise, **options))
                found[name][f"{way} {resample if way == 'rounds' else calls}"] = scored(x)
    return found


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("digits-guidance", options)
    shipped, about = load_checkpoint("digits-guided")
    n, spent = options.samples, []

    def other_network(seed: int, steps: int, name: str) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        network, trained = train_guided(
            experiment, seed, steps, 2e-3, generator, f"digits-{name}-{seed}"
        )
        spent.append(trained.seconds)
        return network

    def train_and_measure(seed: int) -> dict[str, Any]:
        network = shipped if seed == 0 else other_network(seed, options.steps, "guided")
        small = cache(lambda: page_network(seed, options.small, 0.15))

        def draw_all() -> dict:
            early = other_network(50 + seed, options.early, "guided-early")
            spent.pop()  # its time is a part of what is remembered
            return curves(network, small(), early, seed, n)

        def distil() -> dict:
            return distilled(network, student_of(network, 2.0, options.students, seed), seed, n)

        key = f"{seed} {n} {options.steps} {options.early} {options.small} {options.students}"
        hidden = f"{key} {options.holes} {options.rounds}"
        return {
            "curves": experiment.remember(f"curves {key}", draw_all),
            "dropout": experiment.remember(
                f"dropout {key}",
                lambda: forgotten(small(), page_network(seed, options.small, 0.0), seed, n),
            ),
            "distilled": experiment.remember(f"students {key}", distil),
            "inpainting": experiment.remember(
                f"holes {hidden}", lambda: holes(network, seed, options.holes, options.rounds)
            ),
        }

    results = [train_and_measure(seed) for seed in range(options.seeds)]
    (feature, floor), = floors(n).items()  # fmt: skip
    card = make_card(
        experiment,
        task="guidance of digits, remedies, autoguidance, distillation and inpainting, "
        "over three networks",
        **about_the_data(),
        steps=options.steps,
        batch=BATCH,
        cpu_seconds=experiment.seconds() + sum(spent),
        result=results,
        floor=floor,
        columns=COLUMNS,
        inpainting_columns=["class_agreement", "error", "two_sample_accuracy"],
        sampler="DDIM, 12 even steps, samples rounded to 17 grey levels",
        samples=n,
        seeds=options.seeds,
        early_steps=options.early,
        small_steps=options.small,
        student_steps=options.students,
        checkpoints_sha256={"digits-guided": about["sha256"]},
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
