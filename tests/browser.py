"""One way to find a browser, for every test that needs one."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Return the path of a Chromium, or None. The variable CHROME names one by hand."""
    named = os.environ.get("CHROME")
    if named:
        return named if Path(named).is_file() else None
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return found
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        bundled = playwright.chromium.executable_path
    return bundled if Path(bundled).is_file() else None


def launch(playwright):
    """Start the browser that was found."""
    return playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
