"""Checkpoints: what is saved comes back, and whatever is wrong with a file is said."""

import errno
import json
import os

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.errors import CheckpointError
from attnoise.together import DiT, DiTConfig
from attnoise.training import checkpoints
from attnoise.training.checkpoints import load_checkpoint, save_checkpoint
from attnoise.transformers import GPT, GPTConfig

CONFIG = DiTConfig(image_size=6, channels=1, d=12, depth=1, heads=3, classes=5)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = DiT(CONFIG)
    for p in model.parameters():
        nn.init.normal_(p)
    save_checkpoint(tmp_path / "tiny", model, {"seed": 0, "note": "für den Test"})
    return model, tmp_path / "tiny"


def test_model_and_card_come_back(saved):
    model, path = saved
    again, card = load_checkpoint(path)
    assert again.config == CONFIG
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert card["seed"] == 0
    assert card["note"] == "für den Test"
    assert card["parameters"] == sum(p.numel() for p in model.parameters())


def test_a_loaded_checkpoint_can_be_saved_with_its_own_card(saved):
    again, card = load_checkpoint(saved[1])
    with torch.no_grad():
        again.write.bias.add_(1)
    save_checkpoint(saved[1], again, card)
    third, new_card = load_checkpoint(saved[1])
    assert torch.equal(third.write.bias, again.write.bias)
    assert new_card["sha256"] != card["sha256"]


def test_tied_weights_are_saved_whole_and_come_back_tied(tmp_path):
    model = GPT(GPTConfig(vocab=7, depth=1))
    assert model.head.weight is model.tokens.weight
    save_checkpoint(tmp_path / "tied", model, {})
    again, _ = load_checkpoint(tmp_path / "tied")
    assert torch.equal(again.tokens.weight, model.tokens.weight)
    assert again.head.weight is again.tokens.weight


def test_half_precision_rounds_and_halves(saved):
    model, path = saved
    save_checkpoint(path.with_name("half"), model, {}, half=True)
    again, _ = load_checkpoint(path.with_name("half"))
    full, half = (
        p.with_suffix(".safetensors").stat().st_size for p in (path, path.with_name("half"))
    )
    assert half < 0.7 * full
    for name, tensor in model.state_dict().items():
        assert_close(again.state_dict()[name], tensor.half().float(), atol=0, rtol=0)


def spoil(path, ending, change):
    file = path.with_suffix(ending)
    file.write_bytes(change(file.read_bytes()))


def edit(**changes):
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.parametrize(
    ("ending", "change", "message"),
    [
        (".safetensors", lambda b: b[:-100], "the file is truncated or was changed"),
        (".safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1]), "truncated or was changed"),
        (".json", lambda b: b[:40], "is not a card"),
        (".json", lambda b: b"[]", "is not a card, but a list"),
        (".json", edit(sha256="0" * 64), "its card says 000000000000"),
        (".json", edit(model="Mamba"), "describes no model of ours.*'Mamba'"),
        (".json", edit(config={"width": 3}), "describes no model of ours.*width"),
        (".json", edit(config={**CONFIG.__dict__, "d": 24}), "does not fit the config"),
    ],
)
def test_a_spoiled_checkpoint_is_refused(saved, ending, change, message):
    spoil(saved[1], ending, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved[1])


def test_a_missing_checkpoint_lists_what_there_is():
    with pytest.raises(
        CheckpointError, match="does not exist; shipped checkpoints are: .*digits-ddpm"
    ):
        load_checkpoint("digits-dppm")


@pytest.mark.parametrize("fails_at", [1, 2])
def test_full_disk_leaves_the_old_checkpoint_whole(saved, monkeypatch, fails_at):
    model, path = saved
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    calls, real = [], os.fsync

    def no_space(handle):
        calls.append(handle)
        if len(calls) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_checkpoint(path, DiT(CONFIG), {})
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


def test_a_model_that_cannot_be_rebuilt_is_not_saved(tmp_path):
    with pytest.raises(CheckpointError, match="must be one of .*DiT.*, but it is Linear"):
        save_checkpoint(tmp_path / "x", nn.Linear(2, 2), {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "weights", sorted(checkpoints.FOLDER.glob("*.safetensors")), ids=lambda p: p.stem
)
def test_shipped_checkpoints_load_are_small_and_say_where_they_come_from(weights):
    _, card = load_checkpoint(weights.stem)
    assert weights.stat().st_size < 5e6  # two and a half million parameters in 16 bits
    for entry in (
        "data",
        "data_sha256",
        "seed",
        "steps",
        "cpu_seconds",
        "device",
    ):
        assert entry in card
    assert any(entry.startswith("result") for entry in card)
    assert '"floor' in json.dumps(card), "a result needs its floor beside it"


def test_some_checkpoint_is_shipped():
    assert (checkpoints.FOLDER / "digits-ddpm.safetensors").exists()
