"""The workflows: valid YAML, and whatever they call exists."""

import re
import tomllib

import pytest
import yaml
from colab_versions import constraints
from notebooks import ROOT
from packaging.specifiers import SpecifierSet

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(path):
    return yaml.load(path.read_text("utf8"), Loader=yaml.BaseLoader)  # BaseLoader: "on" stays "on"


def commands(path) -> str:
    jobs = load(path)["jobs"].values()
    return "\n".join(step.get("run", "") for job in jobs for step in job.get("steps", ()))


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
        if "uses" in job:  # another workflow of this repository
            assert (ROOT / job["uses"]).is_file()
            continue
        assert int(job["timeout-minutes"]) <= 120
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


def test_triggers():
    on = {path.stem: load(path)["on"] for path in WORKFLOWS}
    assert {"pull_request", "push", "workflow_call"} <= on["tests"].keys()
    assert on["publish"]["push"]["branches"] == ["main"]
    assert "workflow_dispatch" in on["publish"]
    for weekly in ("colab", "links"):
        assert re.fullmatch(r"\d+ \d+ \* \* \d", on[weekly]["schedule"][0]["cron"])


def test_what_is_promised_is_tested():
    """Every Python and system of pyproject.toml and of the set-up page, and three ages of versions."""
    jobs = load(ROOT / ".github/workflows/tests.yml")["jobs"]
    matrix = jobs["package"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    promised = SpecifierSet(project["requires-python"])
    assert [p for p in map("3.{}".format, range(8, 20)) if promised.contains(p)] == matrix["python"]
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    rows = jobs["versions"]["strategy"]["matrix"]["include"]
    assert [row["versions"] for row in rows] == ["lowest", "colab", "newest"]
    for row in rows:
        for file in re.findall(r"requirements[\w-]*\.\w+", row["install"]):
            assert (ROOT / file).is_file()
    for job in (jobs["package"], jobs["versions"]):
        assert job["strategy"]["fail-fast"] == "false"
        assert any(
            "pytest" in step.get("run", "") or "test-package" in step.get("run", "")
            for step in job["steps"]
        )


def test_ci_runs_every_test_and_a_sample_of_mutants():
    script = (ROOT / ".ci" / "run").read_text("utf8")
    assert re.findall(r"(?m)^make ([a-z-]+)$", script) == ["test", "mutants-sample"]
    assert ".ci/run" in commands(ROOT / ".github/workflows/tests.yml")
    for needed in ("make", "nodejs", "python3-venv", "chromium"):
        assert needed in script


def test_publishing_waits_for_the_tests():
    jobs = load(ROOT / ".github/workflows/publish.yml")["jobs"]
    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert jobs["publish"]["needs"] == "tests"
    # main is tested by what publishes it: not a second time on its push
    assert "main" in load(ROOT / ".github/workflows/tests.yml")["on"]["push"]["branches-ignore"]


def test_colabs_versions_are_those_of_its_list():
    found = dict(line.split("==") for line in constraints())
    assert {"torch", "numpy", "scipy", "scikit-learn", "matplotlib", "ipywidgets"} <= found.keys()
    assert found["torch"] == "2.11.0" and not any("+" in version for version in found.values())


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


def test_the_book_for_reading_offline_is_published():
    """Made from the finished site, before the site goes up."""
    run = commands(ROOT / ".github/workflows/publish.yml")
    assert run.rindex("make book") < run.index("make offline") < run.index("git checkout -B")
    makefile = (ROOT / "Makefile").read_text("utf8")
    assert re.search(r"(?m)^offline: pdf zip .*\n\t.*tools/downloads\.py$", makefile)


def test_the_default_address_stands_in_the_config_alone():
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    names = ("*.md", "*.py", "*.yml", "*.toml", "Makefile")
    for folder in (".github", "book", "code", "tools", "web", "tests"):
        for pattern in names:
            for path in (ROOT / folder).rglob(pattern):
                assert url not in path.read_text("utf8"), path
