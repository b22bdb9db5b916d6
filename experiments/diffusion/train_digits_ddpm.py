"""Train the shipped digit denoiser and write its card.

What the chapter `diffusion/reverse-process` trains for some seconds, this experiment trains to the
end: class-conditional denoising of the 8 x 8 training digits, x0-prediction, on a CPU.
"""

from dataclasses import dataclass

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
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import memorisation_alarm
from attnoise.together import DiT
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded
from experiments.diffusion.digits import (
    BATCH,
    CONFIG,
    RECIPE,
    about_the_data,
    evaluate,
    floors,
    gaussian_digits,
)


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        samples: Digits that are drawn and evaluated.
        calls: Network calls of the sampler.
    """

    steps: int = 2500
    lr: float = 2e-3
    samples: int = 1000
    calls: int = 100


def main(options: Options) -> None:
    """Train, sample, evaluate, and write weights and card."""
    experiment = core.Experiment("digits-ddpm", options)
    digits, schedule = load_digits("train"), cosine_schedule(1000)
    model = seeded(lambda: DiT(CONFIG), options.seed)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        images, labels = draw_batch((digits.images, digits.labels), BATCH, generator)
        return simple_loss(model, images, schedule, generator, label=labels, **RECIPE)

    trained = experiment.run(
        model, loss, options.steps, experiment.generator(), lr=options.lr, warmup=100, ema=ema
    )

    labels = torch.arange(options.samples) % CONFIG.classes
    generator, network = experiment.generator(1), ema.model.half().float()
    denoiser = NetworkDenoiser(network, schedule, RECIPE["target"], clip=1.0)
    noise = torch.randn(options.samples, 1, 8, 8, generator=generator)
    timesteps = make_timesteps(schedule, options.calls, "trailing")
    samples = last(
        ddpm_sample(denoiser, noise, schedule, generator, timesteps=timesteps, label=labels)
    )
    unseen = load_digits("test")
    gaussian = gaussian_digits(labels, generator)
    card = make_card(
        experiment,
        task="class-conditional denoising of 8 x 8 digits",
        **about_the_data(),
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result=evaluate(samples, labels, options.seed),
        baseline={"per_class_gaussian": evaluate(gaussian, labels, options.seed)},
        floor={
            **floors(options.samples),
            "nearest_training_distance_unseen": rounded(
                memorisation_alarm(samples, digits.images, unseen.images).unseen, 3
            ),
        },
        ceiling={"class_agreement_unseen": rounded(digit_classifier().agreement(*unseen))},
        schedule={"name": schedule.name, "T": schedule.T},
        **RECIPE,
        sampler=f"ancestral, {options.calls} network calls, x0_hat clipped to [-1, 1], "
        "samples rounded to 17 grey levels",
        samples=options.samples,
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
