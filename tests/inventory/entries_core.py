"""The inventory of attention and transformers."""

from math import inf, nan
from typing import Any

import torch

from .kinds import Entry, Place, run
from .names import find

TOKENS = ([3, 1, 4, 2, 5, 6], [2, 6, 5, 3, 0, 0])  # 0 is padding
WRONG_TOKENS = [
    {"tokens": torch.tensor([[1, 7]])},
    {"tokens": torch.tensor([[1, -1]])},
    {"tokens": torch.ones(1, 3)},
    {"tokens": torch.ones(1, 7, dtype=torch.long)},
    {"tokens": torch.ones(1, 0, dtype=torch.long)},
    {"tokens": torch.ones(3, dtype=torch.long)},
]
# What a beginner's images look like: whole numbers, channels last, 0 to 255, NaN, another size.
WRONG_IMAGES = [
    torch.zeros(2, 1, 8, 8, dtype=torch.uint8),
    torch.zeros(2, 8, 8, 1),
    torch.full((2, 1, 8, 8), 255.0),
    torch.full((2, 1, 8, 8), nan),
    torch.zeros(2, 1, 7, 8),
    torch.zeros(2, 3, 8, 8),
    torch.zeros(1, 8, 8),
]


def make(name: str, **arguments: Any) -> Any:
    """Build or call a public name, with arguments under their new names."""
    function = find(name)
    return function(**arguments)


def block(**options: Any) -> Any:
    """Return a small block's config."""
    return make("transformers.BlockConfig", **{"d": 8, "heads": 2, **options})


def gpt_config(**options: Any) -> Any:
    """Return a small GPT's config."""
    own = {"vocab": 7, "max_length": 6, "depth": 2, "block": block(causal=True)}
    return make("transformers.GPTConfig", **{**own, **options})


def gpt(at: Place, **options: Any) -> Any:
    """Return a small GPT."""
    return at.model(find("transformers.GPT"), gpt_config(**options))


def bert_config(**options: Any) -> Any:
    """Return a small BERT's config."""
    own = {"vocab": 7, "max_length": 6, "depth": 2, "block": block(), "segments": 2}
    return make("transformers.BERTConfig", **{**own, **options})


def bert(at: Place, **options: Any) -> Any:
    """Return a small BERT."""
    return at.model(find("transformers.BERT"), bert_config(**options))


def translator(at: Place, **options: Any) -> Any:
    """Return a small encoder-decoder."""
    own = {"source_vocab": 7, "target_vocab": 7, "encoder_depth": 1, "decoder_depth": 1,
           "block": block(), "max_length": 6}  # fmt: skip
    config = make("transformers.EncoderDecoderConfig", **{**own, **options})
    return at.model(find("transformers.EncoderDecoder"), config)


def vit(at: Place, **options: Any) -> Any:
    """Return a small ViT."""
    own = {"image_size": 8, "patch": 4, "classes": 3, "depth": 2, "block": block()}
    return at.model(find("transformers.ViT"), make("transformers.ViTConfig", **{**own, **options}))


def queries(at: Place, **more: Any) -> dict[str, Any]:
    """Return what attention is called with."""
    names = ("query", "key", "value")
    given = {name: at.normal(2, 3, 5, 4, seed=i) for i, name in enumerate(names)}
    nowhere = torch.ones(5, 5, dtype=torch.bool).tril(-1).to(at.device)  # row 0: no key at all
    return {**given, "mask": nowhere, "bias": at.normal(5, 5, seed=4), **more}


BAD_QUERIES = [
    {"query": torch.ones(2, 3, 5, 3)},
    {"query": torch.ones(4)},
    {"key": torch.ones(2, 3, 4, 4)},
    {"value": torch.ones(2, 3, 6, 4)},
    {"mask": torch.ones(5, 5)},
    {"mask": torch.ones(4, 5, dtype=torch.bool)},
    {"bias": torch.ones(4, 5)},
    {"query": torch.ones(2, 3, 5, 4, dtype=torch.long)},
    {"scale": nan},
]  # fmt: skip
LARGE = {name: 100 * Place().normal(2, 3, 5, 4, seed=i) for i, name in enumerate(("query", "key"))}

ATTENTION = {
    "attention.attention": Entry(
        family="function",
        call=lambda at: (find("attention.attention"), queries(at)),
        bad=BAD_QUERIES,
        extreme=[LARGE],
        also=["compile"],
    ),
    "attention.fused_attention": Entry(
        family="function",
        call=lambda at: (find("attention.fused_attention"), queries(at)),
        bad=BAD_QUERIES,
        extreme=[LARGE],
        also=["compile"],
    ),
    "attention.MultiHeadAttention": Entry(
        family="model",
        call=lambda at: (
            at.model(
                find("attention.MultiHeadAttention"),
                d=8, heads=4, kv_heads=2, qk_norm=True, positions=find("attention.Rotary")(2),
            ),
            {"x": at.normal(2, 5, 8), "causal": True, "window": 3},
        ),
        bad=[{"x": torch.ones(2, 5, 7)}, {"x": torch.ones(5, 8)}, {"window": 0},
             {"mask": torch.ones(5, 5)}],
        build=lambda: (find("attention.MultiHeadAttention"), {"d": 8, "heads": 4}),
        bad_build=[{"heads": 3}, {"heads": 0}, {"d": 0}, {"d": -8}, {"kv_heads": 3},
                   {"kv_heads": 0}, {"context_width": 0}],
    ),
    "attention.KeyValueCache": Entry(
        family="function",
        call=lambda at: (
            make("attention.KeyValueCache", batch=2, kv_heads=2, max_length=4, k=3,
                 like=at.normal(1)).extend,
            {"key": at.normal(2, 2, 3, 3), "value": at.normal(2, 2, 3, 3)},
        ),
        bad=[{"key": torch.ones(2, 2, 3, 2)}, {"value": torch.ones(1, 2, 3, 3)},
             {"key": torch.ones(2, 2, 5, 3), "value": torch.ones(2, 2, 5, 3)}],
        build=lambda: (find("attention.KeyValueCache"),
                       {"batch": 2, "kv_heads": 2, "max_length": 4, "k": 3}),
        bad_build=[{"max_length": 0}, {"window": 3}, {"window": 0}, {"batch": 0}, {"k": -1},
                   {"kv_heads": 0}],
    ),
    "attention.KeyValueCache.select": Entry(
        family="function",
        call=lambda at: (_select(at), {"rows": at.whole(1, 0)}),
        bad=[{"rows": torch.tensor([2])}, {"rows": torch.ones(2)}],
    ),
    "attention.Rotary": Entry(
        family="model",
        call=lambda at: (at.model(find("attention.Rotary"), 4),
                         {"x": at.normal(2, 2, 5, 4), "start": 70}),
        bad=[{"x": torch.ones(2, 2, 5, 6)}, {"start": -1}],
        build=lambda: (find("attention.Rotary"), {"k": 4}),
        bad_build=[{"k": 3}, {"k": 0}, {"layout": "thirds"}, {"base": 0.0}, {"base": nan}],
    ),
    "attention.Alibi": Entry(
        family="model",
        call=lambda at: (at.model(find("attention.Alibi"), 3), {"n": 2, "m": 5}),
        bad=[{"n": 6}, {"n": 0}],
        build=lambda: (find("attention.Alibi"), {"heads": 3}),
        bad_build=[{"heads": 0}, {"heads": -1}, {"heads": 2.5}],
    ),
    "attention.LearnedPositions": Entry(
        family="model",
        call=lambda at: (at.model(find("attention.LearnedPositions"), 6, 8),
                         {"positions": at.whole([0, 5, 2])}),
        bad=[{"positions": torch.tensor([6])}, {"positions": torch.tensor([-1])},
             {"positions": torch.ones(2)}],
        build=lambda: (find("attention.LearnedPositions"), {"max_length": 6, "d": 8}),
        bad_build=[{"max_length": 0}, {"max_length": -1}, {"d": 0}],
    ),
    "attention.pairs_to_half": Entry(
        family="function",
        call=lambda at: (find("attention.pairs_to_half"),
                         {"weight": at.normal(8, 3), "heads": 2}),
        bad=[{"heads": 3}, {"heads": 0}],
    ),
    "attention.position_angles": Entry(
        family="whole numbers",
        call=lambda at: (find("attention.position_angles"), {"n": 3, "k": 4}),
        bad=[{"k": 3}, {"k": 0}, {"n": 0}, {"base": nan}, {"base": -1.0}],
        but={"device": "it makes float64, on the CPU only", "reads": "it stays on the CPU"},
    ),
    "attention.sinusoidal_positions": Entry(
        family="whole numbers",
        call=lambda at: (find("attention.sinusoidal_positions"), {"n": 3, "d": 4}),
        bad=[{"d": 3}, {"d": 0}, {"n": 0}, {"n": -1}, {"base": nan}],
        but={"device": "a table that its user moves", "reads": "it stays on the CPU"},
    ),
    "attention.causal_mask": Entry(
        family="whole numbers",
        call=lambda at: (find("attention.causal_mask"), {"n": 2, "m": 5, "device": at.device}),
        bad=[{"n": 0}, {"m": 1}],
    ),
    "attention.sliding_window_mask": Entry(
        family="whole numbers",
        call=lambda at: (find("attention.sliding_window_mask"),
                         {"n": 2, "window": 2, "m": 5, "device": at.device}),
        bad=[{"n": 0}, {"m": 1}, {"window": 0}],
    ),
    "attention.padding_mask": Entry(
        family="whole numbers",
        call=lambda at: (find("attention.padding_mask"), {"lengths": at.whole(2, 5), "m": 5}),
        bad=[{"lengths": torch.ones(2)}, {"lengths": torch.tensor([[1]])},
             {"lengths": torch.tensor([6])}, {"lengths": torch.tensor([-1])}, {"m": -1}],
    ),
    "attention.record_weights": Entry(
        family="function",
        call=lambda at: (lambda model: _recorded(model, at), {"model": gpt(at)}),
        bad=[{"model": torch.nn.Linear(2, 2)}],
    ),
}  # fmt: skip


def _select(at: Place) -> Any:
    cache = make("attention.KeyValueCache", batch=2, kv_heads=2, max_length=4, k=3,
                 like=at.normal(1))  # fmt: skip
    cache.extend(at.normal(2, 2, 3, 3), at.normal(2, 2, 3, 3))

    def select(rows):
        cache.select(rows)
        return cache.extend(at.normal(len(rows), 2, 1, 3), at.normal(len(rows), 2, 1, 3))

    return select


def _recorded(model: Any, at: Place) -> Any:
    with find("attention.record_weights")(model) as weights:
        model(at.whole(*TOKENS))
    return weights


def _positions(name: str | None, **options: Any) -> Entry:
    """Return the entry of a GPT with one kind of positions."""
    return Entry(
        family="model",
        call=lambda at: (
            gpt(at, block=block(causal=True, positions=name, **options)),
            {"tokens": at.whole(*TOKENS), "padding": at.whole(0, 2)},
        ),
        bad=[*WRONG_TOKENS, {"padding": torch.tensor([1])}, {"padding": torch.tensor([0, 6])},
             {"padding": torch.tensor([0, -1])}],
    )  # fmt: skip


PROMPTS = {"prompts": [[1, 2, 3], [4]], "max_new_tokens": 8}
BAD_SAMPLING = [
    {"temperature": -1.0}, {"temperature": nan}, {"temperature": inf}, {"top_k": 0}, {"top_k": 8},
    {"top_p": 0.0}, {"top_p": 1.5}, {"top_p": nan}, {"min_p": nan}, {"min_p": -0.5},
]  # fmt: skip
BAD_PROMPTS = [
    {"prompts": []}, {"prompts": [[]]}, {"prompts": [[7]]}, {"prompts": [[-1]]},
    {"prompts": [[1] * 7]}, {"max_new_tokens": 0}, *BAD_SAMPLING,
]  # fmt: skip
SOURCES = {"source_tokens": torch.tensor([[7]])}, {"source_tokens": torch.tensor([[-1]])}
BLOCK = {"d": 8, "heads": 2, "positions": "rotary", "kv_heads": 1}
BAD_BLOCK = [
    {"d": 0}, {"d": -8}, {"heads": 0}, {"heads": 3}, {"kv_heads": 0}, {"kv_heads": 3},
    {"mlp": "relu"}, {"hidden": 0}, {"norm": "batch"}, {"norm_eps": nan}, {"norm_eps": -1.0},
    {"dropout": 1.0}, {"dropout": nan}, {"window": 2}, {"window": 0, "causal": True},
    {"positions": "absolute"}, {"rotary_base": 0.0}, {"rotary_base": nan}, {"context_width": 0},
    {"condition_width": -1}, {"post_norm": True, "condition_width": 4}, {"d": 8.0},
]  # fmt: skip


def _counts(*names: str) -> list[dict[str, Any]]:
    return [{name: value} for name in names for value in (0, -1)]


TRANSFORMERS = {
    "transformers.BlockConfig": Entry(
        family="config",
        call=lambda at: (find("transformers.BlockConfig"), BLOCK),
        bad=BAD_BLOCK,
    ),
    "transformers.modern_block": Entry(
        family="config",
        call=lambda at: (find("transformers.modern_block"), {"d": 8, "heads": 2}),
        bad=[{"d": 0}, {"heads": 3}, {"norm_eps": nan}],
    ),
    "transformers.Block": Entry(
        family="model",
        call=lambda at: (
            at.model(find("transformers.Block"),
                     block(condition_width=4, context_width=6, mlp="swiglu", norm="rms")),
            {"x": at.normal(2, 5, 8), "condition": at.normal(2, 4), "context": at.normal(2, 3, 6)},
        ),
        bad=[{"x": torch.ones(2, 5, 7)}, {"x": torch.ones(5, 8)}, {"condition": None},
             {"condition": torch.ones(2, 3)}, {"condition": torch.ones(3, 4)}, {"context": None},
             {"context": torch.ones(2, 3, 5)}, {"mask": torch.ones(5, 5)}],
    ),
    "transformers.GPTConfig": Entry(
        family="config",
        call=lambda at: (find("transformers.GPTConfig"),
                         {"vocab": 7, "max_length": 6, "block": block(causal=True)}),
        bad=[*_counts("vocab", "max_length", "depth"), {"block": block()}],
    ),
    "transformers.GPT": _positions(None),
    "transformers.GPT.make_caches": Entry(
        family="function",
        call=lambda at: (lambda batch: _cached(gpt(at), at, batch), {"batch": 2}),
        bad=[{"batch": 0}, {"batch": -1}],
    ),
    "transformers.GPT_PRESETS": Entry(family="constant"),
    "transformers.BERTConfig": Entry(
        family="config",
        call=lambda at: (find("transformers.BERTConfig"),
                         {"vocab": 7, "max_length": 6, "block": block()}),
        bad=[*_counts("vocab", "max_length", "depth"), {"segments": -1}, {"mask": 7}, {"mask": -1},
             {"pad": -1}, {"pad": 7}, {"pad": 1}, {"block": block(causal=True)}],
    ),
    "transformers.BERT": Entry(
        family="model",
        call=lambda at: (bert(at), {"tokens": at.whole(*TOKENS)}),
        bad=[*WRONG_TOKENS, {"segments": torch.full((2, 6), 2)}, {"segments": torch.ones(2, 5)}],
        extreme=[{"tokens": torch.zeros(2, 6, dtype=torch.long)}],
    ),
    "transformers.BERT.encode": Entry(
        family="model",
        call=lambda at: (bert(at).encode, {"tokens": at.whole(*TOKENS)}),
        bad=WRONG_TOKENS,
        but={"memory": "a method"},
    ),
    "transformers.SequenceClassifier": Entry(
        family="model",
        call=lambda at: (at.model(find("transformers.SequenceClassifier"), bert(Place()), 3),
                         {"tokens": at.whole(*TOKENS)}),
        bad=WRONG_TOKENS,
        build=lambda: (find("transformers.SequenceClassifier"),
                       {"bert": bert(Place()), "classes": 3}),
        bad_build=[*_counts("classes"), {"dropout": 1.5}, {"dropout": nan}],
    ),
    "transformers.MaskedTokens": Entry(family="record"),
    "transformers.mask_tokens": Entry(
        family="whole numbers",
        call=lambda at: (find("transformers.mask_tokens"),
                         {"tokens": at.whole(*TOKENS), "config": bert_config(),
                          "generator": at.generator(), "mask_ratio": 0.5}),
        bad=[{"mask_ratio": v} for v in (0.0, 1.5, nan)]
        + [{"special": 7}, {"special": -1}, *WRONG_TOKENS[:3]],
    ),
    "transformers.masked_loss": Entry(
        family="loss",
        call=lambda at: (find("transformers.masked_loss"),
                         {"model": bert(at), "tokens": at.whole(*TOKENS),
                          "masked": _masked(at, 0.5)}),
        bad=[{"tokens": torch.full((2, 6), 7)}, {"tokens": torch.full((2, 6), -1)},
             {"tokens": torch.ones(2, 6)}, {"tokens": torch.ones(1, 2, dtype=torch.long)}],
        extreme=[lambda at: {"masked": make("transformers.MaskedTokens", tokens=at.whole(*TOKENS),
                                            chosen=torch.zeros(2, 6, dtype=torch.bool))}],
    ),
    "transformers.next_token_loss": Entry(
        family="loss",
        call=lambda at: (find("transformers.next_token_loss"),
                         {"model": gpt(at), "tokens": at.whole(*TOKENS)}),
        bad=[*WRONG_TOKENS[:3], {"tokens": torch.ones(1, 1, dtype=torch.long)}],
    ),
    "transformers.mean_loss": Entry(
        family="plain",
        call=lambda at: (find("transformers.mean_loss"),
                         {"model": gpt(at), "tokens": at.whole([1, 2, 3, 4, 5, 6, 0, 1, 2, 3])}),
        bad=[{"stride": v} for v in (0, -1, 7)]
        + [*_counts("batch"), {"tokens": torch.tensor([1])}, {"tokens": torch.tensor([1, 7])},
           {"tokens": torch.tensor([1, -1])}, {"tokens": torch.ones(1, 3, dtype=torch.long)}],
        also=["device"],
    ),
    "transformers.EncoderDecoderConfig": Entry(
        family="config",
        call=lambda at: (find("transformers.EncoderDecoderConfig"),
                         {"source_vocab": 7, "target_vocab": 7, "block": block()}),
        bad=[*_counts("source_vocab", "target_vocab", "encoder_depth", "decoder_depth",
                      "max_length"), {"pad": -1}, {"pad": 1}, {"end": 7},
             {"block": block(causal=True)}],
    ),
    "transformers.EncoderDecoder": Entry(
        family="model",
        call=lambda at: (translator(at), {"source_tokens": at.whole(*TOKENS),
                                          "target_tokens": at.whole([1, 4, 5], [1, 6, 2])}),
        bad=[*SOURCES, {"target_tokens": torch.tensor([[7], [1]])},
             {"source_tokens": torch.ones(2, 7, dtype=torch.long)},
             {"source_tokens": torch.ones(2, 3)},
             {"target_tokens": torch.ones(2, 0, dtype=torch.long)},
             {"target_tokens": torch.ones(3, 2, dtype=torch.long)}],
        extreme=[{"source_tokens": torch.zeros(2, 6, dtype=torch.long)}],
    ),
    "transformers.teacher_forcing_loss": Entry(
        family="loss",
        call=lambda at: (find("transformers.teacher_forcing_loss"),
                         {"model": translator(at), "source_tokens": at.whole(*TOKENS),
                          "target_tokens": at.whole([1, 4, 5, 2], [1, 6, 2, 0])}),
        bad=[*SOURCES, {"label_smoothing": nan}, {"label_smoothing": 1.5},
             {"target_tokens": torch.ones(2, 1, dtype=torch.long)}],
        extreme=[{"target_tokens": torch.tensor([[1, 0, 0], [1, 0, 0]])}],
    ),
    "transformers.greedy_decode": Entry(
        family="whole numbers",
        call=lambda at: (find("transformers.greedy_decode"),
                         {"model": translator(at), "source_tokens": at.whole(*TOKENS)}),
        bad=[*SOURCES, {"source_tokens": torch.ones(2, 7, dtype=torch.long)},
             {"source_tokens": torch.ones(2, 0, dtype=torch.long)}],
        but={"reads": "it stops when every sequence has ended"},
    ),
    "transformers.beam_search": Entry(
        family="function",
        call=lambda at: (find("transformers.beam_search"),
                         {"model": translator(at), "source_tokens": at.whole(*TOKENS),
                          "beams": 2}),
        bad=[*SOURCES, {"beams": 0}, {"beams": 8}, {"length_penalty": nan}],
        but={"reads": "it stops when every sequence has ended",
             "precision": "a near tie may change the sequence"},
    ),
    "transformers.generate": Entry(
        family="whole numbers",
        call=lambda at: (find("transformers.generate"),
                         {"model": gpt(at), "generator": at.generator(), **PROMPTS}),
        bad=BAD_PROMPTS,
    ),
    "transformers.complete": Entry(
        family="plain",
        call=lambda at: (find("transformers.complete"),
                         {"model": gpt(at), "generator": at.generator(), **PROMPTS, "stop": [6]}),
        bad=BAD_PROMPTS,
        also=["device"],
    ),
    "transformers.reshape_distribution": Entry(
        family="function",
        call=lambda at: (find("transformers.reshape_distribution"),
                         {"logits": at.normal(3, 7), "temperature": 0.7, "top_k": 4,
                          "top_p": 0.9, "min_p": 0.05}),
        bad=BAD_SAMPLING,
        rtol=4,  # a token may fall on the other side of a threshold
        extreme=[{"temperature": 0.0, "top_k": None, "top_p": None, "min_p": None},
                 {"temperature": 1e-30}, {"logits": 1e30 * Place().normal(3, 7)}],
    ),
    "transformers.gpt_from_gpt2": Entry(
        family="plain",
        call=lambda at: (find("transformers.gpt_from_gpt2"), {"weights": _gpt2(), "heads": 2}),
        bad=[{"weights": {}}, {"heads": 0}, {"heads": 3}],
    ),
    "transformers.initialise": Entry(
        family="plain",
        call=lambda at: (find("transformers.initialise"), {"model": gpt(at)}),
        bad=[{"std": nan}, {"std": -1.0}],
        also=["device"],
    ),
    "transformers.SymbolTokenizer": Entry(
        family="plain",
        call=lambda at: (find("transformers.SymbolTokenizer")("abc", special=["<pad>"]).encode,
                         {"sequence": "cab"}),
        bad=[{"sequence": "x"}],
        build=lambda: (find("transformers.SymbolTokenizer"), {"symbols": "abc"}),
        bad_build=[{"symbols": ""}, {"symbols": "aa"}],
    ),
    "transformers.SymbolTokenizer.decode": Entry(
        family="plain",
        call=lambda at: (find("transformers.SymbolTokenizer")("abc").decode, {"tokens": [0, 2]}),
        bad=[{"tokens": [3]}, {"tokens": [-1]}],
    ),
    "transformers.CharacterTokenizer": Entry(
        family="plain",
        call=lambda at: (find("transformers.CharacterTokenizer")("abc").decode,
                         {"tokens": [0, 2]}),
        bad=[{"tokens": [3]}, {"tokens": [-1]}],
        build=lambda: (find("transformers.CharacterTokenizer"), {"text": "abc"}),
        bad_build=[{"text": ""}],
    ),
    "transformers.BytePairTokenizer": Entry(
        family="plain",
        call=lambda at: (find("transformers.BytePairTokenizer")([(97, 98)]).decode,
                         {"tokens": [256, 97]}),
        bad=[{"tokens": [257]}, {"tokens": [-1]}],
        build=lambda: (find("transformers.BytePairTokenizer"), {"merges": [(97, 98)]}),
        bad_build=[{"merges": [(97, 300)]}, {"merges": [(97,)]}, {"merges": [(-1, 97)]}],
    ),
    "transformers.ViTConfig": Entry(
        family="config",
        call=lambda at: (find("transformers.ViTConfig"), {"image_size": 8, "block": block()}),
        bad=[*_counts("image_size", "patch", "channels", "classes", "depth"), {"patch": 3},
             {"pool": "max"}],
    ),
    "transformers.ViT": Entry(
        family="model",
        call=lambda at: (vit(at), {"images": at.images(2, 1, 8, 8)}),
        bad=[{"images": x} for x in WRONG_IMAGES],
    ),
    "transformers.ViT.encode": Entry(
        family="model",
        call=lambda at: (vit(at).encode, {"images": at.images(2, 1, 8, 8),
                                          "keep": at.whole([0, 2], [3, 1])}),
        bad=[{"images": x} for x in WRONG_IMAGES] + [{"keep": torch.tensor([[4], [0]])}],
        but={"memory": "a method"},
    ),
    "transformers.MaskedAutoencoder": Entry(
        family="model",
        call=lambda at: (at.model(find("transformers.MaskedAutoencoder"), vit(Place())),
                         {"images": at.images(2, 1, 8, 8), "generator": at.generator()}),
        bad=[{"images": x} for x in WRONG_IMAGES],
        build=lambda: (find("transformers.MaskedAutoencoder"), {"vit": vit(Place())}),
        bad_build=[*_counts("depth"), {"mask_ratio": 0.0}, {"mask_ratio": 1.0},
                   {"mask_ratio": nan}],
    ),
    "transformers.MaskedAutoencoder.loss": Entry(
        family="loss",
        call=lambda at: (at.model(find("transformers.MaskedAutoencoder"), vit(Place())).loss,
                         {"images": at.images(2, 1, 8, 8), "generator": at.generator()}),
        bad=[{"images": x} for x in WRONG_IMAGES],
    ),
    "transformers.attention_rollout": Entry(
        family="function",
        call=lambda at: (find("transformers.attention_rollout"),
                         {"model": vit(at), "images": at.images(2, 1, 8, 8)}),
        bad=[{"images": x} for x in WRONG_IMAGES],
    ),
    "transformers.roll_out": Entry(
        family="function",
        call=lambda at: (find("transformers.roll_out"),
                         {"weights": [at.normal(2, 3, 4, 4).softmax(-1) for _ in range(2)]}),
        bad=[{"weights": []}],
    ),
    "transformers.patchify": Entry(
        family="function",
        call=lambda at: (find("transformers.patchify"), {"images": at.images(2, 1, 8, 8), "p": 4}),
        bad=[{"p": 3}, {"p": 0}, {"p": -2}, {"images": torch.ones(8, 8)}],
    ),
    "transformers.unpatchify": Entry(
        family="function",
        call=lambda at: (find("transformers.unpatchify"),
                         {"patches": at.normal(2, 4, 16), "p": 4}),
        bad=[{"patches": torch.ones(2, 6, 16)}, {"p": 3}, {"p": 0}, {"c": 3}, {"c": 0}],
    ),
}  # fmt: skip
for _name in ("rotary", "alibi"):
    TRANSFORMERS[f"transformers.GPT {_name}"] = _positions(_name, kv_heads=1)
TRANSFORMERS["transformers.GPT window"] = _positions(None, window=3)
CORE = {**ATTENTION, **TRANSFORMERS}


def _masked(at: Place, ratio: float) -> Any:
    return make("transformers.mask_tokens", tokens=at.whole(*TOKENS), config=bert_config(),
                generator=at.generator(), mask_ratio=ratio)  # fmt: skip


@torch.no_grad()
def _cached(model: Any, at: Place, batch: int) -> Any:
    caches = model.make_caches(batch)
    tokens = at.whole(*TOKENS)[:batch]
    first = run((model, {"tokens": tokens[:, :3], "caches": caches}))
    return first, run((model, {"tokens": tokens[:, 3:], "caches": caches}))


def _gpt2() -> dict[str, torch.Tensor]:
    """Return weights named as GPT-2's, of one block of width 8."""
    shapes = {"wte": (7, 8), "wpe": (6, 8)}
    layers = {"attn.c_attn": (8, 24), "attn.c_proj": (8, 8), "mlp.c_fc": (8, 32),
              "mlp.c_proj": (32, 8)}  # fmt: skip
    weights = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    for name, (rows, columns) in layers.items():
        weights[f"h.0.{name}.weight"] = torch.zeros(rows, columns)
        weights[f"h.0.{name}.bias"] = torch.zeros(columns)
    for name in ("h.0.ln_1", "h.0.ln_2", "ln_f"):
        weights |= {f"{name}.weight": torch.ones(8), f"{name}.bias": torch.zeros(8)}
    return weights
