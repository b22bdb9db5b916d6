"""Data that every chapter has at hand: images, text, spoken words, and points in the plane."""

from .digits import Digits, load_digits
from .mnist import load_mnist
from .pronunciation import LETTERS, PHONES, Entry, load_pronunciations
from .shakespeare import load_plays, load_shakespeare
from .toys import Checkerboard, GaussianMixture, ring_of_gaussians, spiral

__all__ = [
    "LETTERS",
    "PHONES",
    "Checkerboard",
    "Digits",
    "Entry",
    "GaussianMixture",
    "load_digits",
    "load_mnist",
    "load_plays",
    "load_pronunciations",
    "load_shakespeare",
    "ring_of_gaussians",
    "spiral",
]
