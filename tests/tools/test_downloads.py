"""The links to the PDF and the zip: on every page, right from any depth, with the size."""

import downloads
import offline
import pytest
from bs4 import BeautifulSoup

PAGE = (
    '<html lang="en" data-content_root="{top}"><head></head><body><footer>'
    '<div class="extra_footer">\nCode: MIT licence.\n</div></footer></body></html>'
)
PLACES = {
    "index.html": "./",
    "book/a.html": "../",
    "book/part/b.html": "../../",
    "404.html": "/course/",
}


@pytest.fixture
def site(tmp_path):
    for name, top in PLACES.items():
        (tmp_path / "html" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "html" / name).write_text(PAGE.format(top=top), "utf8")
    (tmp_path / "html" / "other.html").write_text("<p>No page of the book</p>", "utf8")
    (tmp_path / "book.pdf").write_bytes(b"p" * 9_400_000)
    (tmp_path / "book.zip").write_bytes(b"z" * 400)
    files = (("as a PDF", tmp_path / "book.pdf"), ("as a zip", tmp_path / "book.zip"))
    return tmp_path / "html", files


def test_every_page_links_to_both_with_their_sizes(site):
    folder, files = site
    assert downloads.publish(folder, files) == len(PLACES)
    for name, top in PLACES.items():
        foot = BeautifulSoup((folder / name).read_text("utf8"), "html.parser").select_one(
            ".extra_footer"
        )
        links = foot.select("a")
        assert [link.get_text() for link in links] == ["as a PDF (9 MB)", "as a zip (1 MB)"]
        assert links[0]["href"] == f"{top}downloads/book.pdf"
        if not top.startswith("/"):
            assert ((folder / name).parent / links[0]["href"]).resolve().is_file()
    assert "downloads" not in (folder / "other.html").read_text("utf8")


def test_doing_it_twice_changes_nothing(site):
    folder, files = site
    downloads.publish(folder, files)
    before = (folder / "index.html").read_text("utf8")
    assert downloads.publish(folder, files) == 0
    assert (folder / "index.html").read_text("utf8") == before


def test_a_file_that_is_not_made_is_named(site, tmp_path):
    with pytest.raises(SystemExit, match=r"none.pdf is missing. Make it first: make pdf zip"):
        downloads.publish(site[0], (("as a PDF", tmp_path / "none.pdf"),))


def test_the_zip_has_neither_the_files_nor_links_to_them(site, tmp_path):
    folder, files = site
    downloads.publish(folder, files)
    page = folder / "book" / "a.html"
    assert "pan-downloads" not in offline.prepared(page.read_text("utf8"), page, folder)
    offline.copy_site(folder, tmp_path / "copy")
    assert not (tmp_path / "copy" / downloads.FOLDER).exists()
