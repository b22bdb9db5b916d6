"""Pack the built site into a zip that works from disk: _build/offline/paying-attention-to-noise.zip

  python tools/offline.py [--site _build/html]

From disk a browser refuses fetch() and modules. So what the pages would fetch goes into scripts of
its own, loaded when it is asked for; web/offline/disk.js hands it out, and imports modules from
memory. Served by a server, the same files work as well.
"""

import argparse
import base64
import json
import posixpath
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
TITLE = "paying-attention-to-noise"
DISK = "_static/disk"
SEARCH = "_static/search/"
NOT_NEEDED = (  # by anyone but search engines and servers
    "sitemap.xml",
    "robots.txt",
    "404.html",
    "objects.inv",
    ".*",
    "*.map",
    "_static/cards/*",
    "downloads/*",
    "*webpack-macros.html",
)
LINKS_TO_SELF = re.compile(r'\s*<p class="pan-downloads">.*?</p>', re.S)  # by tools/downloads.py
FETCHED = ("_static/models/*", "_static/vendor/ort/*", f"{SEARCH}*")
CLASSIC = re.compile(r"\bimport\(")
MODULE = re.compile(r'^\s*(import\s*[\w{*"]|export\s+[\w{*])|[;}]\s*export\s*\{', re.M)
SPECIFIER = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])(\.{1,2}/[^"']+)\2""")
TO_OTHER_PAGES = "a.pan-term, a.reference.internal[href*='#equation-']"  # js/popover.js shows these
README = """\
Paying Attention to Noise, to be read without a network.

Open index.html in a browser. Pages, figures, the playground, the studio and the search work from
disk. Links to Colab and to papers need a network.
"""


def make(site: Path, target: Path) -> Path:
    """Pack a copy of the site; returns the zip."""
    if not (site / "index.html").is_file():
        raise SystemExit(f"{site} holds no site. Build it first: make book")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / TITLE
        copy_site(site, copy)
        twins = write_twins(copy)
        for page in sorted(copy.rglob("*.html")):
            page.write_text(prepared(page.read_text("utf8"), page, copy), "utf8")
        shim = (ROOT / "web" / "offline" / "disk.js").read_text("utf8")
        listing = json.dumps(twins, sort_keys=True, separators=(",", ":"))
        (copy / DISK / "disk.js").write_text(f"window.panDiskTwins = {listing};\n{shim}", "utf8")
        (copy / "README.txt").write_text(README, "utf8")
        pack(copy, target)
    return target


def copy_site(site: Path, copy: Path) -> None:
    """Copy what a reader needs."""
    for path in sorted(site.rglob("*")):
        inside = path.relative_to(site)
        if path.is_file() and not any(inside.match(pattern) for pattern in NOT_NEEDED):
            (copy / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / inside)


def write_twins(copy: Path) -> dict[str, str]:
    """Move what pages fetch or import into scripts; returns the script's path by the file's.

    The search's many small files share one script, and pages that a hint quotes from give their
    article alone.
    """
    twins: dict[str, str] = {}
    scripts: dict[str, list[str]] = {}

    def keep(path: str, content: bytes) -> None:
        name = "search" if path.startswith(SEARCH) else re.sub(r"[^\w.-]", "-", path)
        twins[path] = f"{DISK}/{name}.js"
        line = f'panDisk.keep("{path}", "{base64.b64encode(content).decode()}");\n'
        scripts.setdefault(twins[path], []).append(line)

    for path in quoted_pages(copy):
        page = BeautifulSoup((copy / path).read_text("utf8"), "html.parser")
        keep(path, str(page.find("article")).encode())
    for file in sorted((copy / "_static").rglob("*")):
        path = file.relative_to(copy).as_posix()
        text = file.read_text("utf8") if file.suffix in {".js", ".mjs"} else ""
        if MODULE.search(text):
            keep(path, from_memory(text, path).encode())
            file.unlink()
        elif file.is_file() and is_fetched(path):
            keep(path, file.read_bytes())
            file.unlink()
        elif CLASSIC.search(text):
            file.write_text(CLASSIC.sub("panDisk.load(", text), "utf8")
    (copy / DISK).mkdir(parents=True, exist_ok=True)
    for name, lines in scripts.items():
        (copy / name).write_text("".join(lines), "utf8")
    return twins


def is_fetched(path: str) -> bool:
    """Whether pages fetch a file."""
    folders = tuple(pattern.rstrip("*") for pattern in FETCHED)
    return path.startswith(folders)


def from_memory(text: str, path: str) -> str:
    """Rewrite a module so that it runs wherever it was loaded from."""

    def lead(match: re.Match) -> str:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[3]))
        return f'{match[1]}"pan-disk:{other}"'

    text = SPECIFIER.sub(lead, text)
    text = text.replace("import.meta.url", f'panDisk.urlOf("{path}")')
    text = CLASSIC.sub("panDisk.load(", text)
    return "const Worker = undefined;\n" + text if path.startswith(SEARCH) else text


def quoted_pages(copy: Path) -> list[str]:
    """Pages from which other pages show a term's meaning or an equation."""
    found = set()
    for page in sorted((copy / "book").rglob("*.html")):
        folder = page.parent.relative_to(copy).as_posix()
        for link in BeautifulSoup(page.read_text("utf8"), "html.parser").select(TO_OTHER_PAGES):
            target = urlsplit(link["href"]).path
            if target and not urlsplit(link["href"]).netloc:
                found.add(posixpath.normpath(posixpath.join(folder, target)))
    return sorted(found)


def prepared(text: str, page: Path, copy: Path) -> str:
    """A page that loads disk.js first, and its modules through it."""
    top = "../" * (len(page.relative_to(copy).parts) - 1)
    page_scripts = re.compile(r"(<script\b[^>]*>)(.*?)(</script>)", re.S)

    def script(match: re.Match) -> str:
        opening, body, closing = match.groups()
        source = re.search(r'\bsrc="([^"]+)"', opening)
        if 'type="module"' in opening and source:
            address = json.dumps(source[1])
            return f"<script>panDisk.load(new URL({address}, location.href));</script>"
        if 'type="application/json"' in opening:
            return match[0]
        return opening + CLASSIC.sub("panDisk.load(", body) + closing

    text = page_scripts.sub(script, LINKS_TO_SELF.sub("", text))
    first = f'<script src="{top}{DISK}/disk.js"></script>'
    return re.sub(r"(<head\b[^>]*>)", lambda head: f"{head[0]}\n{first}", text, count=1)


def pack(folder: Path, target: Path) -> None:
    """Zip a folder; the same files always give the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder.parent).as_posix())
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(entry, file.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "offline" / f"{TITLE}.zip")
    options = parser.parse_args()
    target = make(options.site, options.out)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB. Unpack it, and open index.html.")


if __name__ == "__main__":
    main()
