"""The shapes and numbers that diagrams show: from the shipped models, run once, never typed."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..training.checkpoints import load_checkpoint

Shapes = dict[str, tuple[int, ...]]


@cache
def shipped(name: str) -> tuple[Any, dict[str, Any]]:
    """Return a shipped model, ready to be run, and its card."""
    model, card = load_checkpoint(name)
    return model.eval(), card


@torch.no_grad()
def trace(model: nn.Module, *inputs: Any, call: Callable | None = None, **options: Any) -> Shapes:
    """Return the shape of what each module gave at its first call, by its name in the model.

    Args:
        model: The model; "" is its own name.
        inputs, options: What it is called with.
        call: What is called instead of the model.
    """
    found: Shapes = {}

    def record(name: str) -> Callable:
        def hook(module: nn.Module, given: tuple, output: Any) -> None:
            first = output if isinstance(output, Tensor) else output[0]
            found.setdefault(name, tuple(first.shape))

        return hook

    hooks = [module.register_forward_hook(record(name)) for name, module in model.named_modules()]
    try:
        (call or model)(*inputs, **options)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def as_picture(image: Tensor) -> np.ndarray:
    """Return one image, c height width in [-1, 1], as pixels in [0, 1] with the channels last."""
    pixels = (image.detach().float().clamp(-1, 1) + 1) / 2
    return (pixels[0] if len(pixels) == 1 else pixels.movedim(0, -1)).numpy()


def as_latent(channel: Tensor) -> np.ndarray:
    """Return one channel of a standardised latent as grey values in [0, 1]."""
    return (channel.detach().float().clamp(-2, 2) / 4 + 0.5).numpy()
