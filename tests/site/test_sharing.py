"""What a shared link shows and what search engines find: titles, addresses, cards, maps, 404."""

import functools
import http.server
import re
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit
from xml.etree import ElementTree

import address
import pytest
import sharing
from bs4 import BeautifulSoup
from cards import SIZE, write_card
from PIL import Image
from site_address import site_address
from site_tools import CONFIG, SITE, documents, follow, page_file, pages

ADDRESS = site_address(CONFIG["repository"]["url"])
CARD_BYTES = 60_000


@functools.cache
def head(page: str) -> BeautifulSoup:
    return BeautifulSoup(page_file(page).read_text(encoding="utf-8"), "html.parser").head


def said(page: str, key: str) -> list[str]:
    """What the page's meta tags say under a name or a property."""
    found = head(page).find_all("meta", attrs={"name": key})
    found += head(page).find_all("meta", attrs={"property": key})
    return [tag["content"] for tag in found]


def published(page: str) -> str:
    """The one address of a page; the landing page stands at the top."""
    return ADDRESS + ("" if page in ("index.html", f"{documents()[0]}.html") else page)


@pytest.mark.parametrize("page", [*pages(), "404.html"])
def test_page_has_one_viewport_and_a_title_that_says_nothing_twice(page):
    assert said(page, "viewport") == ["width=device-width, initial-scale=1.0"]
    titles = head(page).find_all("title")
    assert len(titles) == 1
    parts = re.split(r" [—-] ", titles[0].text.strip())
    assert len(parts) == len(set(parts)) == 2, titles[0].text


def test_titles_differ():
    titles = [head(f"{name}.html").title.text for name in documents()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("page", pages())
def test_page_has_one_address(page):
    canonical = head(page).find_all("link", rel="canonical")
    assert [link["href"] for link in canonical] == [published(page)]
    assert said(page, "og:url") == [published(page)]


@pytest.mark.parametrize("page", pages())
def test_page_has_a_card(page):
    for key in ("og:title", "og:description", "og:site_name", "og:type", "og:image:alt"):
        assert len(said(page, key)) == 1 and said(page, key)[0], key
    assert said(page, "og:description") == said(page, "description")
    assert said(page, "twitter:card") == ["summary_large_image"]
    (image,) = said(page, "og:image")
    path = SITE / image.removeprefix(ADDRESS)
    assert path.stat().st_size <= CARD_BYTES
    with Image.open(path) as card:
        assert (
            card.size
            == SIZE
            == tuple(map(int, said(page, "og:image:width") + said(page, "og:image:height")))
        )


def test_every_page_of_the_book_has_a_card_of_its_own():
    images = [said(f"{name}.html", "og:image")[0] for name in documents()]
    assert len({(SITE / one.removeprefix(ADDRESS)).read_bytes() for one in images}) == len(images)


def test_a_card_is_drawn_the_same_again(tmp_path):
    said_on_it = ("Attention", "Who asks whom, and for what?", "Part I · 1", "The book")
    for name in ("one.png", "two.png"):
        write_card(tmp_path / name, *said_on_it)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    write_card(tmp_path / "other.png", "Positions", *said_on_it[1:])
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()


def test_long_titles_and_questions_stay_on_the_card(tmp_path):
    write_card(tmp_path / "long.png", "A title of many words " * 3, "So much to ask? " * 12, "", "")
    with Image.open(tmp_path / "long.png") as card:
        edge = card.convert("RGB").crop((SIZE[0] - 40, 130, SIZE[0], 470))
        assert edge.getcolors() == [(edge.width * edge.height, (255, 255, 255))]


def test_map_lists_every_page_of_the_book():
    tree = ElementTree.parse(SITE / "sitemap.xml")
    found = [element.text for element in tree.iter() if element.tag.endswith("}loc")]
    assert sorted(found) == sorted(published(f"{name}.html") for name in documents())
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (SITE / "robots.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("repository", "site"),
    [
        ("https://github.com/Somebody/course", "https://somebody.github.io/course/"),
        ("https://github.com/somebody/Course-2/", "https://somebody.github.io/Course-2/"),
        ("https://github.com/somebody/somebody.github.io", "https://somebody.github.io/"),
        ("https://git.example.org/somebody/course", ""),
    ],
)
def test_address_of_a_repository(repository, site):
    assert site_address(repository) == site


def test_a_forks_stamp_changes_every_address(tmp_path):
    config = tmp_path / "_config.yml"
    config.write_bytes((address.ROOT / "_config.yml").read_bytes())
    address.stamp_config(config, "https://github.com/fork/of-it")
    options = {"repository_url": address.address(config)}
    settings = SimpleNamespace(html_baseurl="", html_theme_options=options, root_doc="book/index")
    app = SimpleNamespace(config=settings)
    assert sharing.address_of(app, "book/setup") == "https://fork.github.io/of-it/book/setup.html"
    assert sharing.address_of(app, "book/index") == "https://fork.github.io/of-it/"
    settings.html_baseurl = "https://course.example.org"
    assert sharing.address_of(app, "book/setup") == "https://course.example.org/book/setup.html"


class LikePages(http.server.SimpleHTTPRequestHandler):
    """Answers as GitHub Pages does: below the site's folder, and with 404.html for what is missing."""

    folder = urlsplit(ADDRESS).path

    def log_message(self, *args) -> None:
        """Say nothing."""

    def translate_path(self, path: str) -> str:
        """Map the site's folder to the site; everything outside it to nothing."""
        inside = path.startswith(self.folder)
        return super().translate_path(path.removeprefix(self.folder[:-1]) if inside else "/none")

    def send_error(self, code, message=None, explain=None) -> None:
        """Show the site's own page."""
        body = (SITE / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def like_pages():
    handler = functools.partial(LikePages, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{LikePages.folder}"
    server.shutdown()
    server.server_close()


@pytest.mark.in_browser
@pytest.mark.parametrize("lost", ["nothing", "book/no/such/chapter.html", "book/no/"])
def test_a_lost_reader_finds_the_book_again_at_any_depth(open_page, lost):
    with like_pages() as top:
        page = open_page(lost, top=top)
        own = [fault for fault in page.faults if lost not in fault and "404 (" not in fault]
        assert (
            own == [] and len(page.faults) == 2
        )  # the address itself, and the console's word on it
        assert page.locator("article h1").inner_text() == "This page is not here"
        dots = "getComputedStyle(document.querySelector('article h1'), '::after').height"
        assert page.evaluate(dots) == "9px", "the page has lost its look"
        follow(page, page.locator("article a", has_text="The first page"))
        assert page.url == top
        assert page.locator("nav.bd-links a").count() > 20


def test_search_engines_leave_the_404_page_out():
    assert said("404.html", "robots") == ["noindex"]
    assert head("404.html").find("link", rel="canonical") is None
