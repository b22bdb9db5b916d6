"""Break the package, one bug at a time, and see the test that names the bug go red.

A test that stays green with its bug in place would prove nothing. All bugs are tried by one process
of its own, in forks; nothing is written to the package.
"""

import json
import subprocess
import sys

import pytest
from tests.mutations.mutants import PACKAGE, ROOT
from tests.mutations.named_bugs import BUGS
from tests.mutations.runner import FAILED, PASSED


@pytest.fixture(scope="module")
def tried() -> dict[str, list[int]]:
    command = [sys.executable, "-m", "tests.mutations.named_bugs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("bug", BUGS)
def test_a_named_bug_turns_its_test_red(bug, tried):
    module, stands, *_, test = BUGS[bug]
    source = (PACKAGE / module).read_text(encoding="utf-8")
    assert source.count(stands) == 1, f"{module} must hold {stands!r} exactly once"
    without, with_bug = tried[bug]
    assert without == PASSED, f"{test} is red without the bug (code {without})"
    assert with_bug == FAILED, f"{test} does not fail with the bug (code {with_bug})"
