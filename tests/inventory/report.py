"""Run the whole inventory and list what fails: `python -m tests.inventory.report [room ...]`.

With --json the result is one JSON object, "name kind" to what failed, for the tests.
"""

import json
import logging
import sys
import warnings

import torch

from .entries import ENTRIES
from .kinds import CHECKS, KINDS
from .names import ROOMS, find, public_names


def failures(rooms: list[str], kinds: tuple[str, ...]) -> dict[str, str]:
    """Return what fails, by "name kind"; an empty text is a success."""
    found = {}
    for name, entry in ENTRIES.items():
        if name.split(".")[0] not in rooms:
            continue
        for kind in kinds:
            if entry.reason(kind) is None:
                found[f"{name} {kind}"] = failure(name, kind)
    return found


def failure(name: str, kind: str) -> str:
    """Return what is wrong with one name in one respect."""
    try:
        find(name)
        CHECKS[kind](ENTRIES[name])
    except Exception as error:
        words = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {' '.join(words)[:4000]}"
    return ""


def missing(room: str) -> list[str]:
    """Return the public names of a room that have no entry."""
    return [name for name in public_names(room) if f"{room}.{name}" not in ENTRIES]


def main() -> None:
    """Print the report."""
    warnings.simplefilter("ignore")
    torch._logging.set_logs(dynamo=logging.CRITICAL)
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    rooms = [a for a in sys.argv[1:] if not a.startswith("--")] or list(ROOMS)
    kinds = tuple(o[2:] for o in options if o[2:] in KINDS) or KINDS
    found = failures(rooms, kinds)
    if "--json" in options:
        print(json.dumps(found))
        return
    for room in rooms:
        ours = {k: v for k, v in found.items() if k.startswith(f"{room}.")}
        wrong = {k: v for k, v in ours.items() if v}
        print(f"## {room}: {len(ours)} checks, {len(wrong)} fail")
        for name in missing(room):
            print(f"{name}: public, but has no entry")
        for name, text in wrong.items():
            print(f"{name}: {text}")


if __name__ == "__main__":
    main()
