"""Who has no bubblewrap skips what needs it, and says so; a test machine has it."""

from functools import cache

import pytest

from attnoise.grading.systems import missing_bubblewrap


@cache
def missing():
    return missing_bubblewrap()


def pytest_collection_modifyitems(items):
    for item in items:
        if "sandbox" in item.keywords and missing():
            item.add_marker(pytest.mark.skip(reason=missing()))
