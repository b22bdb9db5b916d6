"""The workflows: valid YAML, and whatever they call exists."""

import re

import pytest
import yaml
from notebooks import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(path):
    return yaml.load(path.read_text("utf8"), Loader=yaml.BaseLoader)  # BaseLoader: "on" stays "on"


def commands(path) -> str:
    jobs = load(path)["jobs"].values()
    return "\n".join(step.get("run", "") for job in jobs for step in job["steps"])


def test_there_are_four():
    assert {path.stem for path in WORKFLOWS} == {"tests", "publish", "colab", "links"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_what_they_call_exists(path):
    workflow = load(path)
    assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for target in re.findall(r"(?m)^\s*make ([a-z-]+)", commands(path)):
        assert target in targets
    for script in re.findall(r"(?:tools|\.ci)/[\w.]+", commands(path)):
        assert (ROOT / script).exists()
    for job in workflow["jobs"].values():
        assert int(job["timeout-minutes"]) <= 120
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


def test_triggers():
    on = {path.stem: load(path)["on"] for path in WORKFLOWS}
    assert {"pull_request", "push"} <= on["tests"].keys()
    assert on["publish"]["push"]["branches"] == ["main"]
    assert "workflow_dispatch" in on["publish"]
    for weekly in ("colab", "links"):
        assert re.fullmatch(r"\d+ \d+ \* \* \d", on[weekly]["schedule"][0]["cron"])


def test_a_fork_publishes_under_its_own_address():
    """The address comes from the repository that runs the workflow, and Colab's branch is pushed."""
    publish = (ROOT / ".github/workflows/publish.yml").read_text()
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert "${{ github.server_url }}/${{ github.repository }}" in publish
    assert config["repository"]["url"] not in publish
    run = commands(ROOT / ".github/workflows/publish.yml")
    assert run.index("tools/address.py --url") < run.rindex("make book") < run.index("git push")
    assert run.index("tools/students.py") > run.index("tools/address.py --url")
    assert f"git push --force origin {config['repository']['branch']}" in run
    assert load(ROOT / ".github/workflows/publish.yml")["permissions"]["contents"] == "write"


def test_the_default_address_stands_in_the_config_alone():
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    names = ("*.md", "*.py", "*.yml", "*.toml", "Makefile")
    for folder in (".github", "book", "code", "tools", "web", "tests"):
        for pattern in names:
            for path in (ROOT / folder).rglob(pattern):
                assert url not in path.read_text("utf8"), path
