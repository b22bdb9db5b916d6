"""The structure that the project keeps: where code lies, who imports whom, how long it may be."""

import ast
import code
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from notebooks import ROOT

PACKAGE = ROOT / "code" / "attnoise"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Each room may import those on its left. The second row serves everyone and knows no model; the
# third stands on top.
PARTS = ("attention", "transformers", "diffusion", "latent", "together")
SERVING = ("data", "training", "evaluation")
ON_TOP = ("figures", "diagrams", "exercises")
ABOVE = ("grading",)
FOLDERS = (*PARTS, *SERVING, *ON_TOP, *ABOVE)


def test_the_standard_library_keeps_its_code_module():
    assert not (ROOT / "code" / "__init__.py").exists()
    assert Path(code.__file__).parent == Path(sysconfig.get_path("stdlib"))


def imported_folders(path: Path) -> set[str]:
    """Folders of attnoise that a module imports at its top level."""
    found = set()
    for node in ast.parse(path.read_text("utf8")).body:
        if isinstance(node, ast.ImportFrom):
            if node.level >= 2:  # from ..folder.module import name
                found.add((node.module or "").split(".")[0])
            elif node.module and node.module.startswith("attnoise."):
                found.add(node.module.split(".")[1])
    return found & set(FOLDERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    parts = path.relative_to(PACKAGE).parts
    if len(parts) == 1:
        assert not imported_folders(path), "the package itself loads nothing"
        return
    home = parts[0]
    for other in imported_folders(path) - {home}:
        if home in ON_TOP:  # figures draw with the models, checks compare with them
            assert other not in ON_TOP + ABOVE, f"{home} imports {other}"
            continue
        if home in ABOVE:  # it runs the checks
            assert other == "exercises", f"{home} imports {other}"
            continue
        row = SERVING if home in SERVING else PARTS
        assert other in row[: row.index(home)], f"{home} imports {other}"


def test_no_room_holds_a_fifth_of_the_lines():
    """Rooms: folders of the package and of everything around it, tests apart.

    What pages compute in JavaScript, figures/js, is a room of its own: no figure, but the package's
    algorithms once more, each held to its twin.
    """
    lines: dict[str, int] = {}
    for top in ("code/attnoise", "experiments", "tools", "benchmarks", "web"):
        for path in (ROOT / top).rglob("*"):
            if path.suffix in (".py", ".js", ".css") and "vendor" not in path.parts:
                parts = path.relative_to(ROOT / top).parts
                room = parts[0] if top == "code/attnoise" and len(parts) > 1 else top
                room = "figures/js" if parts[:2] == ("figures", "js") else room
                lines[room] = lines.get(room, 0) + path.read_text("utf8").count("\n")
    largest = max(lines, key=lambda room: lines[room])
    assert lines[largest] < sum(lines.values()) / 5, lines


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_and_functions_are_short(path):
    text = path.read_text("utf8")
    assert text.count("\n") <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            lists = path.parent.name in ("figures", "exercises")  # of parts, of cases
            most = 46 if lists else 40
            assert length <= most, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_public_names_are_documented_and_nothing_seeds_globally(path):
    text = path.read_text("utf8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is"
    in_checks = "exercises" in path.parts and path.name != "mechanism.py"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            decorated = in_checks or any("overload" in ast.dump(d) for d in node.decorator_list)
            assert decorated or ast.get_docstring(node), f"{node.name} has no docstring"
    for banned in ("import diffusers", "import transformers\n", "import timm"):
        assert banned not in text
    assert global_seeds(tree) == []


SEEDERS = {"manual_seed", "manual_seed_all", "seed", "seed_all", "set_rng_state"}
GLOBALS = {"torch", "random", "np", "numpy", "cuda", "mps"}


def global_seeds(tree: ast.AST) -> list[int]:
    """Lines that set a module's own randomness outside of a block that puts it back at its end."""
    put_back = {
        id(part)
        for block in ast.walk(tree)
        if isinstance(block, ast.With)
        and any("fork_rng" in ast.unparse(item.context_expr) for item in block.items)
        for statement in block.body
        for part in ast.walk(statement)
    }
    return [
        call.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in SEEDERS
        and ast.unparse(call.func.value).split(".")[-1] in GLOBALS
        and id(call) not in put_back
    ]


def test_a_global_seed_is_seen():
    assert global_seeds(ast.parse("import torch\ntorch.manual_seed(0)")) == [2]
    assert global_seeds(ast.parse("np.random.seed(0)  # generator")) == [1]
    assert global_seeds(ast.parse("with torch.random.fork_rng():\n    torch.manual_seed(0)")) == []
    later = "with torch.random.fork_rng():\n    pass\ntorch.cuda.manual_seed_all(0)"
    assert global_seeds(ast.parse(later)) == [3]
    assert global_seeds(ast.parse("torch.Generator().manual_seed(0)")) == []


def test_no_loose_ends():
    names = ("*.py", "*.md", "*.yml", "*.toml", "*.js", "*.css")
    folders = ("book", "code", "tools", "benchmarks", "web", "tests")
    marks = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)))
    for folder in folders:
        for pattern in names:
            for path in (ROOT / folder).rglob(pattern):
                assert not marks.search(path.read_text("utf8")), path


def test_importing_the_package_loads_nothing_heavy():
    script = (
        "import sys, attnoise, attnoise.attention, attnoise.transformers, attnoise.diffusion, attnoise.data\n"
        "print(sorted({'matplotlib', 'sklearn', 'scipy', 'IPython', 'ipywidgets', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def names_in_code(table: str) -> list[str]:
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[2])]


def test_notation_is_what_the_code_says():
    text = (ROOT / "book" / "notation.md").read_text("utf8")
    table = text.split("## Symbols and names")[1].split("\n## ")[0]
    names = names_in_code(table)
    assert len(names) >= 20
    source = "\n".join(path.read_text("utf8") for path in MODULES)
    planned = {"v", "eps_hat", "v_hat", "vocab"}
    for name in names:
        word = name.split("[")[0].split("(")[0].strip(".")
        assert word in planned or re.search(rf"\b{re.escape(word)}\b", source), (
            f"{name} is in the table only"
        )


# The figures' stored numbers and the files' fixed sizes aside, a shape is written in these letters.
SHAPE_TYPES = {"Float", "Int", "Bool", "UInt8", "Num", "Shaped", "Real", "Complex", "Integer"}


def axes_of(path: Path) -> dict[str, int]:
    """The named axes of every jaxtyping annotation in a module, each with a line where it stands."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple)):
            continue
        if getattr(node.value, "id", "") not in SHAPE_TYPES:
            continue
        shape = node.slice.elts[-1]
        if isinstance(shape, ast.Constant) and isinstance(shape.value, str):
            # "*b n k//2 {k}": only names count, not numbers, stars, dots or arithmetic
            found |= dict.fromkeys(re.findall(r"[A-Za-z_]+", shape.value), node.lineno)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_axes_are_those_of_the_notation(path):
    text = (ROOT / "book" / "notation.md").read_text("utf8")
    table = text.split("## Symbols and names")[1].split("\n## ")[0]
    known = {
        name
        for row in table.splitlines()
        if re.search(r"axis|axes", row.split("|")[-2] if "|" in row else "")
        for name in names_in_code(f"|\n|\n{row}")
    }
    assert {"b", "n", "d", "height"} <= known
    strangers = {axis: line for axis, line in axes_of(path).items() if axis not in known}
    assert strangers == {}, "name the axis as book/notation.md does, or put it there"


def test_readme_is_short_and_its_example_runs():
    text = (ROOT / "README.md").read_text("utf8")
    assert text.count("\n") <= 120
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 1
    assert len([x for x in blocks[0].splitlines() if x.strip()]) <= 20
    done = subprocess.run([sys.executable, "-c", blocks[0]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
