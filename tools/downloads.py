"""Put the PDF and the zip into the built site, and link them from the foot of every page.

  python tools/downloads.py        after tools/pdf.py and tools/offline.py; `make offline` does all

A plain build has no such links, so none of them can be dead.
"""

import argparse
import re
import shutil
from pathlib import Path

import offline
import pdf

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "downloads"
FILES = (  # how the foot names them, and where they are made
    ("as a PDF", ROOT / "_build" / "pdf" / pdf.NAME),
    ("as a zip that works from disk", ROOT / "_build" / "offline" / f"{offline.TITLE}.zip"),
)
FOOT = re.compile(r'(<div class="extra_footer">.*?)(</div>)', re.S)
LINKS = re.compile(r'\s*<p class="pan-downloads">.*?</p>', re.S)
ROOT_OF_PAGE = re.compile(r'<html[^>]* data-content_root="([^"]*)"')


def size(path: Path) -> str:
    """A file's size as a reader is told it, in whole megabytes."""
    return f"{max(1, round(path.stat().st_size / 1e6))} MB"


def linked(text: str, links: list[tuple[str, str]]) -> str:
    """A page with links at its foot, in the place of those that stood there.

    Args:
        text: The page's html.
        links: Words, and the address from the top of the site.
    """
    top = ROOT_OF_PAGE.search(text)
    if top is None:
        return text
    anchors = ", ".join(f'<a href="{top[1]}{address}">{words}</a>' for words, address in links)
    line = f'\n<p class="pan-downloads">The whole book: {anchors}.</p>\n'
    return FOOT.sub(rf"\g<1>{line}\g<2>", LINKS.sub("", text), count=1)


def publish(site: Path, files: tuple[tuple[str, Path], ...] = FILES) -> int:
    """Copy the files into the site and link them; returns the number of pages that do."""
    links = []
    for words, path in files:
        if not path.is_file():
            raise SystemExit(f"{path} is missing. Make it first: make pdf zip")
        (site / FOLDER).mkdir(exist_ok=True)
        shutil.copyfile(path, site / FOLDER / path.name)
        links.append((f"{words} ({size(path)})", f"{FOLDER}/{path.name}"))
    count = 0
    for page in sorted(site.rglob("*.html")):
        before = page.read_text("utf8")
        after = linked(before, links)
        if after != before:
            page.write_text(after, "utf8")
            count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    site = parser.parse_args().site
    print(f"{site}: {publish(site)} pages link to the PDF and the zip")


if __name__ == "__main__":
    main()
