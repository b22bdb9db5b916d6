"""Part II of the book: the block that every transformer here is made of."""

from .block import Block

__all__ = ["Block"]
