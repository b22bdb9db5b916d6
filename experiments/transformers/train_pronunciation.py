"""Train the shipped speller-to-speaker and write its card.

What the chapter `transformers/encoder-decoder` trains for some seconds, this experiment trains to
the end: letters to phones on the training words of CMUdict, on a CPU. Words of one length make a
batch, so that hardly any padding is computed.
"""

from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from attnoise.data import LETTERS, PHONES, load_pronunciations
from attnoise.data.pronunciation import SHA256
from attnoise.evaluation.grapheme_to_phoneme import GraphemeToPhonemeRules
from attnoise.evaluation.text_metrics import pronunciation_errors
from attnoise.training.ema import EMA
from attnoise.transformers import (
    BlockConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    SymbolTokenizer,
    beam_search,
    greedy_decode,
    teacher_forcing_loss,
)
from experiments import core
from experiments.core import command_line, make_card, rounded, seeded

SPECIAL = ["<pad>", "<begin>", "<end>"]
SPELLING = SymbolTokenizer(LETTERS, special=SPECIAL)
SOUND = SymbolTokenizer(PHONES, special=SPECIAL)
CONFIG = EncoderDecoderConfig(
    source_vocab=len(SPELLING),
    target_vocab=len(SOUND),
    encoder_depth=4,
    decoder_depth=3,
    max_length=32,
    block=BlockConfig(
        d=144, heads=6, mlp="swiglu", hidden=368, norm="rms", bias=False, dropout=0.1,
        positions="rotary", qk_norm=True,
    ),
)  # fmt: skip
BATCH, SMOOTHING, BEAMS = 256, 0.1, 8


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        steps: Of training.
        lr: Peak of the learning rate.
        words: Most test words that are scored; all without it.
    """

    steps: int = 7000
    lr: float = 6e-3
    words: int | None = None


class Words:
    """Pairs of spelling and sound as tokens, drawn so that a batch has words of one length."""

    def __init__(self, entries) -> None:
        pairs = sorted(
            ((e.word, way) for e in entries for way in e.pronunciations if len(way) < 31),
            key=lambda pair: len(pair[0]),
        )
        tensors = [torch.tensor(SPELLING.encode(word)) for word, _ in pairs]
        self.source = pad_sequence(tensors, batch_first=True)
        tensors = [torch.tensor([1, *SOUND.encode(way), 2]) for _, way in pairs]
        self.target = pad_sequence(tensors, batch_first=True)
        self.lengths = (self.source != 0).sum(dim=1)

    def draw(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a word, then a batch of words of its length."""
        one = torch.randint(len(self.source), (), generator=generator)
        length = self.lengths[one].clamp(3, 14)
        low, high = torch.searchsorted(self.lengths, torch.stack([length, length + 1]))
        low, high = low * (length > 3), torch.where(length < 14, high, len(self.source))
        rows = low + torch.randint(int(high - low), (size,), generator=generator)
        source, target = self.source[rows], self.target[rows]
        widest = (target != 0).sum(dim=1).max()
        return source[:, : int(self.lengths[rows].max())], target[:, : int(widest)]


def speak(model: EncoderDecoder, words: list[str], beams: int = 1) -> list[list[str]]:
    """Return the phones that a model writes for each word, in the words' order."""
    order = sorted(range(len(words)), key=lambda i: len(words[i]))
    spoken: list[list[str]] = [[] for _ in words]
    for first in range(0, len(words), 250):
        rows = order[first : first + 250]
        tensors = [torch.tensor(SPELLING.encode(words[i])) for i in rows]
        source = pad_sequence(tensors, batch_first=True)
        written = greedy_decode(model, source) if beams == 1 else beam_search(
            model, source, beams=beams)[0]  # fmt: skip
        for i, tokens in zip(rows, written.tolist(), strict=True):
            spoken[i] = SOUND.decode(tokens)
    return spoken


def score(model: EncoderDecoder, entries, beams: int = 1) -> dict:
    """Return phone and word error rates on some entries."""
    spoken = speak(model, [e.word for e in entries], beams)
    errors = pronunciation_errors(spoken, [e.pronunciations for e in entries])
    return rates(errors)


def rates(errors) -> dict:
    """Return error rates as a card holds them."""
    return {
        "phoneme_error_rate": round(errors.phone_error_rate, 4),
        "word_error_rate": rounded(errors.word_error_rate),
    }


def baselines(held_out) -> dict:
    """Return the error rates of counted rules, and of each letter by itself."""
    known = load_pronunciations("train")
    rules = GraphemeToPhonemeRules([e.word for e in known], [e.pronunciations[0] for e in known])

    def alone(word):
        return [phone for c in word for phone in rules.rules.get(((0, 0), "", c, ""), ())]

    found = {}
    for name, speller in (("counted_rules", rules.predict), ("letter_by_letter", alone)):
        errors = pronunciation_errors(
            [speller(e.word) for e in held_out], [e.pronunciations for e in held_out]
        )
        found[name] = rates(errors)
    return found


def main(options: Options) -> None:
    """Train, score the test words, and write weights and card."""
    experiment = core.Experiment("pronunciation", options)
    words = Words(load_pronunciations("train"))
    model = seeded(lambda: EncoderDecoder(CONFIG), options.seed)
    ema, checked = EMA(model, decay=0.999), load_pronunciations("validation")

    def loss(model, generator):
        source, target = words.draw(BATCH, generator)
        return teacher_forcing_loss(model, source, target, label_smoothing=SMOOTHING)

    def watch(step):
        return score(ema.model, checked[:500]) if step % 1000 == 0 else ""

    trained = experiment.run(
        model, loss, options.steps, experiment.generator(), lr=options.lr, warmup=100, ema=ema,
        weight_decay=0.05, optimizer="muon", watch=watch,
    )  # fmt: skip

    network = ema.model.half().float()
    assert isinstance(network, EncoderDecoder)
    held_out = load_pronunciations("test")[: options.words]
    card = make_card(
        experiment,
        task="spelling to sound, English words",
        data=f"CMUdict, {len(words.source):,} pronunciations of the training words, no stress",
        data_sha256=SHA256,
        steps=options.steps,
        batch=BATCH,
        lr=options.lr,
        ema=ema.decay,
        trained=trained,
        result={
            "greedy": score(network, held_out),
            f"beam_{BEAMS}": score(network, held_out, BEAMS),
        },
        baseline=baselines(held_out),
        optimizer="muon",
        label_smoothing=SMOOTHING,
        test_words=len(held_out),
    )
    experiment.write(card, network)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
