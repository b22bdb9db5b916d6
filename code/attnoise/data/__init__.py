"""Data that every chapter has at hand: real digits, and points in the plane with known density."""

from .digits import Digits, load_digits
from .toys import Checkerboard, GaussianMixture, ring_of_gaussians, spiral

__all__ = [
    "Checkerboard",
    "Digits",
    "GaussianMixture",
    "load_digits",
    "ring_of_gaussians",
    "spiral",
]
