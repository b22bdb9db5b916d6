"""What the inventory says of compilation holds.

Which graphs compile is asked in a process of its own: the run-time checks of shapes that tests
switch on are themselves what a compiler cannot follow.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .entries import pairs

ROOT = Path(__file__).parents[2]


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
