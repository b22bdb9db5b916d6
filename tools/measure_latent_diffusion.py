"""Measure what diffusion in latents saves: exact pictures against operations, in both spaces.

One transformer, two spaces: latents and pixels. Pictures hold one thing; its caption is a class.
After so many training steps the weights' average draws pictures in 16 Euler steps, and the parser
says how many are exactly what was asked for. Operations are counted by torch, forward and backward.
In pixels the network is trained for the velocity, once more for longer, and, the other usual way,
for the clean picture; all are kept. Runs in pixels take long, and have one seed. The result is
`checkpoints/latent-diffusion.json`. It can be stopped and started again: what was measured is kept
in `--memory`.

Run: python tools/measure_latent_diffusion.py
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

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
from attnoise.evaluation.picture_parser import judge_pictures
from attnoise.together import DiT, DiTConfig
from attnoise.training.checkpoints import FOLDER, load_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.files import write_atomically
from attnoise.training.loop import train

PATH, BATCH, SAMPLES, STEPS = LinearPath(), 32, 344, 16
SPACES = {  # what the network sees: side, channels, patch
    "latent": {"image_size": 8, "channels": 4, "patch": 2},
    "pixels": {"image_size": 32, "channels": 3, "patch": 4},
}
RUNS = {  # steps at which pictures are drawn
    "latent u": (500, 1000, 1500, 2000, 3000, 4000),
    "pixels u": (500, 1000, 1500, 2000, 3000),
    "pixels x0": (500, 1000, 1500, 2000, 3000),
    "pixels u longer": (2000, 4000, 6000, 8000),
}
CAPTIONS = [caption for caption in load_captions("train") if len(caption.things) == 1]


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


def measure(run: str, seed: int, data: dict, autoencoder) -> list[dict]:
    space, target, *_ = run.split()
    x0, labels = data[space], data["labels"]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = network(space)
    ema, found = EMA(model, decay=0.99), []

    def loss(model, generator):
        rows = torch.randint(len(x0), (BATCH,), generator=generator)
        if target == "x0":
            return clean_loss(model, x0[rows], labels[rows], generator)
        return flow_loss(model, x0[rows], generator, label=labels[rows])

    label = torch.arange(SAMPLES) % len(CAPTIONS)
    asked = [CAPTIONS[i] for i in label.tolist()]
    start = time.process_time()
    generator = torch.Generator().manual_seed(seed)
    for record in train(
        model, loss, RUNS[run][-1], generator, lr=1e-2, warmup=50, optimizer="muon", ema=ema
    ):
        if record.step not in RUNS[run]:
            continue
        noise = torch.randn(
            SAMPLES, *x0.shape[1:], generator=torch.Generator().manual_seed(100 + seed)
        )
        denoiser = NetworkDenoiser(ema.model.eval(), PATH, target)
        with torch.no_grad():
            walk = euler_sample(
                denoiser,
                noise,
                PATH,
                timesteps=make_timesteps(PATH, STEPS),
                label=label,
                parametrisation="flow",
            )
            drawn = last(walk)
            images = autoencoder.decode(drawn) if space == "latent" else data["unscale"](drawn)
        right = sum(verdict.exact for verdict in judge_pictures(asked, images))
        share = [round(x, 4) for x in wilson_interval(right, SAMPLES)]
        found.append({"step": record.step, "exact": share, "loss": round(record.loss, 4)})
        seconds = time.process_time() - start
        print(run, seed, found[-1], f"{seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2, help="of the runs in latents")
    parser.add_argument("--out", type=Path, default=FOLDER / "latent-diffusion.json")
    parser.add_argument(
        "--memory", type=Path, default=Path("_build/training/latent-diffusion.json")
    )
    options = parser.parse_args()
    autoencoder, about = load_checkpoint("shapes-autoencoder")
    captions = CAPTIONS * 48
    images = draw_captions(captions, torch.Generator().manual_seed(0))
    with torch.no_grad():
        latents = torch.cat([autoencoder.encode(chunk) for chunk in images.split(500)])
    mean, std = images.mean(), images.std()
    data = {
        "latent": latents,
        "pixels": (images - mean) / std,  # pixels are standardised as latents are
        "unscale": lambda x: x * std + mean,
        "labels": torch.arange(len(captions)) % len(CAPTIONS),
    }
    known = json.loads(options.memory.read_text()) if options.memory.exists() else {}
    for seed in range(options.seeds):
        for run in RUNS:
            key = f"{run} {seed}"
            if run.startswith("pixels") and seed:
                continue
            if key not in known:
                known[key] = measure(run, seed, data, autoencoder)
                write_atomically({options.memory: json.dumps(known).encode()})
    unseen = draw_captions(CAPTIONS * 8, torch.Generator().manual_seed(1))
    with torch.no_grad():
        floor = sum(v.exact for v in judge_pictures(CAPTIONS * 8, autoencoder(unseen)))
    result = {
        "task": "exact pictures of one thing against operations, in latents and in pixels",
        "autoencoder_sha256": about["sha256"],
        "pictures": len(captions),
        "batch": BATCH,
        "samples": SAMPLES,
        "sampling_steps": STEPS,
        "operations": count(autoencoder),
        "autoencoder_training_steps": about["steps"],
        "autoencoder_batch": about["batch"],
        "floor_real_pictures_through_the_autoencoder": [
            round(x, 4) for x in wilson_interval(floor, len(CAPTIONS) * 8)
        ],
        "by_run": {
            run: [
                known[f"{run} {seed}"] for seed in range(options.seeds) if f"{run} {seed}" in known
            ]
            for run in RUNS
        },
        "torch": torch.__version__,
    }
    write_atomically({options.out: (json.dumps(result, indent=2) + "\n").encode()})
    print(f"wrote {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
