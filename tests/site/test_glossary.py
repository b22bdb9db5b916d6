"""The glossary, the links to it from each chapter's prose, and what is shown beside a link."""

import functools
import re

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.parsers.rst import Parser
from docutils.utils import new_document
from glossary import Entry, first_uses, forms
from site_tools import chapters, documents, eventually, parsed
from test_pages import violations

NO_PROSE = "h1, h2, h3, h4, pre, code, figcaption, caption, table, .math, summary, dt"
TERMS = (
    "attention, query, key, value, token, embedding, logit, softmax, guidance, CFG, latent, VAE, KL, "
    "FID, Fréchet distance, NFE, adaLN-Zero, patch, DDPM, DDIM, EMA, RoPE, U-Net, KV cache, ELBO"
)
OPEN = "() => document.querySelector('#pan-popover:popover-open')?.textContent ?? ''"


@functools.cache
def meanings() -> dict[str, tuple[list[str], BeautifulSoup]]:
    """For each entry's anchor its names and its meaning."""
    found, names, anchors = {}, [], []
    for part in parsed("book/glossary.html").select("dl.glossary > dt, dl.glossary > dd"):
        if part.name == "dt":
            part = BeautifulSoup(str(part), "html.parser").dt
            for sign in part.select(".headerlink"):
                sign.decompose()
            names, anchors = [*names, part.get_text().strip()], [*anchors, part["id"]]
        else:
            found[anchors[0]] = (names, part)
            names, anchors = [], []
    return found


def links(name: str) -> list:
    return parsed(f"{name}.html").select("article a.pan-term")


def test_glossary_has_sixty_terms_and_more():
    assert len(meanings()) >= 60
    names = {name for known, _ in meanings().values() for name in known}
    assert set(TERMS.split(", ")) <= names
    order = [known[0].casefold() for known, _ in meanings().values()]
    assert order == sorted(order), "the glossary is sorted by its entries' first names"


def test_a_meaning_is_short_and_leads_to_the_chapter_that_introduces_it():
    for names, meaning in meanings().values():
        link = meaning.find_all("a")[-1]
        text = " ".join(meaning.get_text().split()).removesuffix(link.get_text()).strip()
        assert 20 <= len(text) <= 330 and text.endswith("."), f"{names}: {text}"
        assert len(re.findall(r"\.(?= [A-Z])", text)) <= 2, f"{names}: {text}"
        page = link["href"].split("#")[0]
        assert f"book/{page.removesuffix('.html')}" in documents()
        there = parsed(f"book/{page}").article.get_text()
        used = [name for name in names if re.search(rf"(?i)\b{re.escape(name)}", there)]
        assert used, f"{page} does not speak of {names}"


@pytest.mark.parametrize("name", chapters())
def test_each_term_is_linked_once_per_chapter_and_in_prose_alone(name):
    found = links(name)
    assert len(found) >= 8
    targets = [link["href"] for link in found]
    assert len(targets) == len(set(targets)), "a term is linked twice"
    assert {target.split("#")[0] for target in targets} == {"../glossary.html"}
    assert {target.split("#")[1] for target in targets} <= set(meanings())
    assert parsed(f"{name}.html").select(f":is({NO_PROSE}) a.pan-term") == []
    for link in found:
        names = " ".join(meanings()[link["href"].split("#")[1]][0])
        assert link.get_text()[:2].lower() in names.lower(), f"{link.get_text()} leads to {names}"


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("book/attention/attention", "attention"),
        ("book/diffusion/guidance", "classifier-free-guidance"),
        ("book/transformers/gpt", "KV-cache"),
        ("book/latent/latent-space", "variational-autoencoder"),
    ],
)
def test_what_a_chapter_is_about_is_linked(name, term):
    assert f"../glossary.html#term-{term}" in {link["href"] for link in links(name)}


def page_of(source: str) -> nodes.document:
    """A small page, parsed as reStructuredText: what it is written in makes no difference."""
    page = new_document("page", get_default_settings(Parser))
    Parser().parse(source, page)
    return page


def used(source: str, *names: str, docname: str = "book/part/chapter") -> list[str]:
    """What is linked on a page for a glossary of single names."""
    found = first_uses(page_of(source), forms([Entry(name, (name,)) for name in names], docname))
    return [str(text)[start:end] for _, (text, start, end) in sorted(found.items())]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A token, and another token.", ["token"]),
        ("Tokens come first.", ["Tokens"]),
        ("Title of tokens\n===============\n\nA token.", ["token"]),
        ("Code ``token``, then *token*.", ["token"]),
        ("A `token <elsewhere.html>`_ led away.", []),
        ("Cross-token, tokenised, token-wise.", []),
        (".. figure:: x.png\n\n   A token in a caption.", []),
        (".. math:: token\n\n.. rubric:: Token", []),
    ],
)
def test_only_whole_words_of_prose_are_linked(source, expected):
    assert used(source, "token") == expected


def test_the_longer_name_wins_and_an_open_use_comes_before_one_in_a_closed_box():
    assert used("A causal mask.", "mask", "causal mask") == ["causal mask"]
    box = ".. raw:: html\n\n   <details>\n\nTokens in a box.\n\n.. raw:: html\n\n   </details>\n\n"
    assert used(box + "An open token.", "token") == ["token"]
    assert used(box, "token") == ["Tokens"]


def test_names_keep_their_case_and_words_with_two_senses_their_chapter():
    assert used("We kl and KL.", "KL") == ["KL"]
    assert used("Many policies, one query, queries.", "query") == ["query"]
    where = {"docname": "book/attention/attention"}
    assert used("The score.", "score", **where) == ["score"]
    assert used("The score.", "score", docname="book/together/text-to-image") == []
    assert used("By chance it fell at chance level.", "chance") == ["chance level"]


def term(page, name: str):
    return page.locator(f"article a.pan-term[href$='#term-{name}']")


def opened(page, text: str) -> None:
    eventually(page, lambda: text in page.evaluate(OPEN), f"a popover says {text!r}")


def closed(page) -> None:
    eventually(page, lambda: page.evaluate(OPEN) == "", "the popover is closed")


@pytest.mark.in_browser
def test_pointing_at_a_term_shows_its_meaning(open_page):
    page = open_page("book/attention/attention.html")
    link = term(page, "softmax")
    link.hover()
    opened(page, "positive numbers that sum to 1")
    page.locator("#pan-popover").hover()
    opened(page, "positive numbers that sum to 1")
    page.locator("article h1").hover()
    closed(page)
    assert page.faults == []


@pytest.mark.in_browser
@pytest.mark.parametrize("width", [1280, 360])
def test_the_keyboard_opens_it_and_escape_closes_it(open_page, width):
    page = open_page("book/attention/attention.html", width=width)
    link = term(page, "causal-mask")
    page.keyboard.press("Tab")  # the keyboard is in use
    link.focus()
    opened(page, "what came before")
    assert page.locator("#pan-popover").get_attribute("role") == "tooltip"
    eventually(
        page,
        lambda: link.get_attribute("aria-describedby") == "pan-popover",
        "the link is described",
    )
    box = page.locator("#pan-popover").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    place = link.bounding_box()
    assert box["y"] >= place["y"] + place["height"] or box["y"] + box["height"] <= place["y"]
    page.keyboard.press("Escape")
    closed(page)
    assert link.get_attribute("aria-describedby") is None
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    opened(page, "what came before")
    page.keyboard.press("Tab")
    eventually(
        page, lambda: "what came before" not in page.evaluate(OPEN), "it goes with the focus"
    )
    assert page.faults == []


@pytest.mark.in_browser
def test_axe_finds_nothing_wrong_while_it_is_open(open_page):
    page = open_page("book/attention/attention.html")
    page.keyboard.press("Tab")
    term(page, "causal-mask").focus()
    opened(page, "what came before")
    assert violations(page) == []


@pytest.mark.in_browser
def test_touch_opens_nothing_and_follows_the_link(open_page):
    page = open_page("book/attention/attention.html", width=360, has_touch=True, is_mobile=True)
    page.evaluate(
        """() => {
            window.opened = 0;
            document.addEventListener("toggle", () => { window.opened += 1; }, true);
            const link = document.querySelector("a.pan-term");
            link.addEventListener("click", (event) => event.preventDefault());
            link.addEventListener("click", () => { window.tapped = true; });
        }"""
    )
    page.locator("article a.pan-term").first.tap()
    eventually(page, lambda: page.evaluate("window.tapped === true"), "the tap arrives")
    assert page.evaluate("window.opened") == 0
    assert page.evaluate(OPEN) == ""


@pytest.mark.in_browser
def test_sources_and_equations_are_shown_too(open_page):
    page = open_page("book/attention/attention.html")
    page.locator(".bibtex-citation a").first.hover()
    opened(page, "Attention is all you need")
    page.locator("article h1").hover()
    closed(page)
    page.locator("article a.reference[href='#equation-eq-attention']").first.hover()
    opened(page, "softmax")
    assert page.locator("#pan-popover [id]").count() == 0, "an id stands on the page twice"
    assert page.faults == []


@pytest.mark.in_browser
def test_a_glossary_that_cannot_be_fetched_leaves_a_plain_link(open_page):
    page = open_page("book/attention/attention.html")
    page.route("**/glossary.html", lambda route: route.fulfill(status=500, body="no"))
    with page.expect_response("**/glossary.html"):
        term(page, "softmax").hover()
    assert page.evaluate(OPEN) == ""
    assert not [fault for fault in page.faults if fault.startswith("script error")]
