"""GPT on one CUDA GPU: training speed at the size of GPT-2, and Shakespeare by characters.

  1. GPT-2's 124 M parameters (vocabulary padded to 50,304), 1,024 tokens of context, bf16 autocast,
     torch.compile, fused AdamW, random tokens: tokens per second, and the share of the card's peak
     that this is, counted as nanoGPT counts it: 6 N + 12 depth d context operations per token.
  2. nanoGPT's 10.7 M-parameter recipe (6 blocks, d = 384, context 256, dropout 0.2, batch 64, AdamW
     at 1e-3, 5,000 steps) on the plays: seconds of training until the validation loss falls to a
     goal, and the best loss. Neither compiling nor validating counts. Differs from nanoGPT: the
     attention weights have no dropout, the validation plays are read whole, and the text is another
     unless --text names the file that nanoGPT trains on (its last tenth is then held out).

Prints a table in Markdown, to be kept with its date. Needs a CUDA GPU; nothing but attnoise.

Run: python -m benchmarks.gpt_gpu [--parts speed shakespeare] [--batch 32] [--text FILE]
"""

import argparse
import datetime
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attnoise.data import load_shakespeare
from attnoise.training.loop import learning_rate
from attnoise.training.optimizers import make_optimizers
from attnoise.transformers import (
    GPT,
    GPT_PRESETS,
    CharacterTokenizer,
    GPTConfig,
    mean_loss,
    next_token_loss,
)

# Dense bf16 operations per second by a part of the card's name, from NVIDIA's data sheets.
PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12}


class Point(NamedTuple):
    """A look at the validation plays: steps and seconds of training so far, loss in nats."""

    step: int
    seconds: float
    loss: float


def operations_per_token(model: GPT) -> float:
    """Return 6 N + 12 depth d context, N without the learned positions (PaLM, appendix B)."""
    config = model.config
    count = sum(parameter.numel() for parameter in model.parameters())
    if model.positions is not None:
        count -= model.positions.weight.numel()
    return 6 * count + 12 * config.depth * config.block.d * config.max_length


def peak_of(name: str) -> float | None:
    """Return the peak of a card by its name, None if it is not listed."""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def fused_adamw(model: nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    groups = make_optimizers(model, lr, weight_decay)[0].param_groups
    own = [{"params": g["params"], "weight_decay": g["weight_decay"]} for g in groups]
    return torch.optim.AdamW(own, lr=lr, betas=(0.9, 0.99), fused=True)


def synchronised_clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def make_loss(model: GPT, compiled: bool) -> Callable[[Tensor], Tensor]:
    """Return the loss of a batch in bf16 autocast; head and cross-entropy are compiled with it."""

    def loss(tokens: Tensor) -> Tensor:
        with torch.autocast(tokens.device.type, dtype=torch.bfloat16):
            return next_token_loss(model, tokens)

    return torch.compile(loss) if compiled else loss


def measure_speed(
    config: GPTConfig, device: torch.device, *, batch: int, steps: int, compiled: bool = True
) -> tuple[float, GPT]:
    """Return the median tokens per second of five runs of training steps, and the model."""
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    model = GPT(config).to(device).train()
    loss, optimizer = make_loss(model, compiled), fused_adamw(model, 1e-4, 0.1)
    shape, found = (batch, config.max_length + 1), []
    for _ in range(6):
        start = synchronised_clock(device)
        for _ in range(steps):
            tokens = torch.randint(config.vocab, shape, generator=generator, device=device)
            loss(tokens).backward()
            optimizer.step()
            optimizer.zero_grad()
        found.append(steps * batch * config.max_length / (synchronised_clock(device) - start))
    return statistics.median(found[1:]), model  # the first compiles and warms up


def train_characters(
    config: GPTConfig, train: Tensor, unseen: Tensor, *, batch: int = 64, steps: int = 5000,
    every: int = 50, lr: float = 1e-3, seed: int = 0, compiled: bool = True,
) -> Iterator[Point]:  # fmt: skip
    """Train on tokens that lie on the device, and yield a point every so many steps."""
    torch.manual_seed(seed)  # the first weights, and dropout
    device, offsets = train.device, torch.arange(config.max_length + 1, device=train.device)
    generator = torch.Generator(device).manual_seed(seed)
    model = GPT(config).to(device).train()
    loss, optimizer, seconds = make_loss(model, compiled), fused_adamw(model, lr, 0.1), 0.0

    def draw() -> Tensor:
        last = len(train) - config.max_length
        return train[torch.randint(last, (batch, 1), generator=generator, device=device) + offsets]

    for _ in range(3):  # compile before the clock starts; no weight changes
        loss(draw()).backward()
    optimizer.zero_grad()
    for step in range(1, steps + 1):
        if step % every == 1 or every == 1:
            start = synchronised_clock(device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, lr, 100)
        loss(draw()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % every == 0:
            seconds += synchronised_clock(device) - start
            with torch.autocast(device.type, dtype=torch.bfloat16):
                value = mean_loss(model.eval(), unseen, stride=config.max_length, batch=256)
            model.train()
            yield Point(step, seconds, value)


def summarise(points: list[Point], goal: float) -> tuple[Point | None, Point]:
    """Return the first point at or below the goal, None if there is none, and the best one."""
    reached = next((point for point in points if point.loss <= goal), None)
    return reached, min(points, key=lambda point: point.loss)


def read_characters(path: Path | None) -> tuple[Tensor, Tensor, int]:
    """Return training and validation tokens and the size of the vocabulary."""
    if path is None:
        train, unseen = load_shakespeare("train"), load_shakespeare("validation")
    else:
        text = path.read_text(encoding="utf8")
        train, unseen = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    tokenizer = CharacterTokenizer(train + unseen)
    encoded = (torch.tensor(tokenizer.encode(part)) for part in (train, unseen))
    return (*encoded, len(tokenizer))


def report_speed(device: torch.device, batch: int, steps: int, peak: float | None) -> None:
    config = replace(GPT_PRESETS["gpt2"], vocab=50304)
    speed, model = measure_speed(config, device, batch=batch, steps=steps)
    share = (
        "peak unknown: --peak"
        if peak is None
        else f"{operations_per_token(model) * speed / peak:.1%}"
    )
    print(f"| GPT-2 124M, batch {batch} x 1,024: tokens per second | {speed:,.0f} |")
    print(f"| the same as a share of the card's bf16 peak | {share} |", flush=True)


def report_shakespeare(device: torch.device, path: Path | None, goal: float) -> None:
    train, unseen, vocab = read_characters(path)
    config = replace(GPT_PRESETS["nanogpt-shakespeare"], vocab=vocab)
    points = list(train_characters(config, train.to(device), unseen.to(device)))
    reached, best = summarise(points, goal)
    found = "never" if reached is None else f"{reached.seconds:.1f} s (step {reached.step})"
    print(f"| {path or 'the plays'}, 10.7 M: training until loss {goal} | {found} |")
    print(f"| best loss | {best.loss:.4f} at {best.seconds:.1f} s (step {best.step}) |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("speed", "shakespeare")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--batch", type=int, default=32, help="sequences in a step of GPT-2")
    parser.add_argument("--steps", type=int, default=20, help="steps in each of five timed runs")
    parser.add_argument("--peak", type=float, help="operations per second of a card not listed")
    parser.add_argument("--goal", type=float, default=1.47, help="validation loss in nats")
    parser.add_argument("--text", type=Path, help="a text to train on instead of the plays")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks.gpt_gpu needs a CUDA GPU, but torch sees none on this machine.")
    torch.set_float32_matmul_precision("high")
    device, name = torch.device("cuda"), torch.cuda.get_device_name()
    print(f"| {name}, torch {torch.__version__} | {datetime.date.today()} |\n|---|---|")
    if "speed" in options.parts:
        report_speed(device, options.batch, options.steps, options.peak or peak_of(name))
    if "shakespeare" in options.parts:
        report_shakespeare(device, options.text, options.goal)


if __name__ == "__main__":
    main()
