"""Write the models that pages run, as ONNX: `python tools/export_onnx.py`.

Each file in web/models is the export of a shipped checkpoint; its card says of which.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from onnx_graph import OPSET, export_onnx
from torch import Tensor, nn

from attnoise.attention import record_weights
from attnoise.data.captions import PADDING, encode_captions
from attnoise.latent import Autoencoder
from attnoise.together import TextToImage
from attnoise.training.checkpoints import FOLDER, load_checkpoint
from attnoise.training.files import write_atomically
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


class Decoder(nn.Module):
    """The half of an `Autoencoder` that decodes.

    Args:
        autoencoder: Trained and measured.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latents: Tensor) -> tuple[Tensor]:
        """Return pictures, "b 3 h w", from standardised latents."""
        return (self.autoencoder.decode(latents),)


class GuidedVelocity(nn.Module):
    """What a step of the studio asks a `TextToImage`: a guided velocity, and where it looked.

    Args:
        model: Trained with captions dropped.
    """

    def __init__(self, model: TextToImage) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, latents: Tensor, time: Tensor, tokens: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the velocity, "1 c i j", and how much each place looks at each word, "1 m n".

        Args:
            latents: Noisy latents, "1 c i j".
            time: In [0, 1], "1".
            tokens: One caption, "1 m".
            scale: Of guidance, "1".
        """
        both = torch.cat([tokens, torch.full_like(tokens, PADDING)])
        with record_weights(self.model.dit) as recorded:
            heard, silent = self.model(latents.repeat(2, 1, 1, 1), time.repeat(2), both).chunk(2)
        maps = [w[:1].mean(1) for name, w in recorded.items() if name.endswith("cross_attention")]
        return silent + scale * (heard - silent), torch.stack(maps).mean(0).transpose(1, 2)


def write(name: str, module: nn.Module, examples: dict[str, Tensor], outputs: list[str],
          checkpoint: str, folder: Path) -> None:  # fmt: skip
    """Export a module built around a checkpoint, with a card that names both."""
    card = json.loads((FOLDER / f"{checkpoint}.json").read_text())
    path, inputs = folder / f"{name}.onnx", list(examples)
    worst = export_onnx(module, list(examples.values()), path, inputs=inputs, outputs=outputs)
    content = path.read_bytes()
    page = {
        "checkpoint": checkpoint,
        "checkpoint_sha256": card["sha256"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "opset": OPSET,
        "inputs": inputs,
        "outputs": outputs,
    }
    write_atomically({path.with_suffix(".json"): json.dumps(page, indent=2).encode() + b"\n"})
    print(f"wrote {path}, {len(content):,} bytes, {worst:.1e} from torch", file=sys.stderr)


def main(folder: Path = MODELS) -> None:
    vit = ViTWithRollout(load_checkpoint("vit-mnist")[0])
    write("vit-mnist", vit, {"images": torch.zeros(1, 1, 28, 28)}, ["logits", "sources"],
          "vit-mnist", folder)  # fmt: skip
    decoder = Decoder(load_checkpoint("shapes-autoencoder")[0])
    write("shapes-decoder", decoder, {"latents": torch.zeros(1, 4, 8, 8)}, ["images"],
          "shapes-autoencoder", folder)  # fmt: skip
    examples = {
        "latents": torch.zeros(1, 4, 8, 8),
        "time": torch.ones(1),
        "tokens": encode_captions(["a large red circle"]),
        "scale": torch.full((1,), 2.0),
    }
    painter = GuidedVelocity(load_checkpoint("text-to-image")[0])
    write("text-to-image", painter, examples, ["velocity", "maps"], "text-to-image", folder)


if __name__ == "__main__":
    main()
