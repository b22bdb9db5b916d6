"""Measure what a text encoder is worth: the same painter with three of them, a few steps each.

    joint        trained with the painter
    contrastive  trained before, to tell which caption belongs to which picture, then frozen
    random       never trained: what a bag of fixed vectors gives

All see the same pictures in the same order. The result is `checkpoints/text-encoders.json`. It can
be stopped and started again: what was measured is kept in `--memory`.

Run: python tools/compare_text_encoders.py
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from train_text_to_image import BATCH, CONFIG, STEPS, judged, latents_of, some

from attnoise.data.captions import encode_captions, load_captions
from attnoise.evaluation.metrics import wilson_interval
from attnoise.together import ContrastivePair, TextToImage
from attnoise.training.checkpoints import FOLDER, load_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.files import write_atomically
from attnoise.transformers import BlockConfig, ViT, ViTConfig
from training import run

ARMS, SCALE, WIDTH = ("joint", "contrastive", "random"), 2.0, 64
PICTURES = ViTConfig(
    image_size=8, patch=2, channels=4, classes=WIDTH, depth=2, pool="mean",
    block=BlockConfig(d=96, heads=4),
)  # fmt: skip


def teach_by_comparison(
    text, latents, tokens, steps: int, seed: int
) -> tuple[ContrastivePair, float]:
    """Train a text encoder to find each picture's caption among those of a batch of 256."""
    pair = ContrastivePair(text, ViT(PICTURES), WIDTH)

    def loss(pair, generator):
        rows = torch.randint(len(tokens), (256,), generator=generator)
        turn = torch.randint(len(latents), (256,), generator=generator)
        return pair.loss(latents[turn, rows].float(), tokens[rows])

    generator = torch.Generator().manual_seed(seed)
    save_to = Path(f"_build/training/contrastive-{seed}.pt")
    _, seconds = run(pair, loss, steps, generator, lr=2e-3, warmup=50, save_to=save_to)
    return pair.eval(), seconds


@torch.no_grad()
def judge_pair(pair: ContrastivePair, autoencoder, seed: int) -> dict:
    """Return how often a picture finds its caption, among all unseen ones and beside its twin."""
    captions = [c for c in load_captions("unseen") if len(c.things) == 2]
    generator = torch.Generator().manual_seed(1000 + seed)
    latents = latents_of(autoencoder, captions, 1, generator)[0].float()
    own, twin = (encode_captions(each) for each in (captions, [c.swapped for c in captions]))
    logits = pair(latents, own)
    meanings = [str(c.meaning) for c in captions]  # "A above B" is as right as "B below A"
    best = logits.argmax(dim=1).tolist()
    found = sum(meanings[b] == meaning for b, meaning in zip(best, meanings, strict=True))
    differs = [len({t.colour for t in c.things}) == 2 for c in captions]
    beside = pair.embed_pictures(latents) * (pair.embed_captions(own) - pair.embed_captions(twin))
    better = (beside.sum(dim=1) > 0)[torch.tensor(differs)]
    return {
        "captions": len(captions),
        "found_among_all": [round(x, 4) for x in wilson_interval(found, len(captions))],
        "chosen_before_exchanged_colours": [
            round(x, 4) for x in wilson_interval(int(better.sum()), len(better))
        ],
    }


def measure(arm: str, seed: int, latents, tokens, autoencoder, options) -> dict:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, result = TextToImage(CONFIG), {}
        if arm == "contrastive":
            pair, used = teach_by_comparison(model.text, latents, tokens, options.compare, seed)
            result = {
                "comparison": judge_pair(pair, autoencoder, seed),
                "comparison_cpu": round(used),
            }
    if arm != "joint":
        model.text.requires_grad_(False)

    def loss(model, generator):
        rows = torch.randint(len(tokens), (BATCH,), generator=generator)
        turn = torch.randint(len(latents), (BATCH,), generator=generator)
        return model.loss(latents[turn, rows].float(), tokens[rows], generator)

    ema, generator = EMA(model, decay=0.99), torch.Generator().manual_seed(seed)
    save_to = Path(f"_build/training/text-{arm}-{seed}.pt")
    losses, used = run(
        model, loss, options.steps, generator, lr=6e-3, warmup=100, ema=ema, weight_decay=0.01,
        optimizer="muon", save_to=save_to,
    )  # fmt: skip
    verdicts = judged(ema.model.eval(), autoencoder, some("unseen", 400, 3), seed, scale=SCALE)
    right = sum(verdict.exact for verdict in verdicts)
    return result | {
        "end_loss": round(sum(losses[-100:]) / 100, 4),
        "exact": [round(x, 4) for x in wilson_interval(right, len(verdicts))],
        "cpu_seconds": round(used),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--compare", type=int, default=1500, help="steps of the comparison")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FOLDER / "text-encoders.json")
    parser.add_argument("--memory", type=Path, default=Path("_build/training/text-encoders.json"))
    options = parser.parse_args()

    autoencoder, about = load_checkpoint("shapes-autoencoder")
    captions = load_captions("train")
    latents = latents_of(autoencoder, captions, 4, torch.Generator().manual_seed(1))
    known = json.loads(options.memory.read_text()) if options.memory.exists() else {}
    for seed in range(options.seeds):
        for arm in ARMS:
            key = f"{arm} {seed}"
            if key not in known:
                known[key] = measure(
                    arm, seed, latents, encode_captions(captions), autoencoder, options
                )
                write_atomically({options.memory: json.dumps(known).encode()})
            print(key, known[key], file=sys.stderr, flush=True)
    result = {
        "task": f"exact pictures of 400 unseen captions after {options.steps} steps, by encoder",
        "autoencoder_sha256": about["sha256"],
        "steps": options.steps,
        "batch": BATCH,
        "sampler": {"name": "euler", "steps": STEPS, "guidance_scale": SCALE},
        "by_arm": {arm: [known[f"{arm} {s}"] for s in range(options.seeds)] for arm in ARMS},
        "torch": torch.__version__,
    }
    write_atomically({options.out: (json.dumps(result, indent=2) + "\n").encode()})
    print(f"wrote {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
