"""Write the models that pages run, as ONNX: `python tools/export_onnx.py`.

Each file in web/models is the export of a shipped checkpoint; its card says of which.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from attnoise.attention import record_weights
from attnoise.lab.checkpoints import load_checkpoint
from attnoise.lab.export import OPSET, export_onnx
from attnoise.lab.files import write_atomically
from attnoise.transformers import ViT, roll_out

MODELS = Path(__file__).parents[1] / "web" / "models"


class ViTWithRollout(nn.Module):
    """A `ViT` that also says where it looked.

    Args:
        vit: With mean pooling.
    """

    def __init__(self, vit: ViT) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, "b classes", and each patch's share in the pooled mean, "b n"."""
        with record_weights(self.vit) as recorded:
            logits = self.vit(images)
        return logits, roll_out(recorded.values()).mean(dim=1)


def main(folder: Path = MODELS) -> None:
    vit, card = load_checkpoint("vit-mnist")
    path, example = folder / "vit-mnist.onnx", torch.zeros(1, 1, 28, 28)
    names = {"inputs": ["images"], "outputs": ["logits", "sources"]}
    worst = export_onnx(ViTWithRollout(vit), [example], path, **names)
    content = path.read_bytes()
    page = {
        "checkpoint": "vit-mnist",
        "checkpoint_sha256": card["sha256"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "opset": OPSET,
        **names,
    }
    write_atomically({path.with_suffix(".json"): json.dumps(page, indent=2).encode() + b"\n"})
    print(f"wrote {path}, {len(content):,} bytes, {worst:.1e} from torch", file=sys.stderr)


if __name__ == "__main__":
    main()
