"""Replace one argument of every example by something hostile: `python -m tests.inventory.fuzz`.

Options: names of rooms; --all also lists answers to values of another kind (a text for a tensor).
A call may succeed, raise one of the package's errors that names the argument, or, where the value
is of another kind than the example's, raise TypeError. Everything else is listed.
"""

import contextlib
import io
import logging
import resource
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from math import inf, nan
from typing import Any

import torch
from torch import Tensor

from .entries import ENTRIES
from .kinds import OURS, Call, Entry, Place, names_one_of, run
from .names import ROOMS

SECONDS = 3  # for one call
MEMORY = 6 * 2**30  # of the whole process
HUGE = 10**6


def hostile(value: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield a name, a hostile value, and whether it is of the example's kind."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    tensor = isinstance(value, Tensor)
    for name, other in (("None", None), ("a text", "text")):
        yield name, other, False
    for other in (-1, 0, HUGE, nan, inf):
        whole = isinstance(value, int) and isinstance(other, float)
        yield str(other), other, number and not whole
    yield "an empty tensor", torch.empty(0), tensor
    if tensor:
        plain = value.detach()
        yield "other dtype", plain.long() if plain.is_floating_point() else plain.float(), True
        yield "more axes", plain[None], True
        yield "fewer axes", plain.flatten(), True
        yield "no rows", plain[:0], True
        yield "another device", plain.to("meta"), True
    if type(value) in (list, tuple):
        yield "an empty list", type(value)(), True


class TooLongError(Exception):
    """A call took more than SECONDS."""


def _stop(*_: Any) -> None:
    raise TooLongError


def outcome(call: Call, name: str, value: Any, same_kind: bool) -> tuple[str, str]:
    """Return how a call with one hostile argument ends, and what it said."""
    names = {name}
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run(call, {name: value})
    except OURS as error:
        named = names_one_of(names, str(error))
        return ("named" if named else "not named"), f"{type(error).__name__}: {error}"
    except TooLongError:
        return "too long", ""
    except MemoryError:
        return "too large", ""
    except Exception as error:  # what is looked for
        text = f"{type(error).__name__}: {error}"
        if "allocate" in text or "memory" in text:
            return "too large", text
        if isinstance(error, TypeError) and not same_kind:
            return "TypeError", text
        return "other", text
    return "accepted", ""


def attack(entry: Entry, only_numbers: bool = False) -> Iterator[tuple[str, str, str, bool, str]]:
    """Yield argument, hostile value, outcome, whether it is of the kind, and the error's text."""
    calls = [lambda: entry.call(Place())] + ([entry.build] if entry.build else [])
    for make in calls:
        for name, value in make()[1].items():
            for kind, other, same in hostile(value):
                if only_numbers and not (same and isinstance(other, int | float)):
                    continue
                ended, text = outcome(make(), name, other, same)
                yield name, kind, ended, same, text.replace("\n", " ")[:140]


def main() -> None:
    """Attack the rooms and list what is neither success, nor named, nor a TypeError."""
    warnings.simplefilter("ignore")
    torch._logging.set_logs(dynamo=logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _stop)
    rooms = [a for a in sys.argv[1:] if not a.startswith("--")] or list(ROOMS)
    counts: dict[str, Counter] = {room: Counter() for room in rooms}
    for entry_name, entry in ENTRIES.items():
        room = entry_name.split(".")[0]
        if room not in rooms or entry.call is None or entry.family == "loader":
            continue
        signal.setitimer(signal.ITIMER_REAL, SECONDS, SECONDS)
        try:
            for name, kind, ended, same, text in attack(entry):
                if ended == "other" and kind == "another device":
                    ended = "torch's word on devices"  # which is clear enough
                signal.setitimer(signal.ITIMER_REAL, SECONDS, SECONDS)
                counts[room][ended, "its kind" if same else "another kind"] += 1
                wrong = ended in ("other", "not named", "too long")
                if wrong and (same or "--all" in sys.argv):
                    print(f"{entry_name}({name} = {kind}): {ended}: {text}")
        except TooLongError:
            print(f"{entry_name}: the example itself takes too long")
        except Exception as error:  # the example itself fails: the report says why
            print(f"{entry_name}: no example: {error!r}"[:200])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    for room, found in counts.items():
        shown = ", ".join(f"{n} {e} ({k})" for (e, k), n in sorted(found.items()))
        print(f"## {room}: {sum(found.values())} calls: {shown}")


if __name__ == "__main__":
    main()
