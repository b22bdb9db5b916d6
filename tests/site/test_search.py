"""The search in a real browser: what it finds, how it is reached, and what it loads and when."""

import pytest
from bs4 import BeautifulSoup
from site_tools import SITE, changed_by, chapters, eventually, follow, page_file, present
from test_pages import violations

pytestmark = pytest.mark.in_browser

ATTENTION = "book/attention/attention"
POSITIONS = "book/attention/positions"
BLOCK = "book/transformers/block"
GPT = "book/transformers/gpt"
FORWARD = "book/diffusion/forward-process"
REVERSE = "book/diffusion/reverse-process"
GUIDANCE = "book/diffusion/guidance"
AUTOENCODERS = "book/latent/autoencoders"
LATENT_DIFFUSION = "book/latent/latent-diffusion"


def number(name: str) -> int:
    """A chapter's number in the book."""
    return chapters().index(name) + 1


# What a reader types, the page that answers, the place at which it must stand or before it, and a
# section that must be listed under it.
QUERIES = [
    ("noise", FORWARD, 3, None),
    ("attention", ATTENTION, 1, None),
    ("transformer", BLOCK, 3, None),
    ("CFG", GUIDANCE, 1, None),
    ("RoPE", POSITIONS, 1, "Third cure: rotate queries and keys"),
    ("positional encoding", POSITIONS, 1, None),
    ("LDM", LATENT_DIFFUSION, 1, None),
    ("DDPM", REVERSE, 1, None),
    ("KV cache", GPT, 1, "The cache"),
    ("ELBO", AUTOENCODERS, 1, "A bound that can be checked"),
    ("induction head", GPT, 1, "Which head does what"),
    ("classifier-free guidance", GUIDANCE, 1, "Guidance, derived"),
    (f"chapter {number(FORWARD)}", FORWARD, 1, None),
    ("guidence", GUIDANCE, 1, "Guidance, derived"),
    ("clasifier free guidence", GUIDANCE, 1, None),
    ("atention", ATTENTION, 1, None),
    ("difusion", LATENT_DIFFUSION, 3, None),
]
FOUND = """() => [...document.querySelectorAll(".pan-search-results > li")].map((item) => ({
    address: item.querySelector(".pan-search-page").href,
    title: item.querySelector(".pan-search-page").lastChild.textContent.trim(),
    chapter: item.querySelector(".pan-search-chapter")?.textContent ?? "",
    excerpt: item.querySelector(".pan-search-excerpt").textContent,
    sections: [...item.querySelectorAll(".pan-search-sections a")]
        .map((link) => ({title: link.textContent, address: link.href})),
}))"""
STATUS = "() => document.querySelector('.pan-search-status').textContent"
ANSWERED = "() => /pages? for /.test(document.querySelector('.pan-search-status').textContent)"


def results(page, address: str) -> list[dict]:
    """Wait for an answer, and read the list of results; pages are named as in _toc.yml."""
    present(page, ANSWERED)
    found = page.evaluate(FOUND)
    for result in found:
        result["name"] = result["address"].removeprefix(address).removesuffix(".html")
    return found


def ask(page, query: str) -> None:
    """Type a query into the dialog, and wait until it is answered."""
    field = page.locator("dialog.pan-search input")
    changed_by(page, lambda: field.fill(query), STATUS)
    present(page, ANSWERED)


def asked_for(page, part: str) -> bool:
    """Whether the page has loaded something whose address holds `part`."""
    return any(part in url for _, url in page.loaded)


@pytest.mark.parametrize(
    ("query", "name", "place", "section"), QUERIES, ids=[q[0] for q in QUERIES]
)
def test_what_is_found(open_page, address, query, name, place, section):
    page = open_page(f"search.html?q={query}")
    found = results(page, address)
    names = [result["name"] for result in found]
    assert name in names[:place], f"{query}: {names}"
    if section:
        listed = [part["title"] for part in found[names.index(name)]["sections"]]
        assert section in listed, f"{query}: under {name} only {listed}"
    assert page.faults == []


def test_a_slip_is_named_and_what_is_unknown_finds_nothing(open_page):
    page = open_page("search.html?q=guidence")
    present(page, ANSWERED)
    words = page.evaluate(STATUS)
    assert words.startswith("“guidence” is not in the book. ")
    assert words.endswith(" pages for “guidance”.")
    page = open_page("search.html?q=zzzzq")
    present(page, ANSWERED)
    assert page.evaluate(STATUS) == "No pages for “zzzzq”."
    assert page.evaluate(FOUND) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("guidence", "guidance"),
        ("nosie", "noise"),  # two neighbours changed places
        ("difusoin", "diffusion"),  # two slips in a long word
        ("noizy", ""),  # two slips in a short one: none is near
        ("diffusionless", "diffusionless"),  # of the same family as a word of the book
        ("Attention", "Attention"),
        ("atten", "atten"),  # still being typed
        ("sde", ""),  # short, and the beginning of no word
        ("guidence noise", "guidance noise"),
        ("qqqq noise", "noise"),
    ],
)
def test_nearest_word(open_page, word, expected):
    page = open_page("search.html")
    known = ["noise", "attention", "guidance", "diffusion"]
    got = page.evaluate(
        """async ([word, known]) => {
            const module = await import(new URL("_static/js/search-results.js", document.baseURI));
            return module.corrected(word, known);
        }""",
        [word, known],
    )
    assert got == expected


def test_each_result_has_number_title_excerpt_and_sections(open_page, address):
    page = open_page("search.html?q=guidance")
    found = results(page, address)
    first = found[0]
    assert (first["chapter"], first["title"]) == (f"Chapter {number(GUIDANCE)}", "Guidance")
    assert 1 <= len(first["sections"]) <= 3
    for result in found:
        excerpt = result["excerpt"]
        assert len(excerpt) > 40, result
        for foreign in ("\\", "Open this chapter", "Download the notebook", "import ", "Show code"):
            assert foreign not in excerpt, f"{result['name']}: {excerpt}"
        for section in result["sections"]:
            path, _, anchor = section["address"].removeprefix(address).partition("#")
            html = BeautifulSoup(page_file(path).read_text(encoding="utf-8"), "html.parser")
            assert html.find(id=anchor) is not None, section
    assert page.locator(".pan-search-excerpt mark").first.inner_text().lower().startswith("guid")
    assert page.get_by_role("status").inner_text() == f"{len(found)} pages for “guidance”."
    follow(page, page.locator(".pan-search-sections a").first)
    assert page.locator("article h1").count() == 1
    assert page.faults == []


def test_nothing_of_it_loads_before_it_is_opened(open_page, address):
    page = open_page(f"{ATTENTION}.html")
    for part in (
        "_static/search/",
        "search-results.js",
        "searchindex",
        "searchtools",
        "language_data",
    ):
        assert not asked_for(page, part), f"{part} is loaded by a page that nobody searches"
    page.locator(".site-search button").click()
    ask(page, "noise")
    assert asked_for(page, "_static/search/pagefind.js")
    assert all(url.startswith((address, "blob:", "data:")) for _, url in page.loaded)
    assert page.faults == []


def test_empty_page_of_results_loads_nothing(open_page):
    page = open_page("search.html")
    assert not asked_for(page, "_static/search/")
    changed_by(
        page, lambda: page.locator("main input[type=search]").press_sequentially("noise"), STATUS
    )
    present(page, ANSWERED)
    assert page.faults == []


def test_with_the_keyboard_alone(open_page):
    page = open_page(f"{ATTENTION}.html")
    dialog = page.get_by_role("dialog", name="Search the book")
    button = page.locator(".site-search button")
    focused = "() => document.activeElement.className || document.activeElement.tagName"
    button.focus()
    page.keyboard.press("Enter")
    dialog.wait_for()
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert button.evaluate("button => button === document.activeElement"), "focus is lost"
    page.keyboard.press("Control+k")
    dialog.wait_for()
    page.keyboard.press("Control+k")
    dialog.wait_for(state="hidden")
    page.keyboard.press("Control+k")
    ask(page, "guidance")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "pan-search-page"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "INPUT"
    page.keyboard.press("ArrowDown")
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press("Enter")
    assert page.url.endswith(f"{GUIDANCE}.html")
    assert page.faults == []


def test_enter_leads_to_all_results(open_page, address):
    page = open_page(f"{ATTENTION}.html")
    page.keyboard.press("Control+k")
    ask(page, "noise")
    few = page.locator("dialog .pan-search-page").count()
    assert few == 8
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press("Enter")
    assert page.url == f"{address}search.html?q=noise"
    assert len(results(page, address)) > few
    assert page.faults == []


def test_a_result_on_the_same_page_closes_the_dialog(open_page):
    page = open_page(f"{GPT}.html")
    page.keyboard.press("Control+k")
    ask(page, "KV cache")
    dialog = page.locator("dialog.pan-search")
    dialog.get_by_role("link", name="The cache", exact=True).click()
    dialog.wait_for(state="hidden")
    assert page.url.endswith(f"{GPT}.html#the-cache")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_dialog_is_sound(open_page, width, scheme):
    phone = {"has_touch": True, "is_mobile": True} if width == 360 else {}
    page = open_page(f"{ATTENTION}.html", width=width, color_scheme=scheme, **phone)
    page.locator(".search-button__button:visible").first.click()
    ask(page, "guidence")
    dialog = page.locator("dialog.pan-search")
    box = dialog.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    covered = dialog.locator("input").evaluate(
        """field => {
            const {left, top, height} = field.getBoundingClientRect();
            return [4, 14, 24, 60].filter(
                (x) => document.elementFromPoint(left + x, top + height / 2) !== field);
        }"""
    )
    assert covered == [], "something lies on what the reader types"
    status, first = dialog.locator("[role=status]"), dialog.locator(".pan-search-results")
    low = status.evaluate(
        "e => { const r = document.createRange(); r.selectNodeContents(e);"
        " return r.getBoundingClientRect().bottom; }"
    )
    assert low <= first.bounding_box()["y"] + 1, "the results cover the sentence above them"
    if phone:
        small = dialog.locator("a, button, input").evaluate_all(
            "all => all.filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML)"
        )
        assert small == [], "smaller than a finger"
    assert page.faults == []
    assert violations(page) == []


def test_from_disk_it_says_that_it_needs_a_server(open_page):
    page = open_page("book/how-to-use.html", top=SITE.as_uri() + "/")
    page.keyboard.press("Control+k")
    eventually(page, lambda: "needs a server" in page.evaluate(STATUS), "it says so")
    assert page.faults == []


def test_what_cannot_be_loaded_is_said(open_page):
    page = open_page("book/how-to-use.html")
    page.route("**/search/pagefind.js", lambda route: route.abort())
    page.keyboard.press("Control+k")
    eventually(page, lambda: "could not be loaded" in page.evaluate(STATUS), "it says so")


@pytest.mark.parametrize(
    ("path", "place"), [(f"{ATTENTION}.html", ".site-search"), ("search.html", "article")]
)
def test_without_javascript_a_sentence_says_so(open_page, path, place):
    page = open_page(path, java_script_enabled=False)
    sentence = page.locator(f"{place} noscript p")
    assert sentence.is_visible()
    assert sentence.inner_text().startswith("Search needs JavaScript.")
    assert not page.locator(".search-button__button, form.pan-search-form").first.is_visible()
