"""How the site's tests wait: by the page's state, never by the clock, and in one place.

A fixed sleep is too short on a busy machine and too long on a quick one; so is a time limit. State
that is read after the click that changes it may be the new state already: then the wait for a
change never ends. Both kinds are kept out of the sources here; site_tools.py has what to use.
"""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOOLS = {"site_tools.py"}
SOURCES = sorted(path for path in HERE.glob("*.py") if path.name not in TOOLS)
FORBIDDEN = {
    "wait_for_timeout": "sleeps; use eventually, or page.clock",
    "sleep": "sleeps; use eventually, or page.clock",
    "wait_for_function": "use present, changed_by or eventually",
    "wait_for_load_state": "returns at once where the old page is still there; use follow",
    "set_default_timeout": "be_patient does it for every context",
    "new_page": "only contexts that are patient: be_patient(browser.new_context()).new_page()",
}


def faults(source: str) -> list[str]:
    """Name what waits by the clock in a source, or apart from the helpers."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        patient = name == "new_page" and not ast.unparse(node.func).startswith("browser.")
        if name in FORBIDDEN and not patient:
            found.append(f"line {node.lineno}: {name} {FORBIDDEN[name]}")
        if any(keyword.arg == "timeout" for keyword in node.keywords):
            found.append(f"line {node.lineno}: a time limit of its own; PATIENCE holds for all")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_test_waits_by_the_clock(path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "page.wait_for_timeout(150)",
        "time.sleep(1)",
        "page.wait_for_function('before => state !== before', arg=page.evaluate('state'))",
        "page.wait_for_load_state()",
        "words.wait_for(timeout=3_000)",
        "page = browser.new_page()",
    ],
)
def test_each_kind_is_seen(line):
    assert len(faults(line)) == 1


def test_state_that_is_to_change_is_read_before_the_action():
    """In `changed_by`, the helper that every such wait uses."""
    from site_tools import changed_by

    order = []

    class Page:
        def evaluate(self, read):
            order.append("read")
            return len(order)

        def wait_for_function(self, code, arg):
            order.append(f"wait for another than {arg}")

    assert changed_by(Page(), lambda: order.append("act"), "() => state") == 4
    assert order == ["read", "act", "wait for another than 1", "read"]
