"""Models for pages: the same numbers as torch, and exports of the checkpoints that are shipped."""

import json

import onnxruntime
import pytest
import torch
from export_onnx import MODELS, ViTWithRollout
from torch import nn
from torch.testing import assert_close

from attnoise.data import load_mnist
from attnoise.errors import CheckpointError
from attnoise.lab.checkpoints import load_checkpoint
from attnoise.lab.export import export_onnx
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
