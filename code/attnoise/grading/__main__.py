"""The command line: `python -m attnoise.grading grade SUBMISSIONS --chapter NAME --out DIR`."""

import os
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Check that this system can grade at all, then run the command."""
    if not hasattr(os, "fork"):
        raise SystemExit(
            "Grading needs processes that fork, which Windows does not have. Install the Windows "
            "Subsystem for Linux (wsl --install), open Ubuntu there, and run this command in it."
        )
    try:
        import IPython  # noqa: F401
        import nbformat  # noqa: F401
        import tyro
    except ImportError as missing:
        raise SystemExit(
            f"Grading needs {missing.name}, which this Python ({sys.executable}) has not. Use the "
            "book's own environment, which `make book` or `make students` installs: "
            ".venv/bin/python -m attnoise.grading."
        ) from missing
    from .command import export, grade

    commands: dict[str, Callable[..., Any]] = {"grade": grade, "export": export}
    tyro.extras.subcommand_cli_from_dict(commands, prog="attnoise.grading")


if __name__ == "__main__":
    main()
