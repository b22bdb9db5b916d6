"""The frame around the chapters: title page, contents, parts, running heads."""

import book_frame
import onepage
import pytest
from bs4 import BeautifulSoup
from tests.tools.two_pages import BOOK, TOP, write_site


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    site = write_site(tmp_path_factory.mktemp("book"))
    return BeautifulSoup(onepage.join(site, BOOK), "html.parser")


def test_the_title_page_says_what_whose_and_where_from(page):
    text = page.select_one(".title-page").get_text()
    for words in (book_frame.TITLE, "Version 0.", "CC BY 4.0", TOP, "solutions are at the end"):
        assert words in text, words
    assert page.title.get_text() == book_frame.TITLE and page.html["lang"] == "en"


def test_the_contents_lead_to_every_part_and_chapter_and_await_their_pages(page):
    lines = page.select(".contents a")
    assert [line.get_text() for line in lines] == [
        "Preface",
        "Part I · One",
        "Second",
        "Appendix · Solutions",
    ]
    for line in lines:
        place = line["href"][1:]
        assert page.find(id=place) is not None
        assert line.find_next_sibling(class_="page-of")["data-of"] == place


def test_each_chapter_has_its_title_at_the_head_of_its_pages():
    class Chapter:
        place, title = "part-second", '2. "Second"'

    styles = book_frame.running_heads([("part-1", "Part", [Chapter])])
    assert "#part-second { page: part-second; }" in styles
    assert "@page part-second { @top-right { content: \"2. 'Second'\"; } }" in styles


def test_a_part_asks_its_chapters_questions(tmp_path):
    site = write_site(tmp_path)
    page = BeautifulSoup(onepage.join(site, [("Part", ["book/first"])]), "html.parser")
    assert "What is it?" in page.select_one(".part-page").get_text()
