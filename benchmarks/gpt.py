"""Our GPT beside torch's encoder, nanoGPT's recipe and x-transformers: speed, loss, generation.

  1. Training tokens per second: attnoise GPT with learned and with rotary positions, a model in
     nanoGPT's layout (one matrix for query, key and value, fused attention; torch's own modules),
     torch.nn.TransformerEncoder (causal, norm first, GELU) and x-transformers (TransformerWrapper
     and Decoder with fused attention), of equal size, all with learned positions but the one, and
     with the same AdamW, taking turns step by step.
  2. Validation loss after equal CPU-seconds: see `benchmarks.gpt_loss`.
  3. Generation from one token until a context of 256 is full: with a cache and without, one stream
     and sixteen, ours and x-transformers', taking turns; both draw from the whole distribution.

One thread throughout, timed by the clock of the process: waiting for other work does not count.

Run: python -m benchmarks.gpt [--parts speed loss generation] [--seconds 120] [--seeds 3]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import torch
from benchmarks.gpt_loss import compare_loss, count_parameters
from torch import nn
from torch.nn import functional as F
from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

from attnoise.attention import LearnedPositions
from attnoise.training.optimizers import make_optimizers
from attnoise.transformers import GPT, BlockConfig, GPTConfig, generate, initialise

VOCAB, DEPTH, HEADS = 79, 4, 4
SHAPES = ((128, 64, 12), (128, 64, 24), (256, 256, 4))  # width, context, batch
WIDTH, FULL = 128, 256  # of the models that write


def make_ours(d: int, context: int, positions: str | None = None) -> GPT:
    block = BlockConfig(d=d, heads=HEADS, causal=True, positions=positions)
    return GPT(GPTConfig(vocab=VOCAB, max_length=context, depth=DEPTH, block=block))


class TorchGPT(nn.Module):
    """torch's own encoder between an embedding and a head, which share their weights."""

    def __init__(self, d: int, context: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCAB, d), LearnedPositions(context, d)
        layer = nn.TransformerEncoderLayer(
            d, HEADS, 4 * d, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(d)
        self.encoder = nn.TransformerEncoder(layer, DEPTH, norm, enable_nested_tensor=False)
        self.head = nn.Linear(d, VOCAB, bias=False)
        initialise(self)
        self.head.weight = self.tokens.weight
        mask = nn.Transformer.generate_square_subsequent_mask(context)
        self.register_buffer("mask", mask)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        n = tokens.shape[1]
        x = self.tokens(tokens) + self.positions(torch.arange(n))
        return self.head(self.encoder(x, mask=self.mask[:n, :n], is_causal=True))


class FusedLayer(nn.Module):
    """A block in nanoGPT's layout: query, key and value from one matrix."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.norm, self.mlp_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.to_all, self.to_output = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.to_all(self.norm(x)).chunk(3, dim=2)
        query, key, value = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in parts)
        answer = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.to_output(answer.transpose(1, 2).flatten(2))
        return x + self.mlp(self.mlp_norm(x))


class FusedGPT(nn.Module):
    """nanoGPT's layout by torch's own modules; head and embedding share their weights."""

    def __init__(self, d: int, context: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCAB, d), nn.Embedding(context, d)
        self.layers = nn.Sequential(*(FusedLayer(d) for _ in range(DEPTH)), nn.LayerNorm(d))
        self.head = nn.Linear(d, VOCAB, bias=False)
        initialise(self)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.layers(x))


def make_x_transformers(d: int, context: int) -> TransformerWrapper:
    layers = Decoder(dim=d, depth=DEPTH, heads=HEADS, attn_dim_head=d // HEADS, attn_flash=True)
    return TransformerWrapper(
        num_tokens=VOCAB, max_seq_len=context, tie_embedding=True, attn_layers=layers
    )


MAKERS: dict[str, Callable[[int, int], nn.Module]] = {
    "ours": make_ours,
    "ours, rotary": partial(make_ours, positions="rotary"),
    "nanoGPT layout": FusedGPT,
    "torch": TorchGPT,
    "x-transformers": make_x_transformers,
}


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: torch.Tensor) -> None:
    logits = model(tokens[:, :-1])
    optimizer.zero_grad()
    F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    optimizer.step()


def seconds_of(action: Callable[..., object], *arguments) -> float:
    start = time.process_time()
    action(*arguments)
    return time.process_time() - start


def compare_speed(d: int, context: int, batch: int, rounds: int) -> None:
    """Time training steps in turns; the ratios are those of steps of the same round."""
    torch.manual_seed(0)
    models = {name: make(d, context).train() for name, make in MAKERS.items()}
    optimizers = {name: make_optimizers(model, 1e-3)[0] for name, model in models.items()}
    for name in ("nanoGPT layout", "torch"):
        assert count_parameters(models["ours"]) == count_parameters(models[name])
    generator = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 3):
        tokens = torch.randint(VOCAB, (batch, context + 1), generator=generator)
        first = turn % len(models)
        order = [*models][first:] + [*models][:first]  # nobody is always the first
        for name in order:
            model = models[name]
            found = seconds_of(train_step, model, optimizers[name], tokens)
            if turn >= 3:  # the first three warm up
                seconds[name].append(found)
    print(f"training, d = {d}, {DEPTH} blocks, context {context}, batch {batch},")
    print(f"median and quartiles of {rounds} rounds:")
    for name, found in seconds.items():
        speeds = [batch * context / q for q in statistics.quantiles(found, n=4)[::-1]]
        ratios = [b / a for a, b in zip(seconds["ours"], found, strict=True)]
        size = count_parameters(models[name])
        print(
            f"  {name:15s} {size:9,d} parameters  {with_spread(speeds, 0)} tokens/s; ours is "
            f"{with_spread(statistics.quantiles(ratios, n=4), 2)} times as fast"
        )


def with_spread(quartiles: list[float], digits: int) -> str:
    """Write three quartiles as the median and, in brackets, the other two."""
    low, middle, high = (f"{value:,.{digits}f}" for value in quartiles)
    return f"{middle} ({low} to {high})"


def make_writers() -> dict[str, Callable[[int, bool], object]]:
    """Return functions of (streams, cache) that fill a context from its first token."""
    torch.manual_seed(0)
    ours = make_ours(WIDTH, FULL).eval()
    theirs = AutoregressiveWrapper(make_x_transformers(WIDTH, FULL)).eval()

    def write(streams: int, cache: bool) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        steps = generate(ours, [[0]] * streams, generator, max_new_tokens=FULL - 1, use_cache=cache)
        return list(steps)

    def write_theirs(streams: int, cache: bool) -> torch.Tensor:
        first = torch.zeros(streams, 1, dtype=torch.long)
        everything = {"filter_logits_fn": lambda logits: logits}
        return theirs.generate(first, FULL - 1, cache_kv=cache, **everything)

    return {"ours": write, "x-transformers": write_theirs}


def compare_generation(streams: int, rounds: int) -> None:
    """Time whole texts in turns; the ratios are those of texts of the same round."""
    writers, seconds = make_writers(), {}
    for turn in range(rounds + 1):
        for name, write in writers.items():
            for cache in (True, False):
                found = seconds_of(write, streams, cache)
                if turn:  # the first round warms up
                    seconds.setdefault((name, cache), []).append(found)

    def ratio(slow: tuple[str, bool], fast: tuple[str, bool]) -> float:
        pairs = zip(seconds[slow], seconds[fast], strict=True)
        return statistics.median(a / b for a, b in pairs)

    print(f"generation, d = {WIDTH}, context {FULL}, streams: {streams}, {rounds} rounds:")
    for name in writers:
        with_cache, without = (
            streams * (FULL - 1) / statistics.median(seconds[name, cache])
            for cache in (True, False)
        )
        print(
            f"  {name:15s} {with_cache:6,.0f} tokens/s with cache, {without:5,.0f} without: "
            f"{ratio((name, False), (name, True)):.1f} times; ours with cache is "
            f"{ratio((name, True), ('ours', True)):.2f} times as fast"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("speed", "loss", "generation")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--seconds", type=float, default=120.0, help="training time of each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=60, help="timed training steps of each")
    parser.add_argument("--texts", type=int, default=7, help="timed texts of each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"x-transformers {version('x-transformers')}, torch {torch.__version__}, one thread")
    if "speed" in options.parts:
        for shape in SHAPES:
            compare_speed(*shape, rounds=options.rounds)
    if "generation" in options.parts:
        for streams in (1, 16):
            compare_generation(streams, options.texts)
    if "loss" in options.parts:
        compare_loss(options.seconds, range(options.seeds))


if __name__ == "__main__":
    main()
