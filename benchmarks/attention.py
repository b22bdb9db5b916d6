"""Time and memory of our attention beside torch's own, forward and backward, in one run.

All three layers hold the same weights and give the same output (asserted first):
  torch  torch.nn.MultiheadAttention, need_weights=False
  fused  attnoise MultiHeadAttention as it comes
  plain  the same layer made to run the readable attention

Run: python -m benchmarks.attention [--tokens 64 256 ...]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from tests.twins import torch_twin
from torch.testing import assert_close

from attnoise.attention import MultiHeadAttention, attention

D, HEADS, BATCH = 256, 4, 4
LAYERS = ("torch", "fused", "plain")


def make_layer(name: str):
    """Return a function from x to the layer's output; the weights are the same for each name."""
    torch.manual_seed(0)
    ours = MultiHeadAttention(D, HEADS)
    if name == "torch":
        theirs = torch_twin(ours)
        return lambda x: theirs(x, x, x, need_weights=False)[0]
    if name == "plain":
        ours.attend = attention
    return ours


def draw(tokens: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(tokens)
    return torch.randn(BATCH, tokens, D, generator=generator).requires_grad_()


def train_step(layer, x: torch.Tensor) -> None:
    layer(x).square().mean().backward()


def time_in_turns(tokens: int, budget: float) -> dict[str, list[float]]:
    """Time training steps, the layers taking turns, so that a busy moment hits all alike."""
    layers, x = {name: make_layer(name) for name in LAYERS}, draw(tokens)
    seconds: dict[str, list[float]] = {name: [] for name in LAYERS}
    end = time.perf_counter() + budget * len(LAYERS)
    while time.perf_counter() < end or len(seconds["torch"]) < 9:
        for name, layer in layers.items():
            start = time.perf_counter()
            train_step(layer, x)
            seconds[name].append(time.perf_counter() - start)
    return {name: found[2:] for name, found in seconds.items()}  # the first two warm up


def measure_memory(name: str, tokens: int) -> float:
    """Return the peak memory of one forward and backward pass in MB, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.attention", "--memory-of", name, str(tokens)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def report_memory(name: str, tokens: int) -> None:
    layer = make_layer(name)
    train_step(layer, draw(8))  # load the kernels first
    before = peak_bytes()
    train_step(layer, draw(tokens))
    print((peak_bytes() - before) / 1e6)


def peak_bytes() -> int:
    """Return the most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would count what the parent held before the fork
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[64, 128, 256, 512, 1024, 2048])
    parser.add_argument("--seconds", type=float, default=2.0, help="time spent on each cell")
    parser.add_argument("--memory-of", nargs=2, metavar=("LAYER", "TOKENS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        return report_memory(options.memory_of[0], int(options.memory_of[1]))
    print(f"d = {D}, {HEADS} heads, batch {BATCH}, {torch.get_num_threads()} threads, float32")
    print("forward + backward: median ms (interquartile range), median ratio to torch, peak MB")
    for tokens in options.tokens:
        outputs = [make_layer(name)(draw(tokens)) for name in LAYERS]
        for output in outputs[1:]:
            assert_close(output, outputs[0], atol=1e-5, rtol=1e-4)
        seconds = time_in_turns(tokens, options.seconds)
        cells = []
        for name in LAYERS:
            low, middle, high = statistics.quantiles(seconds[name], n=4)
            pairs = zip(seconds[name], seconds["torch"], strict=True)
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            cells.append(
                f"{name} {middle * 1e3:8.2f} ({(high - low) * 1e3:6.2f}) "
                f"x{ratio:4.2f} {measure_memory(name, tokens):7.1f} MB"
            )
        print(f"{tokens:5d} tokens | " + " | ".join(cells), flush=True)
    return None


if __name__ == "__main__":
    main()
