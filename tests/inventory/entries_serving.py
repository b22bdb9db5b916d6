"""The inventory of data, training, evaluation and figures."""

import tempfile
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .entries_core import _counts as counts
from .entries_core import gpt, vit
from .entries_denoising import points
from .kinds import Entry, Place
from .names import find

NO_BAD = {"ranges": "it takes no argument"}


def on_host(name: str, bad: Any, /, **given: Any) -> Entry:
    """Return the entry of a measure: tensors of any device go in, numbers come out."""

    def call(at: Place) -> Any:
        return find(name), {k: v(at) if callable(v) else v for k, v in given.items()}  # fmt: skip

    return Entry(family="measure", call=call, bad=bad)


def plain(name: str, bad: Any, /, aka: Any = (), **given: Any) -> Entry:
    """Return the entry of a function without tensors."""
    return Entry(family="plain", call=lambda at: (find(name), given), bad=bad, aka=aka)


def loader(name: str) -> Entry:
    """Return the entry of a reader of data."""
    return Entry(family="loader", call=lambda at: (find(name), {}),
                 bad=[{"split": "dev"}, {"split": None}, {"split": 0}])  # fmt: skip


def captions() -> Any:
    """Return two captions."""
    parse = find("data.parse_caption")
    return [parse("a large red circle"), parse("a small white cross above a large blue ring")]


def _drawn(at: Place, function: Any) -> Any:
    """Draw where the generator lives, and move it to the place."""
    return lambda **given: function(**given).to(at.device)


DATA = {
    "data.LETTERS": Entry(family="constant"),
    "data.PHONES": Entry(family="constant"),
    "data.Caption": Entry(family="record"),
    "data.SceneObject": Entry(family="record"),
    "data.Digits": Entry(family="record"),
    "data.LexiconEntry": Entry(family="record"),
    "data.load_captions": loader("data.load_captions"),
    "data.load_digits": loader("data.load_digits"),
    "data.load_mnist": loader("data.load_mnist"),
    "data.load_pronunciations": loader("data.load_pronunciations"),
    "data.load_shakespeare": loader("data.load_shakespeare"),
    "data.load_plays": Entry(family="loader", call=lambda at: (find("data.load_plays"), {}),
                             but=NO_BAD),
    "data.parse_caption": plain(
        "data.parse_caption",
        [{"text": t} for t in ("", "a red circle", "a large red cat", "a large red circle above")],
        aka=["caption"], text="a large red circle"),
    "data.encode_captions": plain(
        "data.encode_captions", [{"captions": "a large red circle"}, {"captions": ["a cat"]}],
        captions=["a large red circle", None]),
    "data.draw_captions": Entry(
        family="function",
        call=lambda at: (_drawn(at, find("data.draw_captions")),
                         {"captions": captions(), "generator": at.generator()}),
        bad=[{"captions": []}],
        but={"precision": "pixels are float32"},
    ),
    "data.GaussianMixture": Entry(
        family="function",
        call=lambda at: (_drawn(at, _mixture(Place()).sample),
                         {"n": 5, "generator": at.generator()}),
        bad=counts("n")[1:],
        build=lambda: (find("data.GaussianMixture"), {"centres": torch.ones(2, 2), "std": 0.1}),
        bad_build=[{"std": 0.0}, {"std": nan}, {"std": inf}, {"centres": torch.ones(2)},
                   {"centres": torch.ones(0, 2)}, {"centres": torch.full((2, 2), nan)}],
        but={"precision": "points are float32"},
    ),
    "data.GaussianMixture.log_prob": Entry(
        family="function",
        call=lambda at: (_mixture(at).log_prob, {"x": at.normal(3, 2, seed=1)}),
        bad=[{"x": torch.ones(3, 3)}, {"x": torch.ones(2)}],
        but={"precision": "a density needs float32"},
    ),
    "data.Checkerboard": Entry(
        family="function",
        call=lambda at: (_drawn(at, find("data.Checkerboard")().sample),
                         {"n": 5, "generator": at.generator()}),
        bad=counts("n")[1:],
        build=lambda: (find("data.Checkerboard"), {}),
        bad_build=[*counts("fields"), {"fields": 3}, {"fields": 4.0}, {"half_width": 0.0},
                   {"half_width": nan}],
        but={"precision": "points are float32"},
    ),
    "data.Checkerboard.log_prob": Entry(
        family="function",
        call=lambda at: (find("data.Checkerboard")().log_prob,
                         {"x": at.whole([0.5, 0.5], [1.5, 1.5])}),
        bad=[{"x": torch.ones(3, 3)}, {"x": torch.ones(2)}],
        but={"precision": "a density needs float32"},
    ),
    "data.ring_of_gaussians": plain(
        "data.ring_of_gaussians", [*counts("blobs"), {"std": nan}, {"radius": nan}], blobs=3),
    "data.spiral": plain("data.spiral", [{"std": 0.0}, {"turns": nan}, {"radius": nan}], turns=1.0),
}  # fmt: skip


def _mixture(at: Place) -> Any:
    return find("data.GaussianMixture")(at.normal(3, 2), 0.5)


def _train(at: Place, **options: Any) -> Any:
    model = points(at)

    def loss(model, generator):
        rows = find("training.draw_batch")((at.normal(8, 2),), 4, generator)[0]
        return (model(rows.to(at.device), at.times(*[0.5] * 4)) - rows).square().mean()

    def steps(**given):
        last = [record.step for record in find("training.train")(**given)][-1]
        return last, list(model.parameters())

    return steps, {"model": model, "loss": loss, "steps": 3, "generator": at.generator(),
                   "lr": 0.01, **options}  # fmt: skip


BAD_TRAIN = [
    *counts("steps", "save_every"), {"lr": 0.0}, {"lr": -1.0}, {"lr": nan}, {"lr": inf},
    {"clip": 0.0}, {"clip": nan}, {"warmup": -1}, {"weight_decay": nan}, {"weight_decay": -1.0},
    {"optimizer": "sgd"}, {"optimizer": "muon"}, {"steps": 2.5},
]  # fmt: skip


def _resume(content: bytes) -> Any:
    def changes(at: Place) -> Any:
        path = Path(tempfile.mkdtemp()) / "save_to"
        path.write_bytes(content)
        return {"save_to": path}

    return changes


def _pickled() -> bytes:
    path = Path(tempfile.mkdtemp()) / "saved"
    torch.save({"step": 1, "model": [1, 2]}, path)
    return path.read_bytes()


DAMAGED = [b"", b"\0" * 100, b"PK\3\4 no archive", b"hello", _pickled(), _pickled()[:200]]


def _saved(name: str, suffix: str, content: bytes) -> Any:
    def changes(at: Place) -> Any:
        path = Path(tempfile.mkdtemp()) / "name"
        find("training.save_checkpoint")(path, vit(at), {})
        path.with_suffix(suffix).write_bytes(content)
        return {name: path}

    return changes


TRAINING = {
    "training.Record": Entry(family="record"),
    "training.train": Entry(
        family="function", call=_train,
        bad=[*BAD_TRAIN, *map(_resume, DAMAGED)],
        but={"reads": "a record that is read is a number on the host",
             "precision": "weights in half precision are autocast's business"},
    ),
    "training.EMA": Entry(
        family="function",
        call=lambda at: (lambda: _averaged(at), {}),
        build=lambda: (find("training.EMA"), {"model": points(Place())}),
        bad_build=[{"decay": v} for v in (-0.1, 1.0, 1.5, nan)],
        rtol=2,
    ),
    "training.learning_rate": plain(
        "training.learning_rate",
        [{"step": 0}, {"step": -1}, {"steps": 0}, {"peak": nan}, {"warmup": -1}],
        step=3, steps=10, peak=1.0, warmup=2),
    "training.draw_batch": Entry(
        family="function",
        call=lambda at: (find("training.draw_batch"),
                         {"tensors": (at.normal(8, 2), at.normal(8)), "size": 4,
                          "generator": at.generator()}),
        bad=[{"tensors": (torch.ones(2), torch.ones(3))}, {"tensors": ()},
             {"tensors": (torch.ones(0, 2),)}, *counts("size")],
    ),
    "training.progress_bar": Entry(
        family="plain",
        call=lambda at: (find("training.progress_bar"), {"steps": range(3)}),
        but={"ranges": "it shows any range"},
    ),
    **{f"training.{name}": Entry(family="plain", call=lambda at, n=name: (find(f"training.{n}"), {}),
                                 but=NO_BAD)
       for name in ("join_processes", "leave_processes", "local_device")},
    "training.orthogonalise": Entry(
        family="function",
        call=lambda at: (find("training.orthogonalise"), {"matrix": at.normal(4, 6)}),
        bad=[{"matrix": torch.ones(4)}, {"steps": -1}],
        rtol=4,
        extreme=[{"matrix": torch.zeros(4, 6)}],
    ),
    "training.Muon": Entry(
        family="function",
        call=lambda at: (lambda: _stepped(at), {}),
        build=lambda: (find("training.Muon"), {"params": [torch.nn.Parameter(torch.ones(3, 2))]}),
        bad_build=[{"params": [torch.nn.Parameter(torch.ones(3))]}, {"lr": nan}, {"lr": -1.0},
                   {"momentum": 1.5}, {"momentum": nan}, {"weight_decay": nan}],
        rtol=4,
    ),
    "training.make_optimizers": Entry(
        family="plain",
        call=lambda at: (find("training.make_optimizers"), {"model": gpt(at), "lr": 0.1}),
        bad=[{"optimizer": "sgd"}, {"lr": nan}, {"lr": -1.0}, {"weight_decay": nan}],
        also=["device"],
    ),
    "training.save_checkpoint": Entry(
        family="plain",
        call=lambda at: (find("training.save_checkpoint"),
                         {"path": Path(tempfile.mkdtemp()) / "name", "model": gpt(at), "card": {}}),
        aka=["proc/none/name"],  # what could not be written says more than the argument's name
        bad=[{"model": torch.nn.Linear(2, 2)}, {"path": "/proc/none/name"}],
        also=["device"],
    ),
    "training.load_checkpoint": plain(
        "training.load_checkpoint",
        [{"name": "no-such-name"}, {"name": "/tmp/no/name"}, _saved("name", ".json", b"{"),
         _saved("name", ".json", b"[]"), _saved("name", ".json", b"\xff"),
         _saved("name", ".safetensors", b"x"), _saved("name", ".safetensors", b"")],
        name="digits-ddpm"),
}  # fmt: skip


def _averaged(at: Place) -> Any:
    model = points(at)
    average = find("training.EMA")(model, 0.5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    average.update(model)
    return list(average.model.parameters())


def _stepped(at: Place) -> Any:
    weight = torch.nn.Parameter(at.normal(4, 6))
    weight.grad = at.normal(4, 6, seed=1)
    find("training.Muon")([weight], lr=0.1).step()
    return weight.detach()


def pictures(*shape: int, seed: int = 1) -> Any:
    """Return a maker of pixels at a place."""
    return lambda at: at.images(*shape, seed=seed)


def features(rows: int = 30, seed: int = 0) -> Any:
    """Return a maker of features at a place."""
    return lambda at: at.normal(rows, 3, seed=seed)


WRONG_FEATURES = (torch.full((30, 3), nan), torch.ones(1, 3), torch.ones(3), torch.ones(30, 2))


def bad_features(*names: str) -> list[dict[str, Any]]:
    """Return what no set of features is."""
    return [{name: x} for name in names for x in WRONG_FEATURES]


LABELS = lambda at: at.whole(*[0, 1] * 15)  # noqa: E731

MAKERS = {"DigitClassifier": "digit_classifier", "MnistClassifier": "mnist_classifier"}
EVALUATION = {
    "evaluation.Estimate": Entry(family="record"),
    "evaluation.Memorisation": Entry(family="record"),
    "evaluation.CaptionScore": Entry(family="record"),
    "evaluation.DetectedObject": Entry(family="record"),
    "evaluation.PronunciationErrors": Entry(family="record"),
    "evaluation.frechet_distance": on_host(
        "evaluation.frechet_distance", bad_features("features", "others"),
        features=features(), others=features(seed=1)),
    "evaluation.frechet_floor": on_host(
        "evaluation.frechet_floor",
        [*bad_features("features", "others"), *counts("n", "draws"), {"n": 1}],
        features=features(), others=features(seed=1), n=10, draws=2),
    "evaluation.wilson_interval": plain(
        "evaluation.wilson_interval",
        [{"hits": -1}, {"hits": 11}, {"hits": 3.9}, {"n": 0}, {"n": 10.5}, {"hits": nan}],
        hits=3, n=10),
    "evaluation.bootstrap_interval": plain(
        "evaluation.bootstrap_interval",
        [*counts("draws"), {"values": np.array([1.0])}, {"values": np.array([])},
         {"values": np.array([1.0, nan])}], values=np.arange(5.0), draws=50),
    "evaluation.energy_distance": on_host(
        "evaluation.energy_distance", bad_features("samples", "others"),
        samples=features(), others=features(seed=1)),
    "evaluation.nearest_distances": on_host(
        "evaluation.nearest_distances", bad_features("samples", "train"),
        samples=features(), train=features(seed=1)),
    "evaluation.memorisation_alarm": on_host(
        "evaluation.memorisation_alarm", bad_features("samples", "train", "unseen"),
        samples=features(), train=features(seed=1), unseen=features(seed=2)),
    "evaluation.precision_recall": on_host(
        "evaluation.precision_recall",
        [*bad_features("real", "fake"), *counts("k"), {"k": 30}],
        real=features(), fake=features(seed=1)),
    "evaluation.two_sample_test": on_host(
        "evaluation.two_sample_test",
        [*bad_features("real", "fake"), {"classifier": "oracle"}],
        real=features(), fake=features(seed=1)),
    "evaluation.PerClassGaussian": Entry(
        family="measure",
        call=lambda at: (find("evaluation.PerClassGaussian")(at.images(30, 1, 2, 2), LABELS(at))
                         .sample,
                         {"labels": at.whole(0, 1), "generator": at.generator()}),
        bad=[{"labels": torch.tensor([0, 2])}],
        build=lambda: (find("evaluation.PerClassGaussian"),
                       {"images": torch.ones(4, 1, 2, 2), "labels": torch.tensor([0, 0, 1, 1])}),
        bad_build=[{"labels": torch.tensor([0, 0, 0, 1])}, {"labels": torch.tensor([0])},
                   {"images": torch.full((4, 1, 2, 2), nan)}],
    ),
    "evaluation.class_means": on_host(
        "evaluation.class_means",
        [{"wanted": torch.tensor([2])}, {"wanted": torch.tensor([-1])},
         {"labels": torch.tensor([0])}],
        images=pictures(30, 1, 2, 2), labels=LABELS, wanted=lambda at: at.whole(1, 0)),
    **{f"evaluation.{kind}.{method}": Entry(
        family="measure",
        call=lambda at, kind=kind, method=method, side=side: (
            getattr(find(f"evaluation.{MAKERS[kind]}")(), method), {"images": at.images(3, 1, side, side)}),
        bad=[{"images": torch.full((3, 1, side, side), nan)}, {"images": torch.ones(3, 1, 7, 7)},
             {"images": torch.ones(3, side, side, 1)},
             {"images": torch.full((3, 1, side, side), 255.0)}],
    ) for kind, side in (("DigitClassifier", 8), ("MnistClassifier", 28))
      for method in ("classify", "features")},
    **{f"evaluation.{kind}.agreement": Entry(
        family="measure",
        call=lambda at, kind=kind, side=side: (
            find(f"evaluation.{MAKERS[kind]}")().agreement,
            {"images": at.images(3, 1, side, side), "labels": at.whole(0, 1, 2)}),
        bad=[{"labels": torch.tensor([0, 1])},
             {"images": torch.ones(0, 1, side, side), "labels": torch.zeros(0)}],
    ) for kind, side in (("DigitClassifier", 8), ("MnistClassifier", 28))},
    **{f"evaluation.{kind}": Entry(family="plain", call=lambda at, k=kind: (find(f"evaluation.{k}"), {}),
                                   but=NO_BAD)
       for kind in ("digit_classifier", "mnist_classifier", "DigitClassifier", "MnistClassifier")},
    "evaluation.GraphemeToPhonemeRules": plain(
        "evaluation.GraphemeToPhonemeRules",
        [{"words": []}, {"words": ["ab"]}, {"pronunciations": []}, *counts("rounds")],
        words=["ab", "ba"], pronunciations=[("A", "B"), ("B", "A")]),
    "evaluation.parse_pictures": on_host(
        "evaluation.parse_pictures",
        [{"images": torch.ones(1, 3, 31, 32)}, {"images": torch.ones(1, 1, 32, 32)},
         {"images": torch.full((1, 3, 32, 32), nan)}, {"images": torch.ones(3, 32, 32)},
         {"images": torch.zeros(1, 3, 32, 32, dtype=torch.uint8)},
         {"images": torch.full((1, 3, 32, 32), 255.0)}], images=pictures(1, 3, 32, 32)),
    "evaluation.score_caption": Entry(
        family="plain",
        call=lambda at: (find("evaluation.score_caption"), {"caption": captions()[0], "found": []}),
        but={"ranges": "both arguments are the package's own records"},
    ),
    "evaluation.score_captions": on_host(
        "evaluation.score_captions", [{"captions": []}, {"images": torch.ones(1, 3, 31, 32)}],
        captions=lambda at: captions(), images=pictures(2, 3, 32, 32)),
    "evaluation.bits_per_character": plain(
        "evaluation.bits_per_character",
        [*counts("tokens", "characters"), {"nats_per_token": nan}, {"nats_per_token": -1.0}],
        nats_per_token=1.0, tokens=3, characters=4),
    "evaluation.compressed_bits_per_character": plain(
        "evaluation.compressed_bits_per_character", [{"text": ""}], text="banana"),
    "evaluation.unigram_bits_per_character": plain(
        "evaluation.unigram_bits_per_character", [{"text": ""}], train_text="ban", text="banana"),
    "evaluation.pronunciation_errors": Entry(
        family="plain",
        call=lambda at: (lambda first, second: find("evaluation.pronunciation_errors")(first, second),
                         {"first": [["A", "B"]], "second": [[["A", "B"]]]}),
        but={"ranges": "its own test has them: the names of its arguments are in change"},
    ),
}  # fmt: skip

PLANE = torch.tensor([[1.0, 0.5], [-1.2, 0.1], [0.2, -1.1]])
BAD_PLANE = (torch.ones(3), torch.ones(3, 3), torch.full((3, 2), nan), torch.ones(0, 2))


def figure(name: str, bad: Any, /, **given: Any) -> Entry:
    """Return the entry of a figure."""
    return plain(f"figures.{name}", bad, **given)


FIGURES = {
    "figures.attention_query": figure(
        "attention_query",
        [*({"keys": x} for x in BAD_PLANE), {"values": torch.ones(2)}, {"start": (0, nan)},
         {"lengths": []}], keys=PLANE, values=torch.tensor([1.0, 2.0, 3.0])),
    "figures.between": figure(
        "between", [{"u": 1.5}, {"v": -0.5}, {"u": nan}, {"corners": torch.ones(3, 1, 2, 2)}],
        corners=torch.ones(4, 1, 2, 2), u=0.5, v=0.5),
    "figures.draw_digit": figure(
        "draw_digit",
        [{"images": torch.ones(2, 1, 8, 8)}, {"labels": torch.tensor([1])},
         {"logits": torch.ones(3, 10)}, {"sources": torch.ones(2, 5)},
         {"sources": torch.ones(2, 9)}],  # 5 make no square, and 3 x 3 do not divide 28
        images=torch.ones(2, 1, 28, 28), labels=torch.tensor([1, 2]), logits=torch.ones(2, 10),
        sources=torch.ones(2, 49)),
    "figures.draw_flow": figure(
        "draw_flow", [*({"noise": x} for x in BAD_PLANE), {"points": torch.ones(3)}], noise=PLANE),
    "figures.guidance_slider": figure(
        "guidance_slider",
        [*({"centres": x} for x in BAD_PLANE), {"std": 0.0}, {"std": nan}, {"guidance_scale": 7.0},
         {"labels": torch.tensor([0, 0, 0])}, {"starts": torch.ones(2)}],
        centres=PLANE, labels=torch.tensor([0, 1, 2]), std=0.3, starts=PLANE),
    "figures.latent_plane": figure(
        "latent_plane", [{"corners": torch.ones(3, 4, 8, 8)}, {"pictures": torch.ones(2, 2, 3, 8, 8)}],
        corners=torch.ones(4, 4, 8, 8), pictures=torch.ones(2, 2, 3, 32, 32)),
    "figures.mnist_like": figure(
        "mnist_like", [{"strokes": []}, {"strokes": [[[nan, 1.0]]]}],
        strokes=[[[5.0, 5.0], [20.0, 20.0]]]),
    "figures.page_noise": figure("page_noise", counts("count"), seed=1, count=3),
    "figures.rotary_pair": figure(
        "rotary_pair", [{"query": torch.ones(3)}, {"key": torch.ones(2)}, {"base": nan},
                        {"farthest": 0}, {"start": (99, 1)}],
        query=torch.ones(4), key=torch.ones(4)),
    "figures.solver_paths": figure(
        "solver_paths", [*({"centres": x} for x in BAD_PLANE), {"std": nan}, {"steps": 0},
                         {"starts": torch.ones(2)}], centres=PLANE, std=0.3, starts=PLANE),
    "figures.reverse_trajectory": figure(
        "reverse_trajectory",
        [{"x": torch.ones(3, 2, 5, 5)}, {"times": [2, 1, 0]}, {"start": 99}, {"columns": 0}],
        x=torch.ones(2, 3, 1, 5, 5), x0_hat=torch.ones(2, 3, 1, 5, 5), times=[1, 0]),
    "figures.studio": figure(
        "studio", [{"captions": ["a cat"]}, {"captions": []}, {"pictures": torch.ones(1, 2, 3, 8, 8)},
                   {"seconds": 0}, {"seconds": nan}],
        captions=["a large red circle"], pictures=torch.ones(1, 2, 3, 32, 32), seed=1,
        guidance_scale=2.0),
}  # fmt: skip
posterior = "figures.posterior_mean"
FIGURES[posterior] = Entry(
    family="plain",
    call=lambda at: (find(posterior), _posterior()),
    bad=[*({"data": x} for x in BAD_PLANE), {"x0": torch.ones(3)}, {"times": []}, {"start": 99}],
)


play = "figures.playground"
FIGURES[play] = Entry(
    family="plain",
    call=lambda at: (find(play), _playground(at)),
    bad=[{"prompt": ""}, {"prompt": "a" * 9}, {"written": -1}, {"head": (2, 0)}, {"head": (0, 2)},
         {"tokenizer": find("transformers.BytePairTokenizer")([(1, 2)])}],
)  # fmt: skip


def _playground(at: Any) -> dict[str, Any]:
    block = find("transformers.modern_block")(8, 2)
    config = find("transformers.GPTConfig")(vocab=256, max_length=8, depth=2, block=block)
    model = at.model(find("transformers.GPT"), config)
    tokenizer = find("transformers.BytePairTokenizer")()
    return {"model": model, "tokenizer": tokenizer, "prompt": "ab", "written": 2}


def _posterior() -> dict[str, Any]:
    import inspect

    schedule, times = find("diffusion.cosine_schedule")(10), [2, 5, 8]
    t = torch.tensor(times)
    given = {"data": PLANE, "x0": PLANE[0], "times": times}
    if "alpha" in inspect.signature(find(posterior)).parameters:
        return {**given, "alpha": schedule.alpha(t), "sigma": schedule.sigma(t)}
    return {**given, "schedule": schedule}


DIAGRAMS = {
    "diagrams.diagram": plain("diagrams.diagram", [{"name": "no such diagram"}], name="book-map"),
    "diagrams.DIAGRAMS": Entry(family="record"),
}

SERVING = {**DATA, **TRAINING, **EVALUATION, **FIGURES, **DIAGRAMS}
