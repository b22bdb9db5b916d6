"""Print Colab's versions of what the package and its tests need, as constraints for pip.

The list that Colab publishes stands in tests/packaging; it also has local builds (torch 2.11+cu128)
and paths, which no index has. So only what is asked for is printed, without the build's suffix.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FREEZE = ROOT / "tests" / "packaging" / "colab-pip-freeze.txt"


def asked_for() -> set[str]:
    """Names in pyproject.toml and requirements-lowest.in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements-lowest.in").read_text(encoding="utf-8").splitlines()
    wanted = [*project["dependencies"], *(line for line in lines if line and line[0] != "#")]
    return {normal(re.split(r"[<>=!~; ]", line)[0]) for line in wanted}


def normal(name: str) -> str:
    """A package's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> list[str]:
    """`name==version` for each package that is asked for and on Colab's list."""
    found = []
    for line in FREEZE.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"([\w.-]+)==([\w.]+)(\+\w+)?", line.strip())
        # The test tools may be newer than Colab's: what is measured is the package.
        if match and normal(match[1]) in asked_for() - {"pytest", "hypothesis", "beartype"}:
            found.append(f"{match[1]}=={match[2]}")
    return found


if __name__ == "__main__":
    print("\n".join(constraints()))
