"""Metrics, classifiers, parsers and baselines: how results are measured, and what beside.

Names are imported when they are first used: scikit-learn takes longer to import than torch's models
take to load.
"""

from typing import Any

from ..lazy import import_name, names_of

_HOMES = {
    "baselines": ("PerClassGaussian", "class_means"),
    "classifiers": ("DigitClassifier", "MnistClassifier", "digit_classifier", "mnist_classifier"),
    "energy": ("energy_distance",),
    "grapheme_to_phoneme": ("GraphemeToPhonemeRules",),
    "intervals": ("Estimate", "bootstrap_interval", "wilson_interval"),
    "metrics": (
        "Memorisation",
        "frechet_distance",
        "frechet_floor",
        "memorisation_alarm",
        "nearest_distances",
        "precision_recall",
        "two_sample_test",
    ),
    "picture_parser": (
        "CaptionScore",
        "DetectedObject",
        "parse_pictures",
        "score_caption",
        "score_captions",
    ),
    "text_metrics": (
        "PronunciationErrors",
        "bits_per_character",
        "compressed_bits_per_character",
        "pronunciation_errors",
        "unigram_bits_per_character",
    ),
}
__all__ = names_of(_HOMES)


def __getattr__(name: str) -> Any:
    return import_name(__name__, _HOMES, name)
