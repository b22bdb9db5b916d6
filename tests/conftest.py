"""While tests run, every shape and type in the models' signatures is checked at each call.

Tests of bad input carry the mark `bad_input`: for them the checks are off, so that they meet the
errors that a reader meets, who runs without them. In mutation tests they are off altogether
(tests/mutations/runner.py), and examples are drawn alike in every run.
"""

import os

import jaxtyping
import pytest
from hypothesis import settings

MUTANT = os.environ.get("ATTNOISE_MUTANT")
# The machines that run the tests are shared: a slow example is no failure.
settings.register_profile("shared machine", deadline=None, max_examples=25)
settings.register_profile(
    "mutants", deadline=None, max_examples=25, derandomize=True, database=None
)
settings.load_profile("mutants" if MUTANT else "shared machine")

# Before the first import of the package: the hook decorates functions as they are loaded.
CHECKED = ["attention", "transformers", "diffusion", "latent", "together", "data"]
if not MUTANT:
    jaxtyping.install_import_hook([f"attnoise.{room}" for room in CHECKED], "beartype.beartype")


@pytest.fixture(autouse=True)
def signature_checks(request):
    """Switch the checks off while a test of bad input runs."""
    off = request.node.get_closest_marker("bad_input") is not None
    jaxtyping.config.update("jaxtyping_disable", off)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
