"""Files that are either whole or not there: written beside their place, then moved into it."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import CheckpointError


def write_atomically(contents: Mapping[str | os.PathLike, bytes]) -> None:
    """Write files so that a reader, a crash or a full disk never meets half of one.

    All are written in full beside their places first; only then each is moved into its own.

    Args:
        contents: What belongs at each path; folders are made if needed.

    Raises:
        CheckpointError: The disk is full or a place cannot be written. What stood at the paths
            before still stands there, and nothing is left beside it.
    """
    waiting: list[tuple[str, Path]] = []
    path = Path()
    try:
        for path, content in ((Path(name), content) for name, content in contents.items()):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            waiting.append((temporary, path))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp lets nobody else read
        for temporary, path in waiting:
            os.replace(temporary, path)
    except OSError as error:
        for temporary, _ in waiting:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise CheckpointError(
            f"{path} could not be written: {error.strerror or error}; free some space or choose "
            "another folder. What was saved there before is untouched."
        ) from error
