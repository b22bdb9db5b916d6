"""Try mutants without an import each: in forks of a pytest session that has collected a room's tests.

A fork gets the mutant's code in place of the function's that it changes, and runs the tests that
reach it, but for those of over two seconds. That takes a tenth of the time of a fresh import. What
is killed here is killed. A mutant outside functions cannot be tried so; and where a test file has
built something on import, the old code may have built it: so `find_killer` in runner.py tries again
what this leaves.
"""

import gc
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

from .mutants import PACKAGE, Mutant
from .runner import FAILED, INVENTORY, PASSED, Baseline, forked, run_pytest, tests_of

LONGEST = 2.0  # CPU-seconds of a test; what compiles a model takes longer, and seldom finds more
FIRST_FILE = 100  # the exit code of a fork whose killer is the first file


class Session:
    """A pytest plugin: in place of the tests, try one mutant after the other."""

    def __init__(
        self,
        mutants: list[Mutant],
        files_of: Callable[[str], list[Path]],
        baseline: Baseline,
        found: Callable[[Mutant, str], None],
    ) -> None:
        self.mutants, self.files_of, self.baseline, self.found = mutants, files_of, baseline, found

    def pytest_runtestloop(self, session) -> bool:
        """Try all mutants that only change functions; hand each killed one to `found`."""
        items = {item.nodeid: item for item in session.items}
        originals: dict[str, types.CodeType] = {}
        for name in {mutant.import_name for mutant in self.mutants}:
            importlib.import_module(name)  # the package loads a room when it is first asked for
        functions = functions_of_package()
        for mutant in self.mutants:
            if mutant.module not in originals:
                source = (PACKAGE / mutant.module).read_text(encoding="utf-8")
                originals[mutant.module] = compile(source, "mutant", "exec")
            changed = changed_functions(originals[mutant.module], mutant)
            places = [functions.get((mutant.import_name, old.co_qualname)) for old, _ in changed]
            if not changed or not all(places):
                continue
            files = self.files_of(mutant.module)
            seconds, wanted = 0.0, []
            for index, path in enumerate(files):
                needed = self.baseline.of(path)["seconds"]
                for test in self.baseline.tests_that_reach(mutant, path):
                    if test in items and needed[test] <= LONGEST:
                        wanted.append((items[test], index))
                        seconds += needed[test]
            pairs = [(place, new) for place, (_, new) in zip(places, changed, strict=True)]
            code = forked(lambda: attempt(session, pairs, wanted), 5 + 5 * seconds)  # noqa: B023
            if code != PASSED and wanted:
                index = code - FIRST_FILE if code >= FIRST_FILE else 0
                self.found(mutant, "/".join(files[index].parts[-3:]))
        return True


def attempt(session, pairs: list[tuple[list, types.CodeType]], wanted: list[tuple]) -> int:
    """In a fork: put the mutant's code into its functions, run tests until one fails."""
    for functions, code in pairs:
        for function in functions:
            try:
                function.__code__ = code
            except ValueError:  # it closes over other names: left to runner.py
                return PASSED
    followers = [item for item, _ in wanted[1:]] + [None]
    for (item, index), nextitem in zip(wanted, followers, strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        if session.testsfailed:
            return FIRST_FILE + index
    return PASSED


def functions_of_package() -> dict[tuple[str, str], list[types.FunctionType]]:
    """All functions of the package that live, by module and qualified name."""
    found: dict[tuple[str, str], list[types.FunctionType]] = {}
    for function in gc.get_objects():
        if isinstance(function, types.FunctionType):
            name = Path(function.__code__.co_filename)
            if name.is_relative_to(PACKAGE):
                module = "attnoise." + ".".join(name.relative_to(PACKAGE).with_suffix("").parts)
                found.setdefault((module, function.__code__.co_qualname), []).append(function)
    return found


def changed_functions(
    original: types.CodeType, mutant: Mutant
) -> list[tuple[types.CodeType, types.CodeType]]:
    """The outermost functions that differ, old and new; none where anything else differs, too."""
    try:
        return list(_differences(original, compile(mutant.source, "mutant", "exec")))
    except ValueError:
        return []


def _differences(old: types.CodeType, new: types.CodeType) -> Iterator[tuple]:
    if old == new:
        return
    if old.co_flags & 0x1:  # CO_OPTIMIZED: a function, not a module or a class
        yield old, new
        return
    if _own(old) != _own(new):
        raise ValueError("a statement outside functions differs")
    for a, b in zip(_nested(old), _nested(new), strict=True):
        yield from _differences(a, b)


def _own(code: types.CodeType) -> tuple:
    constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    return code.co_code, repr(constants), code.co_names, len(_nested(code))


def _nested(code: types.CodeType) -> list[types.CodeType]:
    return [c for c in code.co_consts if isinstance(c, types.CodeType)]


def try_quickly(
    room: str, mutants: list[Mutant], baseline: Baseline, found: Callable[[Mutant, str], None]
) -> None:
    """Try a room's mutants in a session of its own, in a fork; hand what is killed to `found`."""
    tests = tests_of(mutants[0].module)[0].parent
    assert tests.name == room, f"{tests} holds the tests of another room"
    session = Session(mutants, tests_of, baseline, found)
    forked(lambda: _run_session(tests, session), cpu_seconds=10**6)


def try_on_inventory(
    mutants: list[Mutant], baseline: Baseline, found: Callable[[Mutant, str], None]
) -> None:
    """The same with what the inventory says of the room's public names, in place of its tests."""
    session = Session(mutants, lambda module: [INVENTORY], baseline, found)
    forked(lambda: _run_session(INVENTORY, session), cpu_seconds=10**6)


def _run_session(tests: Path, session: Session) -> int:
    code = run_pytest(tests, None, session)
    sys.stdout.flush()
    return FAILED if code == FAILED else PASSED
