"""The training loop, optimisers, averages of weights, checkpoints, and training on many devices.

Names are imported when they are first used, so that who loads a checkpoint does not wait for what
training needs.
"""

import importlib
from typing import Any

_HOMES = {
    "checkpoints": ("load_checkpoint", "save_checkpoint"),
    "distributed": ("join_processes", "leave_processes", "local_device"),
    "ema": ("EMA",),
    "loop": ("Record", "draw_batch", "learning_rate", "progress_bar", "train"),
    "optimizers": ("Muon", "make_optimizers", "orthogonalise"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
