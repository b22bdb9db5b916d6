"""Every experiment runs for a few steps, and its card has the shape of the shipped one."""

import importlib
import json
from pathlib import Path

import pytest

from attnoise.training.checkpoints import FOLDER, load_checkpoint

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
# Options that keep each run short, and the cards that it writes.
RUNS = {
    "diffusion.train_digits_ddpm": ({"steps": 3, "samples": 80, "calls": 3}, ["digits-ddpm"]),
    "diffusion.train_digits_guided": ({"steps": 3, "samples": 80}, ["digits-guided"]),
    "diffusion.train_digits_consistency": (
        {"teacher_steps": 3, "steps": 3, "samples": 80, "draws": 1},
        ["digits-consistency", "digits-edm"],
    ),
    "diffusion.measure_digits_samplers": (
        {"seeds": 1, "samples": 80, "calls": (4,), "few": (6,), "reference": 5},
        ["digits-samplers"],
    ),
    "diffusion.measure_digits_seeds": (
        {
            "seeds": 1,
            "samples": 80,
            "plan": ("DDIM",),
            "prefix": 1,
            "networks": 2,
            "steps": 2,
            "few": 1,
        },
        ["digits-seeds"],
    ),
    "diffusion.measure_digits_guidance": (
        {"seeds": 1, "steps": 2, "early": 2, "small": 2, "students": 2, "samples": 80, "holes": 20},
        ["digits-guidance"],
    ),
    "diffusion.measure_plane_targets": (
        {"seeds": 1, "stops": (2, 3), "points": 50},
        ["plane-targets"],
    ),
    "diffusion.measure_flow_training": (
        {
            "seeds": 1,
            "lengths": (2, 3),
            "rates": (2e-3, 4e-3),
            "steps": 2,
            "arms": ("x0", "u, skip"),
            "points": 50,
        },
        ["flow-training"],
    ),
    "diffusion.measure_flow_one_step": (
        {"seeds": 1, "steps": 4, "longer": 6, "points": 50},
        ["flow-one-step"],
    ),
    "attention.measure_positions": (
        {"seeds": 1, "steps": 2, "longer": 3, "tuning": 1, "lengths": (24, 30)},
        ["positions"],
    ),
    "diffusion.train_mnist_unet": (
        {"steps": 2, "samples": 70, "checked": 70, "draws": 1},
        ["mnist-unet"],
    ),
    "transformers.measure_block": (
        {
            "seeds": 1,
            "steps": 3,
            "depths": (1, 2),
            "removed": ("the block", "no MLP"),
            "others": (),
        },
        ["block"],
    ),
    "transformers.train_shakespeare": ({"steps": 2, "characters": 20_000}, ["shakespeare"]),
    "transformers.measure_text_baselines": (
        {"characters": 3000, "letters": (2,), "orders": (3,)},
        ["text-baselines"],
    ),
    "transformers.measure_induction": (
        {"seeds": 1, "steps": 2, "every": 1, "rows": ("two blocks",), "windows": 2},
        ["induction"],
    ),
    "transformers.train_bert_shakespeare": (
        {"steps": 2, "characters": 60_000, "draws": 1, "fine_tuning": 2},
        ["bert-shakespeare"],
    ),
    "transformers.train_pronunciation": ({"steps": 2, "words": 6}, ["pronunciation"]),
    "transformers.train_vit_mnist": (
        {"masked_steps": 2, "steps": 2, "thin": 13, "row_steps": 1, "row_draws": 1},
        ["vit-mnist"],
    ),
    "latent.train_shapes_autoencoder": (
        {"steps": 2, "samples": 12, "measured": 300},
        ["shapes-autoencoder"],
    ),
    "latent.measure_digits_autoencoders": (
        {"seeds": 1, "steps": 2, "longer": 3, "flow": 2, "fitted": ((64, 1),)},
        ["digits-autoencoders"],
    ),
    "latent.measure_latent_diffusion": (
        {"seeds": 1, "shorter": 500, "samples": 6, "copies": 1},
        ["latent-diffusion"],
    ),
    "together.measure_dit": (
        {"steps": 1, "seeds": 1, "copies": 1, "networks": ("adaln_zero", "U-Net")},
        ["dit"],
    ),
    "together.train_text_to_image": (
        {"steps": 1, "finish": 1, "pictures": 1, "captions": 70, "samples": 6, "draws": 1},
        ["text-to-image"],
    ),
    "together.measure_text_encoders": (
        {"steps": 1, "compare": 1, "seeds": 1, "captions": 70, "pictures": 1, "samples": 6},
        ["text-encoders"],
    ),
}
# Where names are data, a short run has fewer of them, or others.
FEWER = {"targets", "adamw", "muon", "networks", "600", "1800", "by_solver_and_calls", "even", "leading", "karras", "log_snr", "lr", "runs", "tried",
         "DDPM", "DDIM", "Heun", "Heun, trig", "DPM-Solver++(2M)", "dpm_solver_by_spacing_and_calls",
         "dpm_solver_without_clipping_by_calls"}  # fmt: skip
OTHERS = {"times", "errors", "tried", "config", "eps, simple", "x0, simple", "x0, min-SNR", "v, simple",
          "EDM"}  # fmt: skip


def compare(found, shipped, path: str = "card") -> None:
    """Compare the keys of two cards, level by level; of a list, its first entry."""
    last = path.rpartition("/")[2]
    if isinstance(found, dict):
        assert isinstance(shipped, dict), f"{path} is {shipped!r} in the shipped card"
        if last in OTHERS:
            return
        if last in FEWER:
            assert set(found) <= set(shipped), path
        else:
            assert set(found) == set(shipped), path
        for name, value in found.items():
            compare(value, shipped[name], f"{path}/{name}")
    elif isinstance(found, list) and found and isinstance(found[0], dict):
        compare(found[0], shipped[0], path)
    else:
        assert not isinstance(shipped, dict), f"{path} is {found!r} in the new card"


def run(name: str, tmp_path: Path, options: dict) -> None:
    module = importlib.import_module(f"experiments.{name}")
    module.main(module.Options(out=tmp_path / "out", work=tmp_path / "work", **options))


@pytest.mark.parametrize("name", RUNS)
def test_a_short_run_writes_cards_like_the_shipped_ones(name, tmp_path):
    options, cards = RUNS[name]
    run(name, tmp_path, options)
    written = sorted(path.stem for path in (tmp_path / "out").glob("*.json"))
    assert written == sorted(cards)
    for card in cards:
        found, shipped = (
            json.loads((folder / f"{card}.json").read_text("utf8"))
            for folder in (tmp_path / "out", FOLDER)
        )
        compare(json.loads(json.dumps(found)), shipped)
        if (FOLDER / f"{card}.safetensors").exists():
            model, _ = load_checkpoint(tmp_path / "out" / card)
            assert type(model) is type(load_checkpoint(card)[0])
            if found["start_loss"] is not None:
                assert found["start_loss"] > 0
    assert (tmp_path / "work" / f"{cards[0]}.log").stat().st_size > 0


def test_every_experiment_and_every_card_is_in_the_list():
    scripts = {
        f"{path.parent.name}.{path.stem}"
        for path in EXPERIMENTS.glob("*/*.py")
        if path.stem.startswith(("train_", "measure_"))
    }
    assert scripts == set(RUNS)
    cards = {card for _, cards in RUNS.values() for card in cards}
    assert {path.stem for path in FOLDER.glob("*.json")} == cards


def test_a_different_shape_is_found():
    with pytest.raises(AssertionError, match="card/a"):
        compare({"a": {"b": 1}}, {"a": {"c": 1}})
    with pytest.raises(AssertionError, match="card/a is 1 in the shipped"):
        compare({"a": {"b": 1}}, {"a": 1})
    with pytest.raises(AssertionError, match="card/a is 1 in the new"):
        compare({"a": 1}, {"a": {"b": 1}})
