"""Our DiT beside diffusers' DiTTransformer2DModel of the same shape: training images per second.

diffusers gives each block layers of its own for time and class; here its blocks share one set, as
in the paper, so that both hold equally many numbers. Its code still computes them in every block.
Both predict the noise of random 16 x 16 x 4 latents, with the same AdamW, one thread, timed by the
clock of the process, taking turns step by step.

Run: python -m benchmarks.dit [--rounds 20]
"""

import argparse
import statistics
import time

import diffusers
import torch
from diffusers import DiTTransformer2DModel
from torch import Tensor, nn
from torch.nn import functional as F

from attnoise.together import DiT, DiTConfig

BATCH, CLASSES = 16, 10
SHAPES = {
    "d = 128, 6 blocks, 64 tokens": {"d": 128, "depth": 6, "heads": 4},
    "d = 384, 4 blocks, 64 tokens": {"d": 384, "depth": 4, "heads": 6},
}


def make_pair(config: DiTConfig) -> tuple[nn.Module, nn.Module]:
    """Return our model and theirs, with equally many parameters."""
    theirs = DiTTransformer2DModel(
        num_attention_heads=config.heads, attention_head_dim=config.d // config.heads,
        in_channels=config.channels, num_layers=config.depth, sample_size=config.image_size,
        patch_size=config.patch, num_embeds_ada_norm=config.classes, norm_eps=config.norm_eps,
    )  # fmt: skip
    for block in theirs.transformer_blocks:
        block.norm1.emb = theirs.transformer_blocks[0].norm1.emb
    return DiT(config), theirs


def answer(model: nn.Module, x_t: Tensor, t: Tensor, label: Tensor) -> Tensor:
    if isinstance(model, DiT):
        return model(x_t, t, label)
    return model(x_t, 1000 * t, class_labels=label).sample


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: list[Tensor]) -> None:
    x0, eps, t, label = batch
    x_t = (1 - t[:, None, None, None]) * x0 + t[:, None, None, None] * eps
    optimizer.zero_grad()
    F.mse_loss(answer(model, x_t, t, label), eps).backward()
    optimizer.step()


def draw(config: DiTConfig, generator: torch.Generator) -> list[Tensor]:
    shape = (BATCH, config.channels, config.image_size, config.image_size)
    latents = [torch.randn(shape, generator=generator) for _ in range(2)]
    label = torch.randint(config.classes, (BATCH,), generator=generator)
    return [*latents, torch.rand(BATCH, generator=generator), label]


def compare(name: str, config: DiTConfig, rounds: int) -> None:
    """Time training steps in turns; the ratios are those of steps of the same round."""
    torch.manual_seed(0)
    models = dict(zip(("ours", "diffusers"), make_pair(config), strict=True))
    optimizers = {
        one: torch.optim.AdamW(model.train().parameters(), lr=1e-4) for one, model in models.items()
    }
    generator, seconds = torch.Generator().manual_seed(0), {one: [] for one in models}
    for turn in range(rounds + 2):
        batch = draw(config, generator)
        for one in [*models][:: 1 if turn % 2 else -1]:  # nobody is always the first
            start = time.process_time()
            train_step(models[one], optimizers[one], batch)
            if turn >= 2:  # the first two warm up
                seconds[one].append(time.process_time() - start)
    print(f"{name}, batch {BATCH}, median and quartiles of {rounds} rounds:")
    for one, found in seconds.items():
        low, middle, high = (BATCH / q for q in statistics.quantiles(found, n=4)[::-1])
        size = sum(p.numel() for p in models[one].parameters())
        print(
            f"  {one:9s} {size:10,d} parameters  {middle:6.1f} images/s ({low:.1f} to {high:.1f})"
        )
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["diffusers"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"  ours is {middle:.2f} ({low:.2f} to {high:.2f}) times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}, one thread")
    latent = {"image_size": 16, "channels": 4, "classes": CLASSES, "null_class": True}
    for name, shape in SHAPES.items():
        compare(name, DiTConfig(**latent, **shape), options.rounds)


if __name__ == "__main__":
    main()
