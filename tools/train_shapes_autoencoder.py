"""Train the shipped autoencoder of little coloured shapes, with its card: `make checkpoints`.

Pictures are drawn from the training captions, anew for each batch. The card holds the error and the
share of pictures that the parser reads as before, on unseen captions and on withheld pairs, beside
a linear code of as many numbers (principal components of training pictures).
"""

import argparse
import hashlib
import platform
import sys
from pathlib import Path

import torch

from attnoise.data import captions as grammar
from attnoise.data import draw_captions, load_captions, shapes
from attnoise.evaluation.metrics import wilson_interval
from attnoise.evaluation.picture_parser import judge_pictures
from attnoise.latent import Autoencoder, AutoencoderConfig, autoencoder_loss, measure_latents
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from training import run

CONFIG = AutoencoderConfig(bottleneck="vae")
BATCH, KL_WEIGHT, LR = 32, 1e-4, 3e-3
SPLITS = {"unseen": 979, "one": 1000, "two": 320}


def drawn(captions, n: int, generator: torch.Generator):
    """Draw n pictures of captions taken by chance."""
    rows = torch.randint(len(captions), (n,), generator=generator).tolist()
    chosen = [captions[row] for row in rows]
    return chosen, draw_captions(chosen, generator)


def score(chosen, before, after) -> dict:
    exact = sum(verdict.exact for verdict in judge_pictures(chosen, after))
    return {
        "exact": [round(x, 4) for x in wilson_interval(exact, len(chosen))],
        "mean_squared_error": round(float((after - before).square().mean()), 6),
    }


def principal_components(train: torch.Tensor, k: int):
    """Return the round trip through the k directions in which training pictures vary most."""
    flat = train.flatten(1)
    mean = flat.mean(dim=0)
    values, axes = torch.linalg.eigh((flat - mean).T @ (flat - mean))
    axes = axes[:, -k:]
    return lambda x: (((x.flatten(1) - mean) @ axes) @ axes.T + mean).reshape(x.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "shapes-autoencoder")
    parser.add_argument(
        "--save-to", type=Path, default=Path("_build/training/shapes-autoencoder.pt")
    )
    options = parser.parse_args()

    train = load_captions("train")
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = Autoencoder(CONFIG)
    ema = EMA(model, decay=0.995)

    def loss(model, generator):
        _, images = drawn(train, BATCH, generator)
        return autoencoder_loss(model, images, generator, kl_weight=KL_WEIGHT)

    generator = torch.Generator().manual_seed(options.seed)
    losses, seconds = run(
        model, loss, options.steps, generator, lr=LR, warmup=50, ema=ema, weight_decay=0.01,
        save_to=options.save_to,
    )  # fmt: skip
    model = ema.model.eval()
    _, images = drawn(train, 4000, generator)
    measure_latents(model, images)
    model = model.half().float()
    numbers = CONFIG.latent_channels * CONFIG.latent_size**2
    linear = principal_components(images, numbers)
    result, baseline, floor = {}, {}, {}
    for split, n in SPLITS.items():
        chosen, before = drawn(load_captions(split), n, torch.Generator().manual_seed(99))
        with torch.no_grad():
            result[split] = score(chosen, before, model(before))
        baseline[split] = score(chosen, before, linear(before))
        floor[split] = score(chosen, before, before)
        print(split, result[split], baseline[split], file=sys.stderr)
    sources = "".join(Path(m.__file__).read_text() for m in (grammar, shapes))
    card = {
        "task": "squeeze little pictures of shapes into 8 x 8 x 4 numbers and paint them again",
        "data": "drawn by attnoise.data.shapes from the training captions",
        "data_sha256": hashlib.sha256(sources.encode()).hexdigest(),
        "seed": options.seed,
        "steps": options.steps,
        "batch": BATCH,
        "lr": LR,
        "kl_weight": KL_WEIGHT,
        "ema_decay": ema.decay,
        "start_loss": round(sum(losses[:10]) / 10, 4),
        "end_loss": round(sum(losses[-100:]) / 100, 5),
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "result": result,
        f"baseline_{numbers}_principal_components": baseline,
        "floor_the_pictures_themselves": floor,
        "latent_std": [round(x, 4) for x in model.latent_std.tolist()],
    }
    save_checkpoint(options.out, model, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


if __name__ == "__main__":
    main()
