"""The part of the fuzzing that is cheap: no number makes a config fail without a clear error."""

import signal

import pytest

from .entries import ENTRIES
from .fuzz import attack

CONFIGS = [name for name, entry in ENTRIES.items() if entry.family in ("config", "path")]
SECONDS = 30


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CONFIGS)
def test_a_number_is_taken_or_refused_by_name(name):
    if hasattr(signal, "alarm"):
        signal.alarm(SECONDS)  # a config that counts to a million is a fault as well
    try:
        found = list(attack(ENTRIES[name], only_numbers=True))
    finally:
        if hasattr(signal, "alarm"):
            signal.alarm(0)
    wrong = [row for row in found if row[2] not in ("accepted", "named", "too large")]
    assert not wrong
