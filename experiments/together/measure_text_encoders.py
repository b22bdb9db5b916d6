"""Measure what a text encoder is worth: one text-to-image model with three of them, briefly.

    joint        trained with the model
    contrastive  trained before, to tell which caption belongs to which picture, then frozen
    random       never trained: what a bag of fixed vectors gives

All see the same pictures in the same order.
"""

from dataclasses import dataclass
from functools import partial

import torch

from attnoise.data.captions import encode_captions, load_captions
from attnoise.evaluation.metrics import wilson_interval
from attnoise.together import ContrastivePair, TextToImage
from attnoise.training.checkpoints import load_checkpoint
from attnoise.training.ema import EMA
from attnoise.transformers import BlockConfig, ViT, ViTConfig
from experiments import core
from experiments.core import command_line, make_card, rounded
from experiments.latent.shapes import data_sha256
from experiments.together.train_text_to_image import BATCH, CONFIG, STEPS, latents_of, scored, some

ARMS, SCALE, WIDTH = ("joint", "contrastive", "random"), 2.0, 64
DECAY = 0.99
PICTURES = ViTConfig(
    image_size=8, patch=2, channels=4, classes=WIDTH, depth=2, pool="mean",
    block=BlockConfig(d=96, heads=4),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training of each arm.
        compare: Steps of contrastive training.
        seeds: Of each arm.
        lr: Peak of the learning rate.
        captions: Most training captions that are used.
        pictures: Of each caption.
        samples: Unseen captions that are scored.
    """

    steps: int = 800
    compare: int = 1500
    seeds: int = 2
    lr: float = 6e-3
    captions: int | None = None
    pictures: int = 4
    samples: int = 400


def train_contrastive(experiment, text, latents, tokens, seed: int):
    """Train a text encoder to find each picture's caption among those of a batch of 256."""
    pair = ContrastivePair(text, ViT(PICTURES), WIDTH)

    def loss(pair, generator):
        rows = torch.randint(len(tokens), (256,), generator=generator)
        turn = torch.randint(len(latents), (256,), generator=generator)
        return pair.loss(latents[turn, rows].float(), tokens[rows])

    generator = torch.Generator().manual_seed(seed)
    trained = experiment.run(
        pair, loss, experiment.options.compare, generator, lr=2e-3, warmup=50,
        name=f"contrastive-{seed}",
    )  # fmt: skip
    return pair.eval(), trained.seconds


@torch.no_grad()
def score_pair(pair: ContrastivePair, autoencoder, seed: int) -> dict:
    """Return how often a picture finds its caption, among all unseen ones and beside its twin."""
    captions = [c for c in load_captions("unseen") if len(c.objects) == 2]
    generator = torch.Generator().manual_seed(1000 + seed)
    latents = latents_of(autoencoder, captions, 1, generator)[0].float()
    own, twin = (encode_captions(each) for each in (captions, [c.swapped for c in captions]))
    logits = pair(latents, own)
    meanings = [str(c.meaning) for c in captions]  # "A above B" is as right as "B below A"
    best = logits.argmax(dim=1).tolist()
    found = sum(meanings[b] == meaning for b, meaning in zip(best, meanings, strict=True))
    differs = [len({t.colour for t in c.objects}) == 2 for c in captions]
    beside = pair.embed_images(latents) * (pair.embed_captions(own) - pair.embed_captions(twin))
    better = (beside.sum(dim=1) > 0)[torch.tensor(differs)]
    return {
        "captions": len(captions),
        "found_among_all": rounded(wilson_interval(found, len(captions))),
        "chosen_before_exchanged_colours": rounded(wilson_interval(int(better.sum()), len(better))),
    }


def measure(experiment, arm: str, seed: int, latents, tokens, autoencoder) -> dict:
    """Train one arm with one seed, and return how many unseen captions it draws exactly."""
    options: Options = experiment.options
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, result = TextToImage(CONFIG), {}
        if arm == "contrastive":
            pair, used = train_contrastive(experiment, model.text, latents, tokens, seed)
            result = {
                "comparison": score_pair(pair, autoencoder, seed),
                "comparison_cpu": round(used),
            }
    if arm != "joint":
        model.text.requires_grad_(False)

    def loss(model, generator):
        rows = torch.randint(len(tokens), (BATCH,), generator=generator)
        turn = torch.randint(len(latents), (BATCH,), generator=generator)
        return model.loss(latents[turn, rows].float(), tokens[rows], generator)

    ema, generator = EMA(model, decay=DECAY), torch.Generator().manual_seed(seed)
    trained = experiment.run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.01, optimizer="muon", name=f"text-{arm}-{seed}",
    )  # fmt: skip
    captions = some("unseen", options.samples, 3)
    scores = scored(ema.model.eval(), autoencoder, captions, seed, guidance_scale=SCALE)
    right = sum(one.exact for one in scores)
    return result | {
        "end_loss": trained.end_loss,
        "exact": rounded(wilson_interval(right, len(scores))),
        "cpu_seconds": round(trained.seconds),
    }


def main(options: Options) -> None:
    """Measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("text-encoders", options)
    autoencoder, about = load_checkpoint("shapes-autoencoder")
    captions = load_captions("train")[: options.captions]
    generator = torch.Generator().manual_seed(1)
    latents = latents_of(autoencoder, captions, options.pictures, generator)
    tokens = encode_captions(captions)
    by_arm: dict[str, list[dict]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        for arm in ARMS:
            found = experiment.remember(
                f"{arm} {seed}",
                partial(measure, experiment, arm, seed, latents, tokens, autoencoder),
            )
            by_arm[arm].append(found)
    card = make_card(
        experiment,
        task="exact pictures of unseen captions after equal steps, by text encoder",
        data=f"{options.pictures} pictures of each of {len(captions)} training captions",
        data_sha256=data_sha256(),
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=DECAY,
        cpu_seconds=sum(run["cpu_seconds"] for runs in by_arm.values() for run in runs),
        result={"by_arm": by_arm},
        baseline={"arm": "random"},
        autoencoder_sha256=about["sha256"],
        samples=options.samples,
        sampler={"name": "euler", "steps": STEPS, "guidance_scale": SCALE},
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
