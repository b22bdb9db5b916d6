"""Checks that the chapters call: one module per chapter, named alike."""

from .mechanism import Exercise, Verdict, exercises_of

__all__ = ["Exercise", "Verdict", "exercises_of"]
