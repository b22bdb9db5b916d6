"""Trained weights as files: safetensors beside a card that says where they come from."""

import dataclasses
import hashlib
import importlib
import json
from pathlib import Path
from typing import Any, cast, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from ..errors import CheckpointError, choose
from .files import write_atomically

FOLDER = Path(__file__).parents[1] / "checkpoints"

# How a card's model is rebuilt: module, class, class of its config.
MODELS: dict[str, tuple[str, str, str]] = {
    "EncoderDecoder": ("attnoise.transformers", "EncoderDecoder", "EncoderDecoderConfig"),
    "GPT": ("attnoise.transformers", "GPT", "GPTConfig"),
    "BERT": ("attnoise.transformers", "BERT", "BERTConfig"),
    "ViT": ("attnoise.transformers", "ViT", "ViTConfig"),
    "UNet": ("attnoise.diffusion", "UNet", "UNetConfig"),
    "Autoencoder": ("attnoise.latent", "Autoencoder", "AutoencoderConfig"),
    "DiT": ("attnoise.together", "DiT", "DiTConfig"),
    "TextToImage": ("attnoise.together", "TextToImage", "TextToImageConfig"),
}


def save_checkpoint(
    path: str | Path, model: nn.Module, card: dict[str, Any], *, half: bool = False
) -> None:
    """Write a model's weights to PATH.safetensors and its card to PATH.json.

    Args:
        path: Where, without an ending.
        model: One of MODELS, with its frozen config in `model.config`.
        card: What a reader should know: seed, data, seconds, metric with interval, floor,
            baseline. Model, config, parameters and the hash of the weights are added here.
        half: Store float16, rounding the weights.

    Raises:
        CheckpointError: The model cannot be rebuilt by name, or the disk is full; then nothing of
            the new checkpoint is left and an old one stands as it was.
    """
    name = type(model).__name__
    if name not in MODELS:
        raise CheckpointError(f"model must be one of {', '.join(MODELS)}, but it is {name}.")
    dtype = torch.float16 if half else torch.float32
    # Copied: safetensors refuses weights that share memory, as embedding and head of a GPT do.
    tensors = {
        k: v.detach().cpu().to(dtype, copy=True).contiguous() for k, v in model.state_dict().items()
    }
    weights = save(tensors)
    full = {
        **card,
        "model": name,
        "config": dataclasses.asdict(cast(Any, model.config)),
        "parameters": sum(p.numel() for p in model.parameters()),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(full, indent=2, ensure_ascii=False) + "\n"
    write_atomically({f"{path}.safetensors": weights, f"{path}.json": text.encode()})


def load_checkpoint(name: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Load a model and its card.

    Args:
        name: The name of a shipped checkpoint, or a path without an ending.

    Returns:
        The model, rebuilt from its card in float32 and evaluation mode, and the card.

    Raises:
        CheckpointError: A file is missing, truncated or changed, or the model is unknown.

    >>> model, card = load_checkpoint("digits-ddpm")
    >>> card["model"]
    'DiT'
    """
    path = Path(name) if len(Path(name).parts) > 1 else FOLDER / name
    try:
        card = json.loads(Path(f"{path}.json").read_bytes())
        weights = Path(f"{path}.safetensors").read_bytes()
    except FileNotFoundError as error:
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.safetensors")))
        raise CheckpointError(
            f"{error.filename} does not exist; shipped checkpoints are: {known or 'none'}."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}.json is not a card: {error}; install it anew.") from error
    if not isinstance(card, dict):
        raise CheckpointError(f"{path}.json is not a card, but a {type(card).__name__}.")
    found = hashlib.sha256(weights).hexdigest()
    if found != card.get("sha256"):
        raise CheckpointError(
            f"{path}.safetensors has SHA-256 {found[:12]}..., but its card says "
            f"{str(card.get('sha256'))[:12]}...; the file is truncated or was changed: "
            "install it anew."
        )
    model = rebuild(path, card)
    try:
        tensors = {k: v.float() for k, v in load(weights).items()}
        model.load_state_dict(tensors)
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}.safetensors does not fit the config on its card: {str(error).splitlines()[0]}"
        ) from error
    return model.eval(), card


def build_config(kind: type, settings: dict[str, Any]) -> Any:
    """Make a config from a card's settings; a field that is a config itself is made likewise."""
    kinds = get_type_hints(kind)
    made = {
        name: build_config(kinds[name], value)
        if isinstance(value, dict) and dataclasses.is_dataclass(kinds.get(name))
        else value
        for name, value in settings.items()
    }
    return kind(**made)


def rebuild(path: Path, card: dict[str, Any]) -> nn.Module:
    """Make the model that a card describes, with fresh weights."""
    try:
        module, model_class, config_class = choose("model", card.get("model", ""), MODELS)
        home = importlib.import_module(module)
        config = build_config(getattr(home, config_class), card["config"])
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path}.json describes no model of ours: {error}") from error
    return getattr(home, model_class)(config)
