"""The package's public names, and how an entry of the inventory finds what it names."""

import importlib
import pkgutil
from typing import Any

ROOMS = (
    "attention", "transformers", "diffusion", "latent", "together", "data", "training",
    "evaluation", "figures", "diagrams",
)  # fmt: skip


def public_names(room: str) -> list[str]:
    """Return what a room exports, or, where it says nothing, what its modules define."""
    package = importlib.import_module(f"attnoise.{room}")
    if hasattr(package, "__all__"):
        return list(package.__all__)
    names = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"attnoise.{room}.{info.name}")
        names += [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
            and callable(value)
        ]  # fmt: skip
    return names


def find(name: str) -> Any:
    """Return the object "room.name" or "room.Class.method", of the package.

    What follows a space tells several entries of one name apart.
    """
    room, *path = name.split(" ")[0].split(".")
    value = importlib.import_module(f"attnoise.{room}")
    for part in path:
        value = _attribute(value, part)
    return value


def _attribute(value: Any, name: str) -> Any:
    if hasattr(value, name):
        return getattr(value, name)
    for info in pkgutil.iter_modules(getattr(value, "__path__", ())):
        module = importlib.import_module(f"{value.__name__}.{info.name}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"{value.__name__} has no {name}")
