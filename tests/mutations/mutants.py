"""The mutants of a module: small faults, one at a time, made by mutmut's operators.

mutmut's own runner changes what stands in plain functions alone. Half of what the package teaches
stands elsewhere: in tables of formulas, in defaults, in samplers under `no_grad`. So the operators
and the visitor are mutmut's, the places are all of the module, and the runner is `runner.py`.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import NEVER_MUTATE_FUNCTION_NAMES, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "code" / "attnoise"
ROOMS = ("attention", "transformers", "diffusion", "latent", "together", "evaluation")


@dataclass(frozen=True)
class Mutant:
    """One fault: where it stands, the text before and after, and a name that edits elsewhere keep."""

    module: str  # "attention/masks.py"
    line: int
    lines: range  # of the statement that it stands in, or of that statement's head
    before: str
    after: str
    source: str  # the whole module with the fault in it
    name: str

    @property
    def import_name(self) -> str:
        """The module as Python imports it."""
        return "attnoise." + self.module.removesuffix(".py").replace("/", ".")


class Everywhere(MutationVisitor):
    """mutmut's visitor, let into decorated functions, and kept out of what an error says."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        # The texts of errors are held by the tests that match them; what raises them is mutated.
        if isinstance(node, cst.Raise | cst.Decorator | cst.Import | cst.ImportFrom):
            return True
        if isinstance(node, cst.FunctionDef):
            return node.name.value in NEVER_MUTATE_FUNCTION_NAMES
        return _is_all(node) or super()._skip_node_and_children(node)


def _is_all(node: cst.CSTNode) -> bool:
    """Is this `__all__ = [...]`?"""
    if not isinstance(node, cst.Assign):
        return False
    target = node.targets[0].target
    return isinstance(target, cst.Name) and target.value == "__all__"


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of one module that is another program, by its syntax."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Everywhere(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = wrapper.visit(visitor)
    places = wrapper.resolve(PositionProvider)
    heads = statement_lines(source)
    begins = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))
    seen: Counter[str] = Counter()
    for mutation in visitor.mutations:
        place = places[mutation.original_node].start
        start = begins[place.line - 1] + place.column
        old, new = map(tree.code_for_node, (mutation.original_node, mutation.mutated_node))
        if source.startswith(old, start):  # far faster than a new tree
            changed = source[:start] + new + source[start + len(old) :]
        else:
            changed = tree.deep_replace(mutation.original_node, mutation.mutated_node).code
        if changed == source or not _compiles(changed):
            continue
        before, after = _difference(source, changed)
        # Two equal lines of a module are told apart by their order.
        key = f"{module}|{before}|{after}"
        seen[key] += 1
        name = hashlib.sha256(f"{key}|{seen[key]}".encode()).hexdigest()[:10]
        yield Mutant(module, place.line, heads[place.line], before, after, changed, name)


def statement_lines(source: str) -> dict[int, range]:
    """Each line's innermost statement, as a range of lines; of a compound one, its head.

    Python counts a statement of several lines where it likes, so that a line alone may seem unused.
    """
    found = {line: range(line, line + 1) for line in range(1, source.count("\n") + 2)}
    for node in ast.walk(ast.parse(source)):  # parents before their children
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno
            lines = range(node.lineno, max(end, node.lineno) + 1)
            found |= dict.fromkeys(lines, lines)
    return found


def all_mutants(rooms: tuple[str, ...] = ROOMS) -> list[Mutant]:
    """Make the mutants of every module of these rooms, in a fixed order."""
    return [
        mutant
        for room in rooms
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.name != "__init__.py"
        for mutant in mutants_of(
            path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")
        )
    ]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _difference(source: str, changed: str) -> tuple[str, str]:
    """The lines that differ, without their indentation."""
    old, new = source.splitlines(), changed.splitlines()
    start = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    end = 1
    while end <= min(len(old), len(new)) - start and old[-end] == new[-end]:
        end += 1
    stop = 1 - end
    return _one_line(old[start : len(old) + stop]), _one_line(new[start : len(new) + stop])


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
