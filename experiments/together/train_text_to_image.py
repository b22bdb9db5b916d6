"""Train the shipped text-to-image model on captioned shapes, and write its card.

Latents of pictures of the training captions are computed once, several pictures per caption, and
the model learns to flow from noise to them, conditioned on the caption: first at a rate that falls
to a tenth, then, for `--finish` more steps, from that tenth to a hundredth. Guidance scale and
sampler are chosen on training captions, and then the shift of its times. The card holds, for
captions never seen and for withheld pairs of colour and shape, the rate of pictures that the parser
reads as exactly what was asked for.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch

from attnoise.data import draw_captions, encode_captions, load_captions
from attnoise.evaluation.metrics import wilson_interval
from attnoise.evaluation.picture_parser import score_captions
from attnoise.together import TextToImage, TextToImageConfig, sample
from attnoise.training.checkpoints import load_checkpoint
from attnoise.training.ema import EMA
from experiments import core
from experiments.core import (
    LOG,
    Trained,
    command_line,
    make_card,
    rounded,
    seeded,
)
from experiments.latent.shapes import data_sha256

CONFIG = TextToImageConfig()
BATCH, STEPS = 64, 8
CHOICES = [(name, scale) for name in ("euler", "dpm_solver") for scale in (1.0, 2.0, 3.0, 4.0)]
SHIFTS = (1.0, 1.25, 1.5, 1.75)


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        finish: Steps at a tenth of the rate, after these.
        lr: Peak of the learning rate.
        pictures: Of each training caption.
        captions: Most training captions that are used.
        samples: Most captions of each split that are scored.
        draws: Seeds of sampling.
    """

    steps: int = 20_000
    finish: int = 3_000
    lr: float = 6e-3
    pictures: int = 12
    captions: int | None = None
    samples: int = 3000
    draws: int = 3


def latents_of(autoencoder, captions, pictures: int, generator) -> torch.Tensor:
    """Encode several pictures of every caption: "pictures captions c i j", float16."""
    rounds = []
    for turn in range(pictures):
        chunks = [captions[i : i + 512] for i in range(0, len(captions), 512)]
        with torch.no_grad():
            codes = [autoencoder.encode(draw_captions(chunk, generator)) for chunk in chunks]
        rounds.append(torch.cat(codes).half())
        LOG.info("pictures of all captions: %d of %d", turn + 1, pictures)
    return torch.stack(rounds)


def scored(model, autoencoder, captions, seed: int, **options) -> list:
    """Draw one picture per caption, and read them all."""
    generator, scores = torch.Generator().manual_seed(seed), []
    for start in range(0, len(captions), 200):
        chunk = list(captions[start : start + 200])
        tokens = encode_captions(chunk)
        images = sample(model, autoencoder, tokens, generator, steps=STEPS, **options)
        scores += score_captions(chunk, images)
    return scores


def some(split: str, n: int, seed: int) -> list:
    captions = load_captions(split)
    rows = torch.randperm(len(captions), generator=torch.Generator().manual_seed(seed))[:n]
    return [captions[row] for row in rows.tolist()]


def score(model, autoencoder, seed: int, most: int, **options) -> dict:
    """Return what the card says of each split."""
    result = {}
    for split, n in (("unseen", 979), ("one", 1000), ("two", 320), ("swapped", 360)):
        captions = load_captions(split) if split == "swapped" else some(split, n, seed=3)
        captions = captions[:most]
        scores = scored(model, autoencoder, captions, seed, **options)
        good = [one.exact for one in scores]
        if split == "swapped":  # both of a pair
            good = [a and b for a, b in zip(good[::2], good[1::2], strict=True)]
        result[split] = {
            "exact": rounded(wilson_interval(sum(good), len(good))),
            "errors": dict(Counter(v.error for v in scores if v.error)),
        }
        LOG.info("%s %s", split, result[split])
    return result


def choose_sampler(network, autoencoder, samples: int) -> tuple[dict, dict, dict]:
    """Choose sampler and guidance scale, then the shift: by exact pictures of training captions."""
    found, shifts = {}, {}
    few, many = some("train", min(400, samples), 6), some("train", min(3000, samples), 6)
    for name, scale in CHOICES:
        scores = scored(network, autoencoder, few, 7, sampler=name, guidance_scale=scale)
        found[f"{name}, scale {scale:g}"] = sum(one.exact for one in scores)
    best = max(found, key=lambda name: found[name])
    name, scale = CHOICES[list(found).index(best)]
    for shift in SHIFTS:
        options = {"sampler": name, "guidance_scale": scale, "shift": shift}
        scores = scored(network, autoencoder, many, 7, **options)
        shifts[str(shift)] = sum(one.exact for one in scores)
    shift = max(SHIFTS, key=lambda s: shifts[str(s)])
    LOG.info("%s %s", found, shifts)
    return {"sampler": name, "guidance_scale": scale, "shift": shift}, found, shifts


def main(options: Options) -> None:
    """Train, choose the sampler, score every split, and write weights and card."""
    experiment = core.Experiment("text-to-image", options)
    autoencoder, about = load_checkpoint("shapes-autoencoder")
    captions = load_captions("train")[: options.captions]
    tokens = encode_captions(captions)
    latents = latents_of(autoencoder, captions, options.pictures, experiment.generator(1))
    model = seeded(lambda: TextToImage(CONFIG), options.seed)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        rows = torch.randint(len(captions), (BATCH,), generator=generator)
        turn = torch.randint(options.pictures, (BATCH,), generator=generator)
        return model.loss(latents[turn, rows].float(), tokens[rows], generator)

    checked = some("train", min(150, options.samples), seed=4)

    def watch(step: int) -> str:
        scores = scored(ema.model, autoencoder, checked, seed=5)
        return f"{sum(one.exact for one in scores)} of {len(scores)} exact"

    generator = experiment.generator()
    recipe: dict[str, Any] = {"ema": ema, "weight_decay": 0.01, "optimizer": "muon", "watch": watch}
    first = experiment.run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, save_every=1000, **recipe
    )
    second = experiment.run(
        model, loss, options.finish, generator, lr=options.lr / 10, warmup=50, save_every=500,
        name="text-to-image.finish", **recipe,
    )  # fmt: skip
    trained = Trained(first.losses + second.losses, first.seconds + second.seconds)
    network = ema.model.half().float().eval()
    chosen, chosen_by, shifts = choose_sampler(network, autoencoder, options.samples)
    card = make_card(
        experiment,
        task="draw a caption of one or two coloured shapes, in the latents of an autoencoder",
        data=f"{options.pictures} pictures of each of {len(captions)} training captions",
        data_sha256=data_sha256(),
        steps=options.steps + options.finish,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result=[
            score(network, autoencoder, seed, options.samples, **chosen)
            for seed in range(options.draws)
        ],
        chance={"captions_of_other_pictures": shuffled(network, autoencoder, options, chosen)},
        autoencoder_sha256=about["sha256"],
        steps_at_a_tenth_of_the_rate=options.finish,
        training_pictures=(options.steps + options.finish) * BATCH,
        cond_drop_prob=0.1,
        optimizer="muon",
        sampler={
            "name": chosen["sampler"],
            "steps": STEPS,
            "guidance_scale": chosen["guidance_scale"],
            "shift": chosen["shift"],
        },
        exact_of_400_training_captions=chosen_by,
        exact_of_3000_training_captions_by_shift=shifts,
    )
    experiment.write(card, network)


def shuffled(model, autoencoder, options: Options, chosen: dict) -> float:
    """Return how often a picture fits the next caption: what chance would reach."""
    captions = some("unseen", min(400, options.samples), seed=3)
    generator = torch.Generator().manual_seed(8)
    tokens = encode_captions(captions)
    images = sample(model, autoencoder, tokens, generator, steps=STEPS, **chosen)
    scores = score_captions(captions[1:] + captions[:1], images)
    return sum(one.exact for one in scores) / len(scores)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
