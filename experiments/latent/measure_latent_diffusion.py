"""Measure what diffusion in latents saves: exact pictures against operations, in both spaces.

One transformer, two spaces: latents and pixels. Pictures hold one thing; its caption is a class.
After so many training steps the weights' average draws pictures in 16 Euler steps, and the parser
says how many are exactly what was asked for. Operations are counted by torch, forward and backward.
In pixels the network is trained for the velocity, once more for longer, and, the other usual way,
for the clean picture; all are kept. Runs in pixels take long, and have one seed.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from attnoise.data import draw_captions, load_captions
from attnoise.diffusion import (
    LinearPath,
    NetworkDenoiser,
    euler_sample,
    flow_loss,
    last,
    make_timesteps,
)
from attnoise.evaluation.metrics import wilson_interval
from attnoise.evaluation.picture_parser import score_captions
from attnoise.together import DiT, DiTConfig
from attnoise.training.checkpoints import load_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import train
from experiments import core
from experiments.core import LOG, command_line, make_card, rounded, seeded
from experiments.latent.shapes import data_sha256

PATH, BATCH, STEPS, LR, DECAY = LinearPath(), 32, 16, 1e-2, 0.99
SPACES: dict[str, dict[str, Any]] = {  # what the network sees: side, channels, patch
    "latent": {"image_size": 8, "channels": 4, "patch": 2},
    "pixels": {"image_size": 32, "channels": 3, "patch": 4},
}
RUNS = {  # steps at which pictures are drawn
    "latent u": (500, 1000, 1500, 2000, 3000, 4000),
    "pixels u": (500, 1000, 1500, 2000, 3000),
    "pixels x0": (500, 1000, 1500, 2000, 3000),
    "pixels u longer": (2000, 4000, 6000, 8000),
}
CAPTIONS = [caption for caption in load_captions("train") if len(caption.objects) == 1]


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Of the runs in latents.
        shorter: Divides the steps at which pictures are drawn, for a trial.
        samples: Pictures that are drawn each time.
        copies: Training pictures of each caption.
    """

    seeds: int = 2
    shorter: int = 1
    samples: int = 344
    copies: int = 48


def network(space: str) -> DiT:
    return DiT(DiTConfig(d=96, depth=4, heads=4, classes=len(CAPTIONS), **SPACES[space]))


def operations(work) -> int:
    """Count the floating-point operations of torch's matrix products and convolutions.

    Attention is computed in plain steps meanwhile: the counter overlooks torch's fused one on CPUs.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def count(autoencoder) -> dict:
    """Return operations for one picture: a training step, a network call, encoding, decoding."""
    images, found = torch.zeros(1, 3, 32, 32), {}
    for space in SPACES:
        with torch.no_grad():
            x = images if space == "pixels" else autoencoder.encode(images)
        model = network(space)
        t, label = torch.ones(1), torch.zeros(1, dtype=torch.long)

        def learn(model=model, x=x, t=t, label=label):
            model(x, t, label).sum().backward()

        found[f"{space}, training"] = operations(learn)
        with torch.no_grad():
            found[f"{space}, network call"] = operations(partial(model, x, t, label))
    with torch.no_grad():
        found["encode"] = operations(lambda: autoencoder.encode(images))
        found["decode"] = operations(lambda: autoencoder.decode(torch.zeros(1, 4, 8, 8)))
    return found


def clean_loss(model, x0, label, generator):
    """Predict the clean picture, weighted so that it is the velocity's error, but near t = 0."""
    t = torch.randn(len(x0), generator=generator).sigmoid()[:, None, None, None]
    eps = torch.randn(x0.shape, generator=generator)
    error = model((1 - t) * x0 + t * eps, t.flatten(), label) - x0
    return (error / t.clamp(min=0.05)).square().mean()


def measure(run: str, seed: int, data: dict, autoencoder, options: Options) -> list[dict]:
    """Train one network, and draw pictures on the way; return how many are exact, and the loss."""
    space, target, *_ = run.split()
    x0, labels = data[space], data["labels"]
    model, found = seeded(lambda: network(space), seed), []
    ema, stops = EMA(model, decay=DECAY), [step // options.shorter for step in RUNS[run]]

    def loss(model, generator):
        rows = torch.randint(len(x0), (BATCH,), generator=generator)
        if target == "x0":
            return clean_loss(model, x0[rows], labels[rows], generator)
        return flow_loss(model, x0[rows], generator, label=labels[rows])

    label = torch.arange(options.samples) % len(CAPTIONS)
    asked = [CAPTIONS[i] for i in label.tolist()]
    generator = torch.Generator().manual_seed(seed)
    for record in train(
        model, loss, stops[-1], generator, lr=LR, warmup=50, optimizer="muon", ema=ema
    ):
        if record.step not in stops:
            continue
        noise = torch.randn(
            options.samples, *x0.shape[1:], generator=torch.Generator().manual_seed(100 + seed)
        )
        denoiser = NetworkDenoiser(ema.model.eval(), PATH, target)
        with torch.no_grad():
            steps = euler_sample(
                denoiser,
                noise,
                PATH,
                timesteps=make_timesteps(PATH, STEPS),
                label=label,
                parametrisation="flow",
            )
            drawn = last(steps)
            images = autoencoder.decode(drawn) if space == "latent" else data["unscale"](drawn)
        right = sum(score.exact for score in score_captions(asked, images))
        exact = rounded(wilson_interval(right, options.samples))
        found.append({"step": record.step, "exact": exact, "loss": round(record.loss, 4)})
        LOG.info("%s %d %s", run, seed, found[-1])
    return found


def draw_data(autoencoder, copies: int) -> dict:
    """Draw the training pictures, and return them standardised, and as latents."""
    captions = CAPTIONS * copies
    images = draw_captions(captions, torch.Generator().manual_seed(0))
    with torch.no_grad():
        latents = torch.cat([autoencoder.encode(chunk) for chunk in images.split(500)])
    mean, std = images.mean(), images.std()
    return {
        "latent": latents,
        "pixels": (images - mean) / std,  # pixels are standardised as latents are
        "unscale": lambda x: x * std + mean,
        "labels": torch.arange(len(captions)) % len(CAPTIONS),
    }


def main(options: Options) -> None:
    """Measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("latent-diffusion", options)
    autoencoder, about = load_checkpoint("shapes-autoencoder")
    data, by_run = draw_data(autoencoder, options.copies), {}
    for run in RUNS:
        seeds = 1 if run.startswith("pixels") else options.seeds
        by_run[run] = [
            experiment.remember(
                f"{run} {seed}", partial(measure, run, seed, data, autoencoder, options)
            )
            for seed in range(seeds)
        ]
    unseen = draw_captions(CAPTIONS * 8, torch.Generator().manual_seed(1))
    with torch.no_grad():
        readable = sum(v.exact for v in score_captions(CAPTIONS * 8, autoencoder(unseen)))
    card = make_card(
        experiment,
        task="exact pictures of one object against operations, in latents and in pixels",
        data=f"drawn by attnoise.data.shapes, {len(data['labels'])} training pictures",
        data_sha256=data_sha256(),
        steps=max(steps[-1] for steps in RUNS.values()) // options.shorter,
        batch=BATCH,
        lr=LR,
        ema=DECAY,
        cpu_seconds=experiment.seconds(),
        result={"by_run": by_run},
        ceiling={
            "real_pictures_through_the_autoencoder": rounded(
                wilson_interval(readable, len(CAPTIONS) * 8)
            )
        },
        autoencoder_sha256=about["sha256"],
        pictures=len(data["labels"]),
        samples=options.samples,
        sampling_steps=STEPS,
        operations=count(autoencoder),
        autoencoder_training_steps=about["steps"],
        autoencoder_batch=about["batch"],
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
