"""Run tests on mutants, each in a fork of a process that has torch and the others loaded.

A fork costs some milliseconds where a fresh Python needs seconds to import torch. In the fork the
mutant's source stands in for one module's; nothing is written to the package. The run-time checks
of shapes are off: they cost time, and a mutant must be killed by what a test says.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .mutants import PACKAGE, ROOT, Mutant

# Imported before the first fork, beside what the test files import.
HEAVY = (
    "numpy scipy.stats scipy.linalg sklearn.datasets torch torch._dynamo torch.nn.functional "
    "safetensors.torch einops jaxtyping beartype hypothesis.strategies matplotlib.pyplot pytest "
    "coverage _pytest.python _pytest.fixtures _pytest.terminal"
).split()
GIBIBYTE = 1 << 30
PASSED, FAILED, NOTHING_COLLECTED = 0, 1, 5  # pytest's exit codes
ENDED_BY_THE_FAULT = (signal.SIGXCPU, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
INVENTORY = ROOT / "tests" / "inventory" / "test_inventory.py"  # devices, bad input, all rooms
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain"]


class MutantFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Hands out the mutant's source where its module is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name, path=None, target=None):
        """Answer for one module only."""
        if name != self.mutant.import_name:
            return None
        origin = str(PACKAGE / self.mutant.module)
        return importlib.util.spec_from_file_location(name, origin, loader=self)

    def get_source(self, name: str) -> str:
        """The module with its fault."""
        return self.mutant.source


def preload(files: list[Path]) -> None:
    """Import what tests import, but nothing of the package or of the tests themselves."""
    names = dict.fromkeys(HEAVY)
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= dict.fromkeys(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names[node.module] = None
                # transformers and diffusers load a model's module when it is named
                if node.module in {"transformers", "diffusers"}:
                    module = importlib.import_module(node.module)
                    for alias in node.names:
                        getattr(module, alias.name, None)
    for name in names:
        if name.split(".")[0] in HEAVY or importlib.util.find_spec(name.split(".")[0]):
            if not name.startswith(("attnoise", "tests", "benchmarks", "tools", "experiments")):
                importlib.import_module(name)


def tests_of(module: str) -> list[Path]:
    """The test files of a module's room: those of its name first, then the smallest first."""
    room, stem = module.split("/")[0], Path(module).stem
    files = sorted((ROOT / "tests" / room).rglob("test_*.py"), key=lambda path: path.stat().st_size)
    return sorted(files, key=lambda path: not path.stem.startswith(f"test_{stem}"))


def share_out(things: list, workers: int, work: Callable[[int, list], object]) -> None:
    """Let each worker, a fork, do its share; what it raises ends the program."""
    children = []
    for worker in range(workers):
        child = os.fork()
        if child:
            children.append(child)
            continue
        code = 1
        try:
            work(worker, things[worker::workers])
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    if any([os.waitpid(child, 0)[1] for child in children]):
        sys.exit("A worker failed; see above.")


def forked(work: Callable[[], int], cpu_seconds: float) -> int:
    """Do `work` in a fork; returns its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            seconds = int(cpu_seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            resource.setrlimit(resource.RLIMIT_AS, (16 * GIBIBYTE, 16 * GIBIBYTE))
            code = work()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


class Selected:
    """A pytest plugin: of what is collected, run the tests of a list alone, in its order."""

    def __init__(self, tests: list[str]) -> None:
        self.rank = {test: i for i, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Drop and sort the tests in place."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.rank),
            key=lambda item: self.rank[item.nodeid],
        )


class Recorder:
    """A pytest plugin: the seconds of each test, and the lines of the package that it reaches."""

    def __init__(self, measured: Any) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """From here on, lines belong to this test."""
        self.measured.switch_context(nodeid)
        self.seconds[nodeid] = time.process_time()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """From here on, lines belong to no test."""
        self.seconds[nodeid] = time.process_time() - self.seconds[nodeid]
        self.measured.switch_context("")


def run_pytest(path: Path | str, mutant: Mutant | None, *plugins: object) -> int:
    """Run a test file or one test in this process, on the mutant or on the package as it is."""
    import pytest

    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # no plugin is needed, each costs time
    os.environ["ATTNOISE_MUTANT"] = mutant.name if mutant else "none"
    if mutant is not None:
        sys.meta_path.insert(0, MutantFinder(mutant))
    return int(pytest.main([*PYTEST, str(path)], plugins=list(plugins)))


class Baseline:
    """What each test does on the package as it is: its seconds, and the lines that it reaches.

    Asked for when it is first needed, and shared by the workers through a folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: dict[Path, dict] = {}

    def of(self, path: Path) -> dict:
        """Return {"seconds": {test: ...}, "lines": {module: {line: [test, ...]}}} of a file.

        Its tests must pass. What runs on import belongs to the test "".
        """
        if path in self.read:
            return self.read[path]
        stored = self.folder / f"{path.parent.name}-{path.stem}.json"
        if not stored.exists():
            code = forked(lambda: self.measure(path, stored), cpu_seconds=1800)
            if code != PASSED:
                raise RuntimeError(f"{path}: must pass before it is run on mutants (code {code})")
        self.read[path] = json.loads(stored.read_text(encoding="utf-8"))
        return self.read[path]

    def measure(self, path: Path, stored: Path) -> int:
        """Run the file once under coverage, and store what was found."""
        import coverage

        measured = coverage.Coverage(data_file=None, include=[f"{PACKAGE}/*"])
        recorder = Recorder(measured)
        measured.start()
        code = run_pytest(path, None, recorder)
        measured.stop()
        data = measured.get_data()
        lines = {
            Path(name).relative_to(PACKAGE).as_posix(): data.contexts_by_lineno(name)
            for name in data.measured_files()
        }
        part = stored.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"seconds": recorder.seconds, "lines": lines}), encoding="utf-8")
        part.rename(stored)  # at once, for the other workers
        return code

    def tests_that_reach(self, mutant: Mutant, path: Path) -> list[str]:
        """The tests of a file that run a line of the mutant, the quickest first."""
        known = self.of(path)
        lines = known["lines"].get(mutant.module, {})
        tests = {test for line in mutant.lines for test in lines.get(str(line), ())}
        if "" in tests:  # on import: any test may see it
            tests = set(known["seconds"])
        if path == INVENTORY:  # of what it says about other rooms, all would take too long
            room = mutant.module.split("/")[0]
            tests = {test for test in tests if f"[{room}." in test}
        return sorted(tests, key=known["seconds"].__getitem__)


def find_killer(mutant: Mutant, baseline: Baseline) -> str:
    """Return the test file that kills the mutant, or "" where none of its room does."""
    for path in tests_of(mutant.module):
        tests = baseline.tests_that_reach(mutant, path)
        if not tests:
            continue
        seconds = sum(baseline.of(path)["seconds"][test] for test in tests)
        code = forked(lambda: run_pytest(path, mutant, Selected(tests)), 5 + 5 * seconds)  # noqa: B023
        if code < 0 and -code not in ENDED_BY_THE_FAULT:
            raise RuntimeError(f"{mutant.name}: the tests were ended by signal {-code}")
        if code not in (PASSED, NOTHING_COLLECTED):
            return path.relative_to(ROOT).as_posix()
    return ""
