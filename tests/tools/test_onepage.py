"""The joined page: what only works on a screen is gone, and every link leads somewhere."""

import onepage
import pytest
from bs4 import BeautifulSoup
from tests.tools.two_pages import BOOK, TOP, write_site


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    site = write_site(tmp_path_factory.mktemp("book"))
    return BeautifulSoup(onepage.join(site, BOOK), "html.parser")


def test_both_articles_stand_there_in_order_and_nothing_else_of_the_pages(page):
    assert [article["id"] for article in page.find_all("article")] == ["first", "second"]
    assert "Furniture" not in page.get_text()
    assert page.select_one('link[href="../html/_static/site.css"]')


def test_what_only_works_on_a_screen_is_gone(page):
    text = page.get_text()
    for words in (
        "Colab",
        "import setup",
        "plot()",
        "Show the code",
        "strip",
        "is done",
        "run()",
        "Your",
    ):
        assert words not in text, words
    assert not page.select("button, input, details, script, .headerlink, .image-reference")
    assert page.find("img", alt="A curve that falls.")["src"] == "../html/_images/a.png"
    assert page.find("img", alt="Two arrows.")["src"] == "data:,"
    assert not page.select("img[loading]"), "a printed page waits for all pictures"
    assert "At 50 degrees." in text


def test_hints_are_left_out_and_predictions_open(page):
    assert "Hint 1" not in page.get_text() and "one and one" not in page.get_text()
    unfolded = page.select_one("#first .unfolded")
    assert unfolded.select_one(".unfolded-title").get_text() == "Check your prediction"
    assert "It is two." in unfolded.get_text()
    assert "You predicted" not in page.get_text() and "its check" not in page.get_text()


def test_a_solution_stands_in_the_appendix_with_links_both_ways(page):
    chapter, appendix = page.select_one("#first"), page.select_one("#solutions")
    assert "return" not in chapter.get_text() and "✓" not in chapter.get_text()
    assert "check.twice(f)" in chapter.get_text()
    there = chapter.select_one(".to-solution a")["href"]
    solution = appendix.select_one(there).find_parent(class_="solution")
    assert appendix.select_one(there).get_text() == "Exercise 1 · Twice"
    assert (
        page.select_one(solution.select_one(".back a")["href"]).h4.get_text()
        == "Exercise 1 · Twice"
    )
    assert solution.pre.get_text() == "def f():\n    return 2\n"
    assert "✓ Two it is." in solution.get_text()


def test_a_formula_is_one_picture_with_words(page):
    formula = page.select_one(".katex")
    assert formula["role"] == "img" and formula["aria-label"] == "x equals 2"
    assert formula.find("math") is None
    assert "aria-hidden" not in formula.select_one(".katex-html").attrs, "it would not be tagged"


def test_drawings_are_named(page):
    assert page.svg["role"] == "img" and page.svg["aria-label"] == "Three boxes"
    assert page.svg.mask["id"] == "m", "what is drawn behind it calls it so"
    assert {figure["role"] for figure in page.find_all("figure")} == {"group"}


def test_headings_go_one_level_down_and_keep_their_numbers(page):
    assert page.select_one("#second h2.level-1").get_text() == "Second"
    assert page.select_one("#second--proof h3.level-2").get_text() == "Proof"
    assert page.select_one("#part-1 h1").get_text() == "Part I · One"


def test_links_lead_into_the_page_to_the_site_or_nowhere(page):
    places = [tag["id"] for tag in page.find_all(id=True)]
    assert len(places) == len(set(places))
    links = {link.get_text(): link["href"] for link in page.select("#first a, #second a")}
    assert links["the proof"] == "#second--proof"
    assert links["the first"] == "#first"
    assert links["progress"] == f"{TOP}book/progress.html"
    assert "a hint" not in links and "a hint" in page.select_one("#first").get_text()
    for link in page.select('a[href^="#"]'):
        assert link["href"][1:] in places


def test_a_site_without_an_address_leaves_words(tmp_path):
    site = write_site(tmp_path)
    first = site / "book" / "first.html"
    first.write_text(first.read_text("utf8").replace('rel="canonical"', 'rel="other"'), "utf8")
    page = BeautifulSoup(onepage.join(site, [("", ["book/first"])]), "html.parser")
    assert "progress" not in [link.get_text() for link in page.find_all("a")]
    assert "progress" in page.get_text()


def test_a_page_that_is_not_built_is_named(tmp_path):
    with pytest.raises(SystemExit, match="third.html is missing. Build the site first: make book"):
        onepage.join(write_site(tmp_path), [("", ["book/third"])])


def test_the_book_is_read_from_the_table_of_contents():
    listed = onepage.parts(onepage.Path(__file__).parents[2] / "_toc.yml")
    names = [name for _, part in listed for name in part]
    assert listed[0] == ("", ["book/index"])
    assert "book/attention/attention" in names and "book/progress" not in names
