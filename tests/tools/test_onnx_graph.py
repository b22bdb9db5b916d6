"""Models for pages: the same numbers as torch, and exports of the checkpoints that are shipped."""

import json

import onnxruntime
import pytest
import torch
from export_onnx import MODELS, GuidedVelocity, ViTWithRollout
from onnx_graph import export_onnx, with_small_weights
from torch import nn
from torch.testing import assert_close

from attnoise.data import encode_captions, load_captions, load_mnist
from attnoise.errors import CheckpointError
from attnoise.together import cross_attention_maps
from attnoise.training.checkpoints import load_checkpoint
from attnoise.transformers import attention_rollout


class TwoByTwo(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(5, 3)

    def forward(self, x, y):
        return self.layer(x), (x * y).sum(dim=1)


def run(path, **feed):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(x) for x in session.run(None, {k: v.numpy() for k, v in feed.items()})]


def test_an_export_computes_what_torch_computes(tmp_path):
    model, path = TwoByTwo(), tmp_path / "new" / "model.onnx"
    x, y = torch.randn(2, 5), torch.randn(2, 5)
    worst = export_onnx(model, [x, y], path, inputs=["x", "y"], outputs=["a", "b"])
    assert 0 <= worst < 1e-5
    others = torch.randn(2, 5), torch.randn(2, 5)
    found = run(path, x=others[0], y=others[1])
    assert_close(found, list(model(*others)), atol=1e-5, rtol=1e-5)


def test_what_differs_is_not_written(tmp_path):
    path = tmp_path / "model.onnx"
    options = {"inputs": ["x", "y"], "outputs": ["a", "b"], "tolerance": -1.0}
    with pytest.raises(CheckpointError, match="must equal torch to -1.0, but differs by.*nothing"):
        export_onnx(TwoByTwo(), [torch.ones(2, 5)] * 2, path, **options)
    assert list(tmp_path.iterdir()) == []


def test_the_pages_model_is_the_shipped_one():
    model, card = load_checkpoint("vit-mnist")
    page = json.loads((MODELS / "vit-mnist.json").read_text())
    assert page["checkpoint_sha256"] == card["sha256"], "run tools/export_onnx.py again"
    images = load_mnist("test").images[::97]
    with torch.no_grad():
        expected, sources = model(images), attention_rollout(model, images).mean(dim=1)
    for i, image in enumerate(images):
        logits, shares = run(MODELS / "vit-mnist.onnx", images=image[None])
        assert_close(logits[0], expected[i], atol=1e-4, rtol=1e-4)
        assert_close(shares[0], sources[i], atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        both = ViTWithRollout(model)(images)
    assert_close(both, (expected, sources))


def test_the_studios_model_is_the_shipped_one():
    model, card = load_checkpoint("text-to-image")
    page = json.loads((MODELS / "text-to-image.json").read_text())
    assert page["checkpoint_sha256"] == card["sha256"], "run tools/export_onnx.py again"
    wrapped, generator = GuidedVelocity(model), torch.Generator().manual_seed(0)
    for caption in load_captions("unseen")[:: 979 // 4]:
        feed = {
            "latents": torch.randn(1, 4, 8, 8, generator=generator),
            "time": torch.rand(1, generator=generator),
            "tokens": encode_captions([caption]),
            "scale": torch.full((1,), 3.0),
        }
        velocity, maps = run(MODELS / "text-to-image.onnx", **feed)
        with torch.no_grad():
            expected, shares = wrapped(**feed)
            own = cross_attention_maps(model, feed["latents"], feed["time"], feed["tokens"])
            plain = model(feed["latents"], feed["time"], feed["tokens"])
        assert_close(velocity, expected, atol=1e-4, rtol=1e-4)
        assert_close(maps, shares, atol=1e-5, rtol=1e-4)
        assert_close(maps[0], own[0].mean(dim=(0, 1)).flatten(1), atol=1e-5, rtol=1e-4)
        assert (velocity - plain).abs().max() > 0.01, "guidance changed nothing"


def test_weights_that_fit_are_stored_in_16_bits_and_no_others(tmp_path):
    torch.manual_seed(1)
    paths, sizes = {}, {}
    for name, half in (("half", True), ("full", False)):
        model = nn.Sequential(nn.Linear(61, 67), nn.Linear(67, 7)).eval()
        model = model.half().float() if half else model
        paths[name] = tmp_path / f"{name}.onnx"
        wrapped = OneOutput(model)
        export_onnx(wrapped, [torch.randn(1, 61)], paths[name], inputs=["x"], outputs=["y"])
        x = torch.randn(1, 61)
        assert_close(run(paths[name], x=x)[0], model(x), atol=1e-5, rtol=1e-5)
        sizes[name] = paths[name].stat().st_size
    weights = 61 * 67 + 67 * 7
    assert sizes["full"] - sizes["half"] == pytest.approx(2 * weights, rel=0.1)
    content = paths["half"].read_bytes()
    assert len(with_small_weights(content)) == len(content)  # nothing is left to do


class OneOutput(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return (self.model(x),)


def test_the_pages_decoder_is_the_shipped_one():
    autoencoder, card = load_checkpoint("shapes-autoencoder")
    page = json.loads((MODELS / "shapes-decoder.json").read_text())
    assert page["checkpoint_sha256"] == card["sha256"], "run tools/export_onnx.py again"
    latents = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = autoencoder.decode(latents)
    for latent, image in zip(latents, expected, strict=True):
        (found,) = run(MODELS / "shapes-decoder.onnx", latents=latent[None])
        assert_close(found[0], image, atol=1e-4, rtol=1e-4)
