"""Every public name has an entry, and what the entry says holds."""

import pytest

from . import strict_device
from .entries import ENTRIES, pairs
from .kinds import CHECKS, FAMILIES, KINDS
from .names import ROOMS, find, public_names
from .report import missing

ON_A_DEVICE = ("device", "reads")


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_an_entry(room):
    assert not missing(room)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_of_a_public_name(name):
    find(name)
    room, first = name.split(" ")[0].split(".")[:2]
    assert first in public_names(room)


def test_what_does_not_apply_has_a_reason():
    for name, entry in ENTRIES.items():
        assert entry.family in FAMILIES, name
        assert set(entry.but) <= set(KINDS) and set(entry.also) <= set(KINDS), name
        reasons = [entry.reason(kind) for kind in KINDS]
        assert all(reason is None or len(reason) > 5 for reason in reasons), name
        assert entry.call is not None or all(reasons), f"{name} has no example"


@pytest.mark.parametrize(("name", "kind"), pairs("precision", "finite", "memory", "config"))
def test_it_holds(name, kind):
    CHECKS[kind](ENTRIES[name])


@pytest.mark.skipif(not strict_device.AVAILABLE, reason="this torch has no backends in Python")
@pytest.mark.parametrize(("name", "kind"), pairs(*ON_A_DEVICE))
def test_it_runs_on_another_device(name, kind):
    CHECKS[kind](ENTRIES[name])


@pytest.mark.bad_input
@pytest.mark.parametrize(("name", "kind"), pairs("ranges"))
def test_bad_arguments_are_named(name, kind):
    CHECKS[kind](ENTRIES[name])
