"""One way to find and start a browser, for every test that needs one."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


def find_browser() -> str | None:
    """Return the browser to test with: $CHROME first, then the usual names and places."""
    named = os.environ.get("CHROME")
    if named:
        return named if Path(named).is_file() else None
    found = [shutil.which(name) for name in NAMES]
    found += [path for path in PLACES if Path(path).is_file()]
    return next((path for path in found if path), None)


def launch(playwright):
    """Start the browser that was found."""
    return playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
