"""Train the shipped autoencoder of little coloured shapes, and write its card.

Pictures are drawn from the training captions, anew for each batch. The card holds the error and the
rate of pictures that the parser reads as before, on unseen captions and on withheld pairs, beside
a linear code of as many numbers (principal components of training pictures).
"""

from dataclasses import dataclass

import torch

from attnoise.data import draw_captions, load_captions
from attnoise.evaluation.metrics import wilson_interval
from attnoise.evaluation.picture_parser import score_captions
from attnoise.latent import Autoencoder, AutoencoderConfig, autoencoder_loss, fit_latent_scale
from attnoise.training.ema import EMA
from experiments import core
from experiments.core import LOG, command_line, make_card, rounded, seeded
from experiments.latent.shapes import data_sha256

CONFIG = AutoencoderConfig(bottleneck="vae")
BATCH, KL_WEIGHT = 32, 1e-4
SPLITS = {"unseen": 979, "one": 1000, "two": 320}


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        samples: Most pictures of each split that are scored.
        measured: Training pictures by which latents are standardised and components found.
    """

    steps: int = 2000
    lr: float = 3e-3
    samples: int = 1000
    measured: int = 4000


def drawn(captions, n: int, generator: torch.Generator):
    """Draw n pictures of captions taken by chance."""
    rows = torch.randint(len(captions), (n,), generator=generator).tolist()
    chosen = [captions[row] for row in rows]
    return chosen, draw_captions(chosen, generator)


def score(chosen, before, after) -> dict:
    exact = sum(score.exact for score in score_captions(chosen, after))
    return {
        "exact": rounded(wilson_interval(exact, len(chosen))),
        "mean_squared_error": round(float((after - before).square().mean()), 6),
    }


def principal_components(train: torch.Tensor, k: int):
    """Return the round trip through the k directions in which training pictures vary most."""
    flat = train.flatten(1)
    mean = flat.mean(dim=0)
    values, axes = torch.linalg.eigh((flat - mean).T @ (flat - mean))
    axes = axes[:, -k:]
    return lambda x: (((x.flatten(1) - mean) @ axes) @ axes.T + mean).reshape(x.shape)


def main(options: Options) -> None:
    """Train, score every split, and write weights and card."""
    experiment = core.Experiment("shapes-autoencoder", options)
    train, generator = load_captions("train"), experiment.generator()
    model = seeded(lambda: Autoencoder(CONFIG), options.seed)
    ema = EMA(model, decay=0.995)

    def loss(model, generator):
        _, images = drawn(train, BATCH, generator)
        return autoencoder_loss(model, images, generator, kl_weight=KL_WEIGHT)

    trained = experiment.run(
        model, loss, options.steps, generator, lr=options.lr, warmup=50, ema=ema, weight_decay=0.01
    )
    network = ema.model.eval()
    assert isinstance(network, Autoencoder)
    _, images = drawn(train, options.measured, generator)
    fit_latent_scale(network, images)
    network = network.half().float()
    numbers = CONFIG.latent_channels * CONFIG.latent_size**2
    linear = principal_components(images, numbers)
    result, baseline, ceiling = {}, {}, {}
    for split, n in SPLITS.items():
        generator = torch.Generator().manual_seed(99)
        chosen, before = drawn(load_captions(split), min(n, options.samples), generator)
        with torch.no_grad():
            result[split] = score(chosen, before, network(before))
        baseline[split] = score(chosen, before, linear(before))
        ceiling[split] = score(chosen, before, before)
        LOG.info("%s %s %s", split, result[split], baseline[split])
    card = make_card(
        experiment,
        task="compress little pictures of shapes into 8 x 8 x 4 numbers and reconstruct them",
        data="drawn by attnoise.data.shapes from the training captions",
        data_sha256=data_sha256(),
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result=result,
        baseline={f"{numbers}_principal_components": baseline},
        ceiling={"the_pictures_themselves": ceiling},
        kl_weight=KL_WEIGHT,
        latent_std=rounded(network.latent_std.tolist()),
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
