"""DiT on one CUDA GPU: training images per second at the published sizes.

32 x 32 x 4 latents in patches of 2, 1,000 classes, bf16 autocast, torch.compile, fused AdamW at
1e-4, straight paths from random latents to noise. A step is forward, backward and the optimiser's;
there are no averaged weights. Beside it the share of the card's peak: operations of the matrix
products and of attention in the forward pass, counted by torch, times 3 for both passes.

Prints a table in Markdown, to be kept with its date. Needs a CUDA GPU; nothing but attnoise.

Run: python -m benchmarks.gpu_dit [--sizes DiT-S DiT-B] [--batch 256] [--steps 20]
"""

import argparse
import datetime
import statistics
import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from attnoise.together import DIT_PRESETS, DiT, DiTConfig

from .gpt_gpu import peak_of, synchronised_clock


def latent_config(name: str) -> DiTConfig:
    """Return a published size with patches of 2 for 32 x 32 x 4 latents."""
    return DiTConfig(image_size=32, classes=1000, null_class=True, **DIT_PRESETS[name])


def operations_per_image(config: DiTConfig) -> float:
    """Return the operations of one training step per image, a multiply-add being two."""
    with torch.device("meta"), torch.no_grad():
        model, shape = DiT(config), (1, config.channels, config.image_size, config.image_size)
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(shape), torch.empty(1), torch.zeros(1, dtype=torch.long))
    return 3.0 * counter.get_total_flops()


def make_loss(model: DiT, compiled: bool) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return the flow-matching loss of latents in bf16 autocast, compiled as a whole."""

    def loss(x0: Tensor, eps: Tensor, t: Tensor, label: Tensor) -> Tensor:
        level = t[:, None, None, None]
        with torch.autocast(x0.device.type, dtype=torch.bfloat16):
            velocity = model((1 - level) * x0 + level * eps, t, label)
        return F.mse_loss(velocity.float(), eps - x0)

    return torch.compile(loss) if compiled else loss


def measure_speed(
    config: DiTConfig, device: torch.device, *, batch: int, steps: int, compiled: bool = True
) -> float:
    """Return the median images per second of five runs of training steps."""
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    model = DiT(config).to(device).train()
    loss = make_loss(model, compiled)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
    shape, found = (batch, config.channels, config.image_size, config.image_size), []
    options = {"generator": generator, "device": device}
    for _ in range(6):
        start = synchronised_clock(device)
        for _ in range(steps):
            x0, eps = torch.randn(shape, **options), torch.randn(shape, **options)
            t = torch.rand(batch, **options)
            label = torch.randint(config.classes, (batch,), **options)
            loss(x0, eps, t, label).backward()
            optimizer.step()
            optimizer.zero_grad()
        found.append(steps * batch / (synchronised_clock(device) - start))
    return statistics.median(found[1:])  # the first compiles and warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = ("DiT-S", "DiT-B")
    parser.add_argument("--sizes", nargs="+", choices=[*sizes, "DiT-L", "DiT-XL"], default=sizes)
    parser.add_argument("--batch", type=int, default=256, help="images in a step")
    parser.add_argument("--steps", type=int, default=20, help="steps in each of five timed runs")
    parser.add_argument("--peak", type=float, help="operations per second of a card not listed")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks.gpu_dit needs a CUDA GPU, but torch sees none on this machine.")
    torch.set_float32_matmul_precision("high")
    device, name = torch.device("cuda"), torch.cuda.get_device_name()
    peak = options.peak or peak_of(name)
    print(f"| {name}, torch {torch.__version__}, {datetime.date.today()} | images/s | of peak |")
    print("|---|---|---|")
    for size in options.sizes:
        config = latent_config(size)
        speed = measure_speed(config, device, batch=options.batch, steps=options.steps)
        share = f"{operations_per_image(config) * speed / peak:.1%}" if peak else "unknown: --peak"
        print(f"| {size}/2, batch {options.batch} | {speed:,.0f} | {share} |", flush=True)


if __name__ == "__main__":
    main()
