"""The zip: what pages fetch and import becomes scripts, and the rest is the site as it was."""

import base64
import re
import zipfile

import offline
import pytest
from tests.tools.two_pages import write_site

SEARCH = 'import * as engine from "../search/engine.js";\nexport const top = import.meta.url;\n'
FILES = {
    "index.html": '<html><head><title>x</title></head><body><script src="_static/js/open.js"></script></body></html>',
    "sitemap.xml": "<urlset/>",
    "_static/cards/first.png": "card",
    "_static/js/open.js": "const later = () => import(WHERE);\nconst names = { import: 1, export: 2 };\n",
    "_static/js/results.js": SEARCH,
    "_static/search/engine.js": 'const a=1;export{a};if(typeof Worker!=="undefined")import("./more.js");\n',
    "_static/search/words.txt": "noise\n",
    "_static/models/small.onnx.gz": "weights",
    "_static/site.css": "p { color: red }",
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    site = write_site(folder)
    second = site / "book" / "second.html"
    term = '<a class="pan-term" href="first.html#exercise-1">a term</a>'
    second.write_text(second.read_text("utf8").replace("By <a", f"{term} By <a"), "utf8")
    for name, text in FILES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, "utf8")
    with zipfile.ZipFile(offline.make(site, folder / "book.zip")) as file:
        return {
            name.removeprefix(f"{offline.TITLE}/"): file.read(name).decode()
            for name in file.namelist()
        }


def kept(packed: dict, path: str) -> str:
    """What the zip hands out for a path."""
    listing = packed["_static/disk/disk.js"]
    script = re.search(rf'"{re.escape(path)}":"([^"]+)"', listing)[1]
    return base64.b64decode(
        re.search(rf'keep\("{re.escape(path)}", "([^"]*)"', packed[script])[1]
    ).decode()


def test_what_is_fetched_is_handed_out_and_not_there_twice(packed):
    for path in ("_static/models/small.onnx.gz", "_static/search/words.txt"):
        assert kept(packed, path) == FILES[path]
        assert path not in packed
    assert packed["_static/site.css"] == FILES["_static/site.css"]


def test_modules_run_from_memory(packed):
    text = kept(packed, "_static/js/results.js")
    assert 'from "pan-disk:_static/search/engine.js"' in text
    assert 'panDisk.urlOf("_static/js/results.js")' in text and "import.meta" not in text
    engine = kept(packed, "_static/search/engine.js")
    assert engine.startswith("const Worker = undefined;"), "a worker cannot be started from disk"
    assert 'panDisk.load("./more.js")' in engine


def test_a_script_that_imports_later_stays_and_asks_for_it(packed):
    assert "panDisk.load(WHERE)" in packed["_static/js/open.js"]
    assert "import: 1" in packed["_static/js/open.js"]


def test_every_page_loads_the_shim_before_all_else(packed):
    assert packed["index.html"].startswith('<html><head>\n<script src="_static/disk/disk.js">')
    assert '<head>\n<script src="../_static/disk/disk.js">' in packed["book/first.html"]


def test_pages_that_are_quoted_are_handed_out(packed):
    assert kept(packed, "book/first.html").startswith('<article class="bd-article">')
    assert '"book/second.html":' not in packed["_static/disk/disk.js"]


def test_what_only_servers_need_is_left_out(packed):
    assert "sitemap.xml" not in packed and "_static/cards/first.png" not in packed
    assert "Open index.html" in packed["README.txt"]


def test_modules_on_a_page_are_loaded_from_memory(tmp_path):
    page = tmp_path / "page.html"
    text = '<head><script type="module" src="a.js"></script><script>import("b.js")</script></head>'
    made = offline.prepared(text, page, tmp_path)
    assert '<script>panDisk.load(new URL("a.js", location.href));</script>' in made
    assert 'panDisk.load("b.js")' in made


def test_the_same_site_gives_the_same_bytes(tmp_path):
    site = write_site(tmp_path)
    (site / "index.html").write_text("<html><head></head></html>", "utf8")
    first = offline.make(site, tmp_path / "first.zip").read_bytes()
    assert first == offline.make(site, tmp_path / "second.zip").read_bytes()


def test_without_a_site_it_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="holds no site. Build it first: make book"):
        offline.make(tmp_path, tmp_path / "book.zip")
