"""What the site's tests share: the pages that must exist, a server, and how to wait for a page.

A busy machine makes a page slow, not wrong. So no test sleeps, none sets a time limit of its own,
and none reads the state that it waits to leave after the action that leaves it: `changed_by` reads
it first. A test of these sources says so (test_waiting.py).
"""

import functools
import http.server
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("ATTNOISE_SITE", ROOT / "_build" / "html")).resolve()
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SUB_PATH = "/some/fork/"
PATIENCE = 120_000  # milliseconds: only a page that hangs is given up
READY = """() => [...document.querySelectorAll("figure.pan-fig")]
    .every((figure) => figure.dataset.numbers !== undefined)"""
# The marks of boxes that scroll sideways are set a moment after the page is laid out.
MARKED = """() => [...document.querySelectorAll(".katex-display, pre")]
    .every((box) => box.scrollWidth <= box.clientWidth + 1 || box.dataset.panScroll
        || getComputedStyle(box).overflowX === "visible")"""

# As in a browser that lets pages keep nothing.
BLOCKED = """() => Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("blocked", "SecurityError"); },
})"""


def documents() -> list[str]:
    """Read the documents of _toc.yml, the root first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *listed]


def chapters() -> list[str]:
    """The documents whose source is a notebook, or is not there yet below a part's folder."""
    return [name for name in documents() if not (ROOT / f"{name}.md").is_file()]


def pages() -> list[str]:
    """Every page that a reader can reach, the landing page at the top included."""
    return ["index.html", *(f"{name}.html" for name in documents()), "search.html", "genindex.html"]


def page_file(page: str) -> Path:
    """The page's file, or a failure that says what to do."""
    path = SITE / page
    if not path.is_file():
        raise AssertionError(f"The site has no {page}. Build it first: make book")
    return path


@functools.cache
def parsed(page: str) -> BeautifulSoup:
    """The html of a built page; the same object for every test: to be read, not changed."""
    return BeautifulSoup(page_file(page).read_text(encoding="utf-8"), "html.parser")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the site below one path only, so that an address without it is a 404."""

    def log_message(self, *args) -> None:
        """Say nothing."""

    def translate_path(self, path: str) -> str:
        """Map the sub-path to the site; everything outside it to nothing."""
        prefix = self.server.prefix
        if not path.startswith(prefix):
            return str(SITE / "outside" / "the" / "sub-path")
        return super().translate_path("/" + path[len(prefix) :])


@contextmanager
def served(prefix: str) -> Iterator[str]:
    """Serve the site on 127.0.0.1 below `prefix`; yields the address of its top."""
    handler = functools.partial(QuietHandler, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.prefix = prefix
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{prefix}"
    server.shutdown()
    server.server_close()


def be_patient(context):
    """Let everything in a browser's context wait as long as a busy machine needs."""
    context.set_default_timeout(PATIENCE)
    context.set_default_navigation_timeout(PATIENCE)
    return context


def figures_ready(page) -> None:
    """Wait until every figure on the page has computed its first picture."""
    page.wait_for_function(READY)


def eventually(page, holds: Callable[[], bool], what: str) -> None:
    """Wait until `holds()` is true, looking again and again; fails with `what` when it never is."""
    end = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < end, f"never came true: {what}"
        page.wait_for_timeout(50)


def changed_by(page, action: Callable[[], None], read: str):
    """Read the page's state (a JavaScript function), act, wait until it differs, return the new."""
    before = page.evaluate(read)
    action()
    page.wait_for_function(f"before => ({read})() !== before", arg=before)
    return page.evaluate(read)


def present(page, read: str):
    """Wait until a JavaScript function returns something true, and return it."""
    return page.wait_for_function(read).json_value()


def follow(page, link) -> None:
    """Click a link and wait until the page that it leads to is loaded."""
    with page.expect_navigation(wait_until="load"):
        link.click()
