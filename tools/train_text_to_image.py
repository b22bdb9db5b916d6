"""Train the shipped text-to-image model on captioned shapes, with its card: `make checkpoints`.

Latents of pictures of the training captions are computed once, several pictures per caption, and
the model learns to flow from noise to them, told by the caption: first at a rate that falls to a
tenth, then, for `--finish` more steps, from that tenth to a hundredth. Guidance scale and sampler
are chosen on training captions, and then the shift of its times. The card holds, for captions never
seen and for withheld pairs of colour and shape, the share of pictures that the parser reads as
exactly what was asked for. It can be stopped and started again.
"""

import argparse
import hashlib
import platform
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from attnoise.data import captions as grammar
from attnoise.data import draw_captions, encode_captions, load_captions, shapes
from attnoise.evaluation.metrics import wilson_interval
from attnoise.evaluation.picture_parser import judge_pictures
from attnoise.together import TextToImage, TextToImageConfig, sample
from attnoise.training.checkpoints import FOLDER, load_checkpoint, save_checkpoint
from attnoise.training.ema import EMA
from training import run

CONFIG = TextToImageConfig()
BATCH, STEPS = 64, 8
CHOICES = [(name, scale) for name in ("euler", "dpm_solver") for scale in (1.0, 2.0, 3.0, 4.0)]
SHIFTS = (1.0, 1.25, 1.5, 1.75)


def latents_of(autoencoder, captions, pictures: int, generator) -> torch.Tensor:
    """Encode several pictures of every caption: "pictures captions c i j", float16."""
    rounds = []
    for turn in range(pictures):
        chunks = [captions[i : i + 512] for i in range(0, len(captions), 512)]
        with torch.no_grad():
            codes = [autoencoder.encode(draw_captions(chunk, generator)) for chunk in chunks]
        rounds.append(torch.cat(codes).half())
        print(f"pictures of all captions: {turn + 1} of {pictures}", file=sys.stderr, flush=True)
    return torch.stack(rounds)


def judged(model, autoencoder, captions, seed: int, **options) -> list:
    """Draw one picture per caption, and read them all."""
    generator, verdicts = torch.Generator().manual_seed(seed), []
    for start in range(0, len(captions), 200):
        chunk = list(captions[start : start + 200])
        tokens = encode_captions(chunk)
        images = sample(model, autoencoder, tokens, generator, steps=STEPS, **options)
        verdicts += judge_pictures(chunk, images)
    return verdicts


def some(split: str, n: int, seed: int) -> list:
    captions = load_captions(split)
    rows = torch.randperm(len(captions), generator=torch.Generator().manual_seed(seed))[:n]
    return [captions[row] for row in rows.tolist()]


def score(model, autoencoder, seed: int, **options) -> dict:
    """Return what the card says of each split."""
    result = {}
    for split, n in (("unseen", 979), ("one", 1000), ("two", 320), ("swapped", 360)):
        captions = load_captions(split) if split == "swapped" else some(split, n, seed=3)
        verdicts = judged(model, autoencoder, captions, seed, **options)
        good = [verdict.exact for verdict in verdicts]
        if split == "swapped":  # both of a pair
            good = [a and b for a, b in zip(good[::2], good[1::2], strict=True)]
        result[split] = {
            "exact": [round(x, 4) for x in wilson_interval(sum(good), len(good))],
            "errors": dict(Counter(v.error for v in verdicts if v.error)),
        }
        print(split, result[split], file=sys.stderr, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--finish", type=int, default=3_000, help="steps at a tenth of the rate")
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--pictures", type=int, default=12, help="of each caption")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "text-to-image")
    parser.add_argument("--save-to", type=Path, default=Path("_build/training/text-to-image.pt"))
    options = parser.parse_args()

    autoencoder, about = load_checkpoint("shapes-autoencoder")
    captions = load_captions("train")
    tokens = encode_captions(captions)
    latents = latents_of(
        autoencoder, captions, options.pictures, torch.Generator().manual_seed(options.seed + 1)
    )
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = TextToImage(CONFIG)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        rows = torch.randint(len(captions), (BATCH,), generator=generator)
        turn = torch.randint(options.pictures, (BATCH,), generator=generator)
        return model.loss(latents[turn, rows].float(), tokens[rows], generator)

    checked = some("train", 150, seed=4)

    def watch(step: int) -> str:
        verdicts = judged(ema.model, autoencoder, checked, seed=5)
        return f"step {step}: {sum(v.exact for v in verdicts)} of {len(verdicts)} exact"

    generator = torch.Generator().manual_seed(options.seed)
    losses, seconds = run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.01, optimizer="muon", save_to=options.save_to, save_every=1000, watch=watch,
    )  # fmt: skip
    finished, more = run(
        model, loss, options.finish, generator, lr=options.lr / 10, warmup=50, ema=ema,
        weight_decay=0.01, optimizer="muon", save_to=options.save_to.with_suffix(".finish.pt"),
        save_every=500, watch=watch,
    )  # fmt: skip
    losses, seconds = losses + finished, seconds + more
    network = ema.model.half().float().eval()

    chosen_by = {}
    for name, scale in CHOICES:
        start = time.process_time()
        verdicts = judged(network, autoencoder, some("train", 400, 6), 7, sampler=name, scale=scale)
        used = round(time.process_time() - start)
        chosen_by[f"{name}, scale {scale:g}"] = sum(v.exact for v in verdicts)
        print(name, scale, sum(v.exact for v in verdicts), f"{used} s", file=sys.stderr)
    best = max(chosen_by, key=lambda name: chosen_by[name])
    name, scale = CHOICES[list(chosen_by).index(best)]
    shifts, many = {}, some("train", 3000, 6)
    for shift in SHIFTS:
        verdicts = judged(network, autoencoder, many, 7, sampler=name, scale=scale, shift=shift)
        shifts[shift] = sum(v.exact for v in verdicts)
        print("shift", shift, shifts[shift], file=sys.stderr)
    chosen = {"sampler": name, "scale": scale, "shift": max(shifts, key=lambda s: shifts[s])}
    sources = "".join(Path(m.__file__).read_text() for m in (grammar, shapes))
    card = {
        "task": "paint a caption of one or two coloured shapes, in the latents of an autoencoder",
        "data": f"{options.pictures} pictures of each of {len(captions)} training captions",
        "data_sha256": hashlib.sha256(sources.encode()).hexdigest(),
        "autoencoder_sha256": about["sha256"],
        "seed": options.seed,
        "steps": options.steps + options.finish,
        "steps_at_a_tenth_of_the_rate": options.finish,
        "batch": BATCH,
        "training_pictures": (options.steps + options.finish) * BATCH,
        "lr": options.lr,
        "captions_dropped": 0.1,
        "ema_decay": ema.decay,
        "start_loss": round(sum(losses[:10]) / 10, 3),
        "end_loss": round(sum(losses[-100:]) / 100, 4),
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "sampler": {
            "name": name,
            "steps": STEPS,
            "guidance_scale": scale,
            "shift": chosen["shift"],
        },
        "exact_of_400_training_captions": chosen_by,
        "exact_of_3000_training_captions_by_shift": shifts,
        "result": [score(network, autoencoder, seed, **chosen) for seed in range(3)],
        "floor_captions_of_other_pictures": shuffled(network, autoencoder, chosen),
    }
    save_checkpoint(options.out, network, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


def shuffled(model, autoencoder, options: dict) -> float:
    """Return how often a picture fits the next caption: what chance would reach."""
    captions = some("unseen", 400, seed=3)
    generator = torch.Generator().manual_seed(8)
    tokens = encode_captions(captions)
    images = sample(model, autoencoder, tokens, generator, steps=STEPS, **options)
    verdicts = judge_pictures(captions[1:] + captions[:1], images)
    return sum(verdict.exact for verdict in verdicts) / len(verdicts)


if __name__ == "__main__":
    main()
