"""Diagrams of architectures, drawn from the package: `diagram("block")` shows one.

Every part of a drawing knows its shape, found by running the shipped models, and the line of code
that makes it, found in the package's source.
"""

from .catalogue import DIAGRAMS, diagram

__all__ = ["DIAGRAMS", "diagram"]
