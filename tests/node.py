"""Run the page's modules under Node, for tests that hold their numbers to the package's."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = ROOT / "code" / "attnoise" / "figures" / "js"
SHAPES = ROOT / "web" / "static" / "js" / "shapes.js"
NO_NODE = (
    "NO NODE WAS FOUND: the page's modules were NOT compared with the package. Install Node 20."
)
RUNNER = """
import { readFileSync } from "node:fs";
const { names, cases } = JSON.parse(readFileSync(0, "utf8"));
const modules = await Promise.all(names.map((name) => import(`./${name}.js`)));
const all = Object.assign({}, ...modules);
const found = cases.map(([code, given]) => {
  const run = new Function("page", "given", `const { ${Object.keys(all).join(", ")} } = page; return ${code}`);
  try { return { value: run(all, given) ?? null }; } catch (error) { return { error: String(error) }; }
});
console.log(JSON.stringify(found));
"""


def require_node() -> str:
    """Return where Node is; without it skip the test, or fail it where CI runs."""
    node = shutil.which("node")
    if node is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_NODE)
    return node


def run_modules(folder: Path, names: list[str], cases: list[tuple[str, dict]]) -> list[dict]:
    """Evaluate expressions over what the modules export, all in one process.

    Args:
        folder: Where a copy of the modules is made.
        names: The modules to import.
        cases: Each an expression, and what it knows as `given`.

    Returns:
        {"value": ...} or {"error": ...} for each.
    """
    shutil.copytree(MODULES, folder, dirs_exist_ok=True)
    shutil.copy(SHAPES, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return run_copy(folder, names, cases)


def run_copy(folder: Path, names: list[str], cases: list[tuple[str, dict]]) -> list[dict]:
    """Evaluate expressions over modules that already lie in a folder."""
    (folder / "runner.js").write_text(RUNNER)
    done = subprocess.run(
        [require_node(), "runner.js"],
        cwd=folder,
        input=json.dumps({"names": names, "cases": cases}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
