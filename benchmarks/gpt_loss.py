"""Validation loss after equal CPU-seconds: our best recipe, nanoGPT's, and x-transformers.

All three train a model of 0.8 M parameters (d = 128, 4 blocks, 4 heads, 64 characters of context)
on one thread, on the same training plays. The clock is that of the process, so that other work on
the machine takes nothing from anyone; the learning rate follows the share of the time that is used
up, because nobody knows the number of steps beforehand. The loss is the mean over the windows of 64
characters of the unseen plays, none of which overlap.

ours            rotary positions, no biases; Muon at 2e-2 for the blocks and AdamW at 2e-2 for the
                rest, batches of 24, a rate that falls in a straight line to 0
nanoGPT recipe  its model for a CPU (learned positions, no biases) in our code, and its training:
                AdamW at 1e-3, betas 0.9 and 0.99, decay 0.1 on matrices, batches of 12, 100 steps
                of warm-up, then a cosine to 1e-4
x-transformers  its Decoder with rotary positions, fused attention and a head of its own; trained as
                nanoGPT is, but at 3e-3, the best for it of 1e-3, 3e-3 and 6e-3

Our recipe and that rate were chosen by runs of 60 CPU-seconds on all but the last 220,000
characters of the training plays, scored on those: never on the plays that the table is about.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F
from x_transformers import Decoder, TransformerWrapper

from attnoise.data import load_shakespeare
from attnoise.training.optimizers import make_optimizers
from attnoise.transformers import GPT, GPT_PRESETS, BlockConfig, CharacterTokenizer, GPTConfig

D, DEPTH, HEADS, CONTEXT = 128, 4, 4, 64


def linear_course(used: float, step: int) -> float:
    """Rise for the first fiftieth of the time, then fall in a straight line to zero."""
    return min(used / 0.02, (1 - used) / 0.98)


def cosine_course(used: float, step: int) -> float:
    """Rise for 100 steps, and fall along a cosine to a tenth: nanoGPT's, told by time."""
    return min(1.0, step / 100) * (0.1 + 0.45 * (1 + math.cos(math.pi * used)))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model and how it is trained.

    Args:
        build: Makes the model from the size of the vocabulary.
        optimizer: "adamw" or "muon"; see `make_optimizers`.
        lr: The peak of the learning rate.
        weight_decay: On matrices alone.
        batch: Windows in each step.
        course: Called with the share of the time that is used up and the number of the step;
            multiplies lr.
    """

    build: Callable[[int], nn.Module]
    optimizer: str
    lr: float
    weight_decay: float
    batch: int
    course: Callable[[float, int], float]


def build_ours(vocab: int) -> GPT:
    block = BlockConfig(d=D, heads=HEADS, causal=True, bias=False, positions="rotary")
    return GPT(GPTConfig(vocab=vocab, max_length=CONTEXT, depth=DEPTH, block=block))


def build_nanogpt(vocab: int) -> GPT:
    return GPT(replace(GPT_PRESETS["nanogpt-shakespeare-cpu"], vocab=vocab))


def build_x_transformers(vocab: int) -> nn.Module:
    layers = Decoder(
        dim=D, depth=DEPTH, heads=HEADS, attn_dim_head=D // HEADS, attn_flash=True,
        rotary_pos_emb=True, rotary_emb_dim=D // HEADS,
    )  # fmt: skip
    return TransformerWrapper(
        num_tokens=vocab, max_seq_len=CONTEXT, use_abs_pos_emb=False, attn_layers=layers
    )


_NANOGPT = Recipe(
    build=build_nanogpt, optimizer="adamw", lr=1e-3, weight_decay=0.1, batch=12,
    course=cosine_course,
)  # fmt: skip
RECIPES = {
    "ours": Recipe(
        build=build_ours, optimizer="muon", lr=2e-2, weight_decay=0.0, batch=24,
        course=linear_course,
    ),
    "nanoGPT recipe": _NANOGPT,
    "x-transformers": replace(_NANOGPT, build=build_x_transformers, lr=3e-3),
}  # fmt: skip


def train_for(
    recipe: Recipe, tokens: torch.Tensor, vocab: int, seconds: float, seed: int
) -> tuple[nn.Module, int]:
    """Train for so many CPU-seconds of this process; return the model and the number of steps."""
    generator, offsets = torch.Generator().manual_seed(seed), torch.arange(CONTEXT + 1)
    torch.manual_seed(seed)  # the first weights
    model, step, start = recipe.build(vocab).train(), 0, time.process_time()
    optimizers = make_optimizers(model, recipe.lr, recipe.weight_decay, recipe.optimizer)
    while (used := (time.process_time() - start) / seconds) < 1:
        step += 1
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = recipe.lr * recipe.course(used, step)
        starts = torch.randint(len(tokens) - CONTEXT, (recipe.batch, 1), generator=generator)
        windows = tokens[starts + offsets]
        loss = F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
    return model.eval(), step


@torch.no_grad()
def validation_loss(model: nn.Module, tokens: torch.Tensor) -> float:
    """Return the mean loss in nats over windows side by side, each read from its own start."""
    count = (len(tokens) - 1) // CONTEXT
    inputs = tokens[: count * CONTEXT].view(count, CONTEXT)
    targets = tokens[1 : count * CONTEXT + 1].view(count, CONTEXT)
    total = 0.0
    for rows, wanted in zip(inputs.split(128), targets.split(128), strict=True):
        logits = model(rows)
        total += F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum").item()
    return total / targets.numel()


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def compare_loss(seconds: float, seeds: Iterable[int]) -> None:
    """Train everyone with every seed, and print a line for each run and for each recipe."""
    tokenizer = CharacterTokenizer(load_shakespeare("all"))
    train, unseen = (
        torch.tensor(tokenizer.encode(load_shakespeare(part))) for part in ("train", "validation")
    )
    print(f"validation loss in nats per character after {seconds:g} CPU-seconds on one thread:")
    found: dict[str, list[float]] = {name: [] for name in RECIPES}
    for seed in seeds:
        for name, recipe in RECIPES.items():
            model, steps = train_for(recipe, train, len(tokenizer), seconds, seed)
            loss = validation_loss(model, unseen)
            found[name].append(loss)
            print(
                f"  seed {seed} {name:15s} {count_parameters(model):9,d} parameters "
                f"{steps:5d} steps  {steps * recipe.batch * CONTEXT / 1e6:.2f} M characters  "
                f"loss {loss:.3f}",
                flush=True,
            )
    for name, losses in found.items():
        low, high = min(losses), max(losses)
        print(f"  {name:15s} mean {statistics.mean(losses):.3f}  from {low:.3f} to {high:.3f}")
