"""Data that every chapter has at hand: images, text, spoken words, and points in the plane."""

from .captions import Caption, SceneObject, encode_captions, load_captions, parse_caption
from .digits import Digits, load_digits
from .mnist import load_mnist
from .pronunciation import LETTERS, PHONES, LexiconEntry, load_pronunciations
from .shakespeare import load_plays, load_shakespeare
from .shapes import draw_captions
from .toys import Checkerboard, GaussianMixture, ring_of_gaussians, spiral

__all__ = [
    "LETTERS",
    "PHONES",
    "Caption",
    "Checkerboard",
    "Digits",
    "LexiconEntry",
    "GaussianMixture",
    "SceneObject",
    "draw_captions",
    "encode_captions",
    "load_captions",
    "parse_caption",
    "load_digits",
    "load_mnist",
    "load_plays",
    "load_pronunciations",
    "load_shakespeare",
    "ring_of_gaussians",
    "spiral",
]
