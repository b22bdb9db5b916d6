"""The training loop, optimisers, averages of weights, checkpoints, and training on many devices.

Names are imported when they are first used, so that who loads a checkpoint does not wait for what
training needs.
"""

from typing import Any

from ..lazy import import_name, names_of

_HOMES = {
    "checkpoints": ("load_checkpoint", "save_checkpoint"),
    "distributed": ("join_processes", "leave_processes", "local_device"),
    "ema": ("EMA",),
    "loop": ("Record", "draw_batch", "learning_rate", "progress_bar", "train"),
    "optimizers": ("Muon", "make_optimizers", "orthogonalise"),
}
__all__ = names_of(_HOMES)


def __getattr__(name: str) -> Any:
    return import_name(__name__, _HOMES, name)
