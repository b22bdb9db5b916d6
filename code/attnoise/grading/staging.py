"""What the sandbox sees of the package: everything but how answers are checked."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def without_answers(source: str) -> str:
    """Return a module of checks whose checkers hold nothing: neither comparisons nor sentences."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(is_exercise(d) for d in node.decorator_list):
            node.body = [ast.parse('return "This answer is checked elsewhere."').body[0]]
    return ast.unparse(tree)


def is_exercise(decorator: ast.expr) -> bool:
    """Say whether a decorator is `exercise(...)`."""
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "exercise"


def stage(folder: Path) -> Path:
    """Write the modules of checks without answers, and return their folder."""
    out = folder / "exercises"
    out.mkdir(mode=0o755)
    for path in (PACKAGE / "exercises").glob("*.py"):
        target = out / path.name
        target.write_text(without_answers(path.read_text("utf8")), "utf8")
        target.chmod(0o644)
    return out
