"""What the site's tests share: the pages that must exist, a server, and a browser if there is one."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("ATTNOISE_SITE", ROOT / "_build" / "html")).resolve()
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SUB_PATH = "/some/fork/"


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
