"""Names of a package that are imported when they are first used."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any


def names_of(homes: Mapping[str, Sequence[str]]) -> list[str]:
    """Return all names of a package, sorted, from {module: its names}."""
    return sorted(name for names in homes.values() for name in names)


def import_name(package: str, homes: Mapping[str, Sequence[str]], name: str) -> Any:
    """Import a name's module, and return what has the name.

    Args:
        package: The package's `__name__`.
        homes: {module: the names that it holds}.
        name: The one that was asked for.

    Raises:
        AttributeError: The package has no such name.

    Source: PEP 562.
    """
    for module, names in homes.items():
        if name in names:
            return getattr(importlib.import_module(f"{package}.{module}"), name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
