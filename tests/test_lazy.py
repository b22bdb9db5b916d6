"""Names that are imported when they are first used: nothing before, the right thing then."""

import subprocess
import sys

import pytest

import attnoise.evaluation
import attnoise.training
from attnoise.lazy import import_name, names_of

PACKAGES = [attnoise.evaluation, attnoise.training]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_there_and_comes_from_its_module(package):
    assert package.__all__ == sorted(set(package.__all__))
    for module, names in package._HOMES.items():
        for name in names:
            assert getattr(package, name).__module__ == f"{package.__name__}.{module}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_modules_wait_for_their_names():
    script = (
        "import sys, attnoise.evaluation as e; a = 'sklearn' in sys.modules; "
        "e.DigitClassifier; print(a, 'sklearn' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_names_by_hand():
    homes = {"b": ("tree", "bird"), "a": ("cat",)}
    assert names_of(homes) == ["bird", "cat", "tree"]
    assert import_name("os", {"path": ("join",)}, "join").__name__ == "join"
