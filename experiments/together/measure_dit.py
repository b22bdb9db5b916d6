"""Measure diffusion transformers: ways of conditioning, sizes, and a U-Net, on latents of shapes.

Latents of pictures of one object, their caption as a class; flow matching; the same steps, batches
and noise for all. The loss is that on two fixed sets of new pictures with fixed times and noise:
the rate of each kind of network is chosen on the first with one seed, and the second is reported.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from attnoise.data import draw_captions
from attnoise.diffusion import UNet, UNetConfig, flow_loss
from attnoise.together import DiT, DiTConfig
from attnoise.training.checkpoints import load_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import train
from attnoise.transformers.block import Modulation
from experiments import core
from experiments.core import command_line, make_card, seeded
from experiments.latent.measure_latent_diffusion import CAPTIONS, operations
from experiments.latent.shapes import data_sha256

BATCH, DECAY, RATES = 32, 0.98, (3e-3, 6e-3, 1.2e-2, 2.4e-2)
LATENT: dict[str, Any] = {"image_size": 8, "channels": 4, "classes": len(CAPTIONS)}
SIZES = {"d 32, 2 blocks": (32, 2), "d 48, 3 blocks": (48, 3), "d 64, 4 blocks": (64, 4),
         "d 96, 6 blocks": (96, 6)}  # fmt: skip
MIDDLE = "d 64, 4 blocks"
WAYS = ("adaln_zero", "adaln without the zeros", "in_context", "cross_attention")
WIDTHS = (24, 56)  # of the U-Net: as many operations per step as the middle DiT, to 1 %


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training of each network.
        seeds: Of each network, at the rate that was chosen for it.
        copies: Training pictures of each caption.
        networks: Which ones, by name; all without it.
    """

    steps: int = 800
    seeds: int = 3
    copies: int = 48
    networks: tuple[str, ...] = (*WAYS, "U-Net", *SIZES)


def build(name: str) -> nn.Module:
    """Return the network of that name: a size, a way of conditioning at the middle one, a U-Net."""
    if name == "U-Net":
        return UNet(UNetConfig(patch=1, widths=WIDTHS, depth=1, heads=4, **LATENT))
    d, depth = SIZES.get(name, SIZES[MIDDLE])
    way = name if name in WAYS else "adaln_zero"
    zeros = way != "adaln without the zeros"
    config = DiTConfig(d=d, depth=depth, heads=4, conditioning=way if zeros else "adaln_zero",
                       **LATENT)  # fmt: skip
    model = DiT(config)
    for layer in model.modules() if not zeros else ():
        if isinstance(layer, Modulation):  # gates start at one, as in a block without a condition
            nn.init.xavier_uniform_(layer.to_vectors.weight)
            with torch.no_grad():
                layer.to_vectors.bias.view(6, d)[[2, 5]] = 1.0
    return model


def fixed_loss(model, x0, labels) -> float:
    """Return the mean loss on these latents, with the same times and noise for every network."""
    generator, total = torch.Generator().manual_seed(77), 0.0
    with torch.no_grad():
        for _ in range(8):
            total += flow_loss(model, x0, generator, label=labels).item() / 8
    return total


def measure(name: str, rate: float, seed: int, sets: dict, steps: int) -> dict:
    """Train one network, and return its loss on both sets of new pictures."""
    x0, labels = sets["train"]
    model = seeded(lambda: build(name), seed)
    ema = EMA(model, decay=DECAY)

    def loss(model, generator):
        rows = torch.randint(len(x0), (BATCH,), generator=generator)
        return flow_loss(model, x0[rows], generator, label=labels[rows])

    generator = torch.Generator().manual_seed(seed)
    for _ in train(model, loss, steps, generator, lr=rate, warmup=40, optimizer="muon", ema=ema):
        pass
    return {part: round(fixed_loss(ema.model.eval(), *sets[part]), 4) for part in ("a", "b")}


def cost(name: str) -> dict:
    """Return the numbers that a network holds, and the operations of a training step."""
    model, x = build(name), torch.zeros(1, 4, 8, 8)
    t, label = torch.ones(1), torch.zeros(1, dtype=torch.long)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "operations_per_picture": operations(lambda: model(x, t, label).sum().backward()),
    }


def draw_sets(autoencoder, train_copies: int) -> dict:
    """Draw training pictures and two sets of new ones, as latents with their classes."""
    sets = {}
    for seed, (part, copies) in enumerate({"train": train_copies, "a": 8, "b": 8}.items()):
        images = draw_captions(CAPTIONS * copies, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            latents = torch.cat([autoencoder.encode(chunk) for chunk in images.split(500)])
        sets[part] = latents, torch.arange(len(latents)) % len(CAPTIONS)
    return sets


def main(options: Options) -> None:
    """Measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("dit", options)
    autoencoder, about = load_checkpoint("shapes-autoencoder")
    sets = draw_sets(autoencoder, options.copies)
    runs: dict[str, dict[str, Any]] = {}

    def loss(name: str, rate: float, seed: int) -> dict:
        return experiment.remember(
            f"{name}, rate {rate:g}, seed {seed}",
            lambda: measure(name, rate, seed, sets, options.steps),
        )

    for name in options.networks:
        if name == MIDDLE:
            runs[name] = runs["adaln_zero"]
            continue
        tried = {rate: loss(name, rate, 0)["a"] for rate in RATES}
        while (rate := min(tried, key=lambda one: tried[one])) == max(tried):
            tried[2 * rate] = loss(name, 2 * rate, 0)["a"]
        losses = [loss(name, rate, seed)["b"] for seed in range(options.seeds)]
        runs[name] = {"rate": rate, "tried": tried, "losses": losses} | cost(name)
    card = make_card(
        experiment,
        task="flow-matching loss on new pictures, of latents of one shape, after equal steps",
        data=f"drawn by attnoise.data.shapes, {len(sets['train'][1])} training pictures",
        data_sha256=data_sha256(),
        steps=options.steps,
        batch=BATCH,
        lr={name: run["rate"] for name, run in runs.items()},
        ema=DECAY,
        cpu_seconds=experiment.seconds(),
        result={"runs": runs},
        baseline={"network": "U-Net"},
        autoencoder_sha256=about["sha256"],
        ways=list(WAYS),
        sizes=list(SIZES),
        middle=MIDDLE,
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
