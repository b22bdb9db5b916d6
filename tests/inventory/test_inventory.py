"""Every public name has an entry, and what the entry says holds.

Which graphs compile is asked in a process of its own: the run-time checks of shapes that tests
switch on are themselves what a compiler cannot follow.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import strict_device
from .entries import ENTRIES
from .kinds import CHECKS, FAMILIES, KINDS
from .names import ROOMS, find, public_names
from .report import missing

ROOT = Path(__file__).parents[2]
ON_A_DEVICE = ("device", "reads")


def pairs(*kinds: str) -> list:
    """Return every name that one of the kinds applies to, with the kind."""
    return [
        pytest.param(name, kind, id=f"{name}-{kind}")
        for name, entry in ENTRIES.items()
        for kind in kinds
        if entry.reason(kind) is None
    ]


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


@pytest.fixture(scope="module")
def compiled() -> dict[str, str]:
    """Return what failed to compile, by name, as a process without run-time checks found it."""
    command = [sys.executable, "-m", "tests.inventory.report", "--json", "--compile"]
    paths = os.pathsep.join([str(ROOT / "code"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


@pytest.mark.parametrize(("name", "kind"), pairs("compile"))
def test_it_compiles_to_one_graph(name, kind, compiled):
    assert compiled[f"{name} {kind}"] == ""
