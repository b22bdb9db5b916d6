"""Measure the built site with Lighthouse as a phone sees it: `make lighthouse`.

  python tools/lighthouse.py                 the five pages, five runs each, and the medians
  python tools/lighthouse.py --runs 1 PAGE   one run of one page

The site is served compressed, as GitHub Pages serves it. The performance of a page depends on the
machine and on what else it does; so this is no test. The versions are pinned in web/lighthouse.
"""

import argparse
import functools
import gzip
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vendor import find

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
PINNED = ROOT / "web" / "lighthouse"
INSTALLED = ROOT / "_build" / "lighthouse"
PAGES = (
    "index.html",
    "book/attention/attention.html",
    "book/diffusion/forward-process.html",
    "book/transformers/gpt.html",
    "book/together/text-to-image.html",
)
KINDS = ("performance", "accessibility", "best-practices", "seo")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"
PACKED = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".xml": "application/xml",
}


class Compressed(http.server.SimpleHTTPRequestHandler):
    """Serves texts packed by gzip, as a server on the web does."""

    def log_message(self, *args) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer with a packed text; everything else as it is."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in PACKED or not path.is_file():
            return super().do_GET()
        content = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", PACKED[path.suffix])
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a site on 127.0.0.1; yields its address."""
    handler = functools.partial(Compressed, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def install() -> Path:
    """Install the pinned Lighthouse once, and return its command."""
    command = INSTALLED / "node_modules" / ".bin" / "lighthouse"
    lock = (PINNED / "package-lock.json").read_bytes()
    copy = INSTALLED / "package-lock.json"
    if not (command.exists() and copy.exists() and copy.read_bytes() == lock):
        INSTALLED.mkdir(parents=True, exist_ok=True)
        shutil.copy(PINNED / "package.json", INSTALLED)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        copy.write_bytes(lock)
        subprocess.run([find("npm"), "ci", *options], cwd=INSTALLED, check=True)
    return command


def measure(command: Path, address: str, browser: str) -> dict:
    """Run Lighthouse once on a page and return its report."""
    done = subprocess.run(
        [find("node"), command.resolve(), address, "--quiet", "--output=json",
         f"--only-categories={','.join(KINDS)}", f"--chrome-flags={FLAGS}"],
        env={**os.environ, "CHROME_PATH": browser}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"Lighthouse could not measure {address}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def scores(report: dict) -> dict[str, int]:
    """Return a report's four scores, from 0 to 100."""
    return {kind: round(100 * report["categories"][kind]["score"]) for kind in KINDS}


def named(report: dict) -> list[str]:
    """Say what the report finds wrong in any kind but performance, and what it would mend there."""
    lines = []
    for kind in KINDS:
        for reference in report["categories"][kind]["auditRefs"]:
            audit = report["audits"][reference["id"]]
            failed = audit["score"] is not None and audit["score"] < 0.9
            if failed and reference["weight"]:
                lines.append(f"{kind}: {audit['title']} {audit.get('displayValue', '')}".rstrip())
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", default=PAGES)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--site", type=Path, default=SITE)
    options = parser.parse_args()
    browser = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("No browser was found. Install Chromium, or name one: CHROME=/path/to/browser")
    command = install()
    with served(options.site) as top:
        for page in options.pages:
            reports = [measure(command, top + page, browser) for _ in range(options.runs)]
            by_kind = {kind: [scores(one)[kind] for one in reports] for kind in KINDS}
            medians = [f"{kind} {statistics.median(found):g}" for kind, found in by_kind.items()]
            print(f"{page}: {', '.join(medians)}; performance {by_kind['performance']}", flush=True)
            for line in dict.fromkeys(line for one in reports for line in named(one)):
                print(f"  {line}")


if __name__ == "__main__":
    main()
