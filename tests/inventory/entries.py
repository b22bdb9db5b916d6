"""The whole inventory: what is known of every public name."""

import pytest

from .entries_core import CORE
from .entries_denoising import DENOISING
from .entries_serving import SERVING

ENTRIES = {**CORE, **DENOISING, **SERVING}


def pairs(*kinds: str) -> list:
    """Return every name that one of the kinds applies to, with the kind: parameters of a test."""
    return [
        pytest.param(name, kind, id=f"{name}-{kind}")
        for name, entry in ENTRIES.items()
        for kind in kinds
        if entry.reason(kind) is None
    ]
