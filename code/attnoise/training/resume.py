"""What a run needs to go on after a kill, in one file, whatever the number of processes."""

import io
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..errors import CheckpointError
from .files import write_atomically


def save_state(path: str | os.PathLike, step: int, state: dict[str, Any]) -> None:
    """Save everything that training needs to go on, whole or not at all.

    Sharded weights are gathered first, and one process writes.

    Args:
        path: The file; what stood there stays until the new one is complete.
        step: The step that was taken last.
        state: "model", "optimizers", "generator" and "ema" (or None) of the run.

    Raises:
        CheckpointError: The disk is full or the place cannot be written.
    """
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_model_state_dict,
        get_optimizer_state_dict,
    )

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    model, optimizers, ema = state["model"], state["optimizers"], state["ema"]
    content = {
        "step": step,
        "model": get_model_state_dict(model, options=whole),
        "optimizers": get_optimizer_state_dict(model, optimizers, options=whole),
        "generator": state["generator"].get_state(),
        "ema": None if ema is None else
        {"model": get_model_state_dict(ema.model, options=whole), "updates": ema.updates},
    }  # fmt: skip
    if dist.is_initialized() and dist.get_rank() > 0:
        return
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically({path: buffer.getvalue()})


def load_state(path: str | os.PathLike, state: dict[str, Any]) -> int:
    """Put a saved state back and return its step; 0 if nothing was saved yet.

    Args:
        path: The file; every process reads it.
        state: As for `save_state`; changed in place.

    Raises:
        CheckpointError: The file is damaged or belongs to another model or kind of run.
    """
    if not Path(path).exists():
        return 0
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return _restore(content, state)
    except Exception as error:  # a damaged pickle can raise anything at all
        reason = (str(error) or "it is empty").strip().splitlines()[0]
        raise CheckpointError(
            f"{path} cannot be resumed from: {reason}; "
            "delete the file to start from the first step."
        ) from error


def _restore(content: dict[str, Any], state: dict[str, Any]) -> int:
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        set_model_state_dict,
        set_optimizer_state_dict,
    )

    whole = StateDictOptions(full_state_dict=True)
    model, optimizers, ema = state["model"], state["optimizers"], state["ema"]
    if (content["ema"] is None) != (ema is None):
        raise ValueError("one of the runs keeps a moving average, the other does not")
    if not isinstance(content["step"], int) or content["step"] < 1:
        raise ValueError(f"its step is {content['step']!r}")
    set_model_state_dict(model, content["model"], options=whole)
    set_optimizer_state_dict(model, optimizers, content["optimizers"], options=whole)
    state["generator"].set_state(content["generator"])
    if ema is not None:
        set_model_state_dict(ema.model, content["ema"]["model"], options=whole)
        ema.updates = content["ema"]["updates"]
    return content["step"]
