"""Real handwritten digits, 8 x 8 pixels, that ship with scikit-learn.

Origin: test part of the Optical Recognition of Handwritten Digits set, Alpaydin & Kaynak 1998, UCI
Machine Learning Repository, licence CC BY 4.0; 13 writers, 17 grey levels.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import DataError, choose

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


class Digits(NamedTuple):
    """Images in [-1, 1], "b 1 8 8" float32, and their labels 0 to 9, "b" int64."""

    images: Float[Tensor, "b 1 8 8"]
    labels: Int[Tensor, " b"]


def load_digits(split: str = "train") -> Digits:
    """Load the digits, always split in the same way.

    Of each class every fourth image, in the order of the file, is "test"; the rest is "train".

    Args:
        split: "train" (1,352 images), "test" (445) or "all" (1,797).

    Raises:
        ConfigError: The split is unknown.
        DataError: The file that scikit-learn ships is not the one that the course was written for.

    >>> load_digits("test").images.shape
    torch.Size([445, 1, 8, 8])
    """
    is_test, images, labels = _read()
    keep = choose("split", split, {"train": ~is_test, "test": is_test, "all": is_test | True})
    pixels = torch.from_numpy(images[keep]).float() / 8 - 1  # 0..16 -> [-1, 1]
    return Digits(pixels[:, None], torch.from_numpy(labels[keep]))


def _read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn import datasets  # here, since it takes longer to import than to use

    bunch = datasets.load_digits()
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.int64)
    found = hashlib.sha256(images.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    if found != SHA256:
        raise DataError(
            f"the digits in scikit-learn have SHA-256 {found[:12]}..., expected {SHA256[:12]}...; "
            "install scikit-learn anew: pip install --force-reinstall scikit-learn."
        )
    rank = np.zeros(len(labels), dtype=np.int64)  # how many of its class came before
    for label in range(10):
        members = labels == label
        rank[members] = np.arange(members.sum())
    return rank % 4 == 3, images, labels
