"""The site's files: descriptions, alt text, buttons, sizes, and links that lead somewhere."""

import gzip
import re
from urllib.parse import unquote, urlsplit

import pytest
import safetensors.torch
import torch
from site_tools import CONFIG, ROOT, SITE, chapters, documents, pages, parsed

from attnoise.training.checkpoints import load_checkpoint

FIGURE_BYTES = 300_000
NAME_OF_A_FILE = re.compile(r"(^|/)_images/|\.(png|svg|webp|jpe?g|gif)$|^[0-9a-f]{16,}")


@pytest.mark.parametrize("page", pages())
def test_page_has_a_description(page):
    found = parsed(page).find_all("meta", attrs={"name": "description"})
    assert len(found) == 1, f"{page}: expected one meta description, found {len(found)}"
    text = found[0]["content"]
    assert 20 <= len(text) <= 200, f"{page}: a description of {len(text)} characters"
    assert not re.search(r"[\\$]|\{", text), f"{page}: raw TeX or markup in {text!r}"


def test_descriptions_differ():
    texts = [
        parsed(f"{name}.html").find("meta", attrs={"name": "description"})["content"]
        for name in documents()
    ]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("page", pages())
def test_page_says_its_language_and_has_one_title(page):
    assert parsed(page).html["lang"] == "en"
    assert len(parsed(page).find_all("h1", string=None)) >= 1 or page == "genindex.html"
    assert parsed(page).title.text.strip()


@pytest.mark.parametrize("page", pages())
def test_pictures_say_what_they_show_and_keep_their_room(page):
    for picture in parsed(page).select("article img:not(.pan-card img)"):  # a card says it in words
        alt = picture.get("alt", "").strip()
        where = f"{page}: {picture.get('src', '')[:80]}"
        assert len(alt) >= 10, f"{where}: alt text is {alt!r}; say what the figure shows"
        assert not NAME_OF_A_FILE.search(alt), f"{where}: alt text is a file's name, {alt!r}"
        if not picture["src"].startswith("data:"):
            assert picture.get("loading") == "lazy", f"{where}: loads before it is seen"
            assert picture.get("width") and picture.get("height"), f"{where}: no size"


def test_pictures_are_stored_small():
    """As WebP of the same pixels; the notebooks keep their PNG."""
    kinds = {path.suffix for path in (SITE / "_images").iterdir()}
    assert kinds <= {".webp", ".svg"}, "web/sphinx_site/light_pictures.py makes them"


@pytest.mark.parametrize("name", chapters())
def test_chapter_opens_in_colab_and_downloads(name):
    repository = CONFIG["repository"]["url"].removeprefix("https://github.com/").rstrip("/")
    branch = CONFIG["repository"]["branch"]
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}/{name}.ipynb"
    page = parsed(f"{name}.html")
    shown = page.select_one(".pan-run a.pan-run-colab")
    assert shown is not None, f"{name}: no Colab link below the title"
    assert shown["href"] == colab
    in_bar = [link["href"] for link in page.select(".article-header-buttons a[href*=colab]")]
    assert in_bar == [colab], "the button in the bar leads elsewhere"
    download = page.select_one(".pan-run a.pan-run-download")
    target = (SITE / f"{name}.html").parent / download["href"]
    assert target.resolve() == SITE / "_sources" / f"{name}.ipynb"
    assert target.is_file()


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    here, broken = (SITE / page).parent, []
    for tag in parsed(page).find_all(href=True) + parsed(page).find_all(src=True):
        parts = urlsplit(tag.get("href") or tag.get("src"))
        if parts.scheme or parts.netloc:
            continue
        target = (here / unquote(parts.path)).resolve() if parts.path else SITE / page
        if not target.is_file():
            broken.append(str(parts.geturl()))
        elif parts.fragment and target.suffix == ".html" and SITE in target.parents:
            other = parsed(str(target.relative_to(SITE)))
            if other.find(id=unquote(parts.fragment)) is None:
                broken.append(f"{parts.geturl()}: no such place on that page")
    assert broken == []


@pytest.mark.parametrize("name", chapters())
def test_figures_are_small(name):
    for figure in parsed(f"{name}.html").select("figure.pan-fig"):
        script = figure.find_next_sibling("script")
        size = len(str(figure)) + len(str(script or ""))
        assert size <= FIGURE_BYTES, f"{name}: a figure of {size} bytes"


def test_what_figures_load_is_packed_and_is_what_is_shipped():
    static = SITE / "_static"
    sources = {f"models/{path.name}": path for path in (ROOT / "web" / "models").glob("*.onnx")}
    sources |= {
        f"vendor/ort/{p.name}": p for p in (ROOT / "web" / "vendor" / "dist").glob("*.wasm")
    }
    assert len(sources) >= 3
    for name, source in sources.items():
        assert gzip.decompress((static / f"{name}.gz").read_bytes()) == source.read_bytes(), name
        assert not (static / name).exists(), "twice on the site"
    weights = gzip.decompress((static / "models" / "shakespeare.safetensors.gz").read_bytes())
    found, (model, _) = safetensors.torch.load(weights), load_checkpoint("shakespeare")
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name != "head.weight"}
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name].float(), tensor) for name, tensor in wanted.items())
    module = ROOT / "code" / "attnoise" / "figures" / "js" / "captions.js"
    assert (static / "js" / "captions.js").read_bytes() == module.read_bytes()


def test_landing_page_stands_at_the_top_and_is_no_redirect():
    top = parsed("index.html")
    assert top.find("meta", attrs={"http-equiv": "refresh"}) is None
    assert top.h1.get_text() == parsed("book/index.html").h1.get_text()


@pytest.mark.parametrize("page", pages())
def test_no_service_is_named_in_scripts(page):
    for script in parsed(page).find_all("script"):
        text = str(script.get("src", "")) + str(script.string or "")
        assert "unpkg.com" not in text and "cdn." not in text and "cdnjs" not in text
