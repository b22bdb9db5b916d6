"""Prove a chapter's exercises: solutions pass, stubs fail, and wrong answers learn why.

A chapter's test module calls `prove`, which returns the cases for pytest's parametrize.
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import torch

from attnoise.exercises import exercises_of

ROOT = Path(__file__).parents[2]
REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION\n?", re.M | re.S)
CALL = re.compile(r"^check\.(\w+)\((\w+)\)\s*$", re.M)


def stub_of(source: str) -> str:
    """Return a solution cell as the student edition shows it."""
    return REGION.sub(r'\1raise NotImplementedError("your turn")\n', source + "\n")


def answers(notebook: str) -> dict[str, tuple[str, str]]:
    """Read from a chapter each exercise's solution cell and the name that its check is given."""
    found, solution = {}, None
    for cell in nbformat.read(ROOT / "book" / notebook, as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            solution = cell.source
        if "check" in tags:
            name, answer = CALL.search(cell.source).groups()
            found[name] = (solution, answer)
    return found


def run(source: str, answer: str, setting: dict[str, Any]) -> Any:
    """Run a solution cell alone and return the answer that it defines."""
    names: dict[str, Any] = {"torch": torch, **setting}
    exec(compile(source, "<exercise>", "exec"), names)
    return names[answer]


def prove(
    notebook: str,
    module: ModuleType,
    wrong: dict[str, list[tuple[Callable | Any, str]]],
    setting: dict[str, Any] | None = None,
) -> None:
    """Assert everything that the book promises of a chapter's exercises.

    Args:
        notebook: The master, as in "attention/attention.ipynb".
        module: Its checkers.
        wrong: For each checker two or more plausible wrong answers, each with a piece of the
            message that it must get. No two messages of one exercise may be alike.
        setting: Names that the solution cells use beside torch.
    """
    masters, known = answers(notebook), {e.name: e for e in exercises_of(module)}
    assert set(masters) == set(known), (
        f"{notebook} checks {set(masters)}, the module has {set(known)}"
    )
    assert set(wrong) == set(known), "every exercise needs its wrong answers"
    assert [e.number for e in known.values()] == sorted(e.number for e in known.values())
    for name, (source, answer) in masters.items():
        check = known[name].check
        verdict = check(run(source, answer, setting or {}))
        assert verdict, f"{name}: the solution fails: {verdict}"
        try:
            stub = run(stub_of(source), answer, setting or {})
        except NotImplementedError:
            stub = None  # an answer that is a value, not a function
        assert not check(stub), f"{name}: the stub passes"
        assert len(wrong[name]) >= 2, f"{name} needs two wrong answers or more"
        messages = []
        for mistaken, fragment in wrong[name]:
            verdict = check(mistaken)
            assert not verdict, f"{name}: a wrong answer passes ({fragment})"
            assert fragment in verdict.message, (
                f"{name}: wanted {fragment!r}, got {verdict.message!r}"
            )
            messages.append(verdict.message)
        assert len(set(messages)) == len(messages), f"{name}: two mistakes get one message"
