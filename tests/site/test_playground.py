"""The playground in a browser: recorded at first, torch's numbers once loaded, and able to fail."""

import functools
import json

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from site_tools import changed_by, eventually, present

from attnoise.attention import record_weights
from attnoise.figures.next_token import reshape
from attnoise.figures.playground import START
from attnoise.figures.studio import page_uniform
from attnoise.training.checkpoints import load_checkpoint
from attnoise.transformers import BytePairTokenizer

pytestmark = pytest.mark.in_browser

PAGE = "book/transformers/gpt.html"
FIGURE = ".pan-fig:has(.pan-play-tokens)"
RAN = f"() => document.querySelector('{FIGURE}').dataset.ran ?? null"
MODEL = "/_static/models/"
TEXTS = ["KING LEAR\nBlow, winds, and crack your", "Ζεύς & 4 x² 🙂\t!", "a " * 150]


@functools.cache
def shipped():
    model, card = load_checkpoint("shakespeare")
    return model, BytePairTokenizer(card["merges"])


def figure_of(page):
    return page.locator(FIGURE)


def press(page, name):
    figure_of(page).get_by_role("button", name=name, exact=True).click()


def write(page, name="Next token"):
    """Press a button and wait for what the model has found."""
    return json.loads(changed_by(page, functools.partial(press, page, name), RAN))


def read(page, text):
    """Put a text into the field of a model that is loaded."""
    field = figure_of(page).get_by_label("Prompt")
    return json.loads(changed_by(page, functools.partial(field.fill, text), RAN))


def written_by_torch(tokens, steps, seed, prompted):
    """Go on from tokens as the page does."""
    model, _ = shipped()
    for _ in range(steps):
        with torch.no_grad():
            p = reshape(model(torch.tensor([tokens]))[0, -1], **START)
        number = torch.tensor(page_uniform(seed, len(tokens) - prompted), dtype=torch.float64)
        tokens = [*tokens, int(torch.searchsorted(p.cumsum(0), number, right=True))]
    return tokens


def assert_as_torch(found):
    model, tokenizer = shipped()
    tokens = torch.tensor([found["tokens"][found["first"] :]])
    with torch.no_grad(), record_weights(model) as recorded:
        logits = model(tokens)[0, -1]
    looked = torch.stack([weights[0, :, -1] for weights in recorded.values()])
    torch.testing.assert_close(torch.tensor(found["logits"]), logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(torch.tensor(found["weights"]), looked, atol=1e-3, rtol=1e-3)
    assert found["text"] == tokenizer.decode(found["tokens"])


def test_the_recorded_example_needs_no_model(open_page):
    page = open_page(PAGE)
    figure = figure_of(page)
    chips = figure.locator(".pan-play-token")
    assert chips.count() > 15 and chips.first.inner_text().startswith("HAM")
    assert figure.locator(".pan-play-written").count() == 16
    words, bars = figure.locator("output"), figure.locator(".pan-fig-stage > svg")
    before = bars.get_attribute("aria-label")
    assert "8 of 1,024 tokens can follow" in words.inner_text() and before.count("cut off") == 4
    assert bars.locator("text[text-decoration=line-through]").count() == 4
    figure.get_by_role("slider", name="Top-k").press("Home")
    assert "1 of 1,024 tokens can follow" in words.inner_text()
    assert bars.get_attribute("aria-label") != before
    assert not any(MODEL in url for _, url in page.loaded) and page.faults == []


def test_typing_shows_tokens_before_the_model_is_there(open_page):
    page = open_page(PAGE)
    figure = figure_of(page)
    figure.get_by_label("Prompt").fill("the king")
    names = figure.locator(".pan-play-token span")
    assert names.all_inner_texts() == ["the", "·king"]
    assert "2 tokens. Press “Next token”" in figure.locator("output").inner_text()
    assert not figure.locator(".pan-fig-stage > svg").is_visible()
    press(page, "Start again")
    assert names.first.inner_text() == "HAM" and figure.locator(".pan-fig-stage > svg").is_visible()
    assert not any(MODEL in url for _, url in page.loaded)


def test_it_writes_what_torch_writes(open_page):
    page = open_page(PAGE)
    _, tokenizer = shipped()
    prompted = len(tokenizer.encode("HAMLET\nTo be, or not to be"))
    found = write(page)
    assert_as_torch(found)
    assert found["tokens"] == written_by_torch(found["tokens"][:-1], 1, 4, prompted)
    again = write(page, "Write 20")
    assert again["tokens"] == written_by_torch(found["tokens"], 20, 4, prompted)
    assert_as_torch(again)
    assert again["text"].endswith(figure_of(page).locator(".pan-play-said").text_content()[9:])
    press(page, "Start again")
    assert figure_of(page).locator(".pan-play-token").count() == prompted
    assert page.faults == []


def test_prompts_are_read_as_torch_reads_them_and_long_ones_from_their_end(open_page):
    page = open_page(PAGE)
    write(page)
    for text in TEXTS:
        found = read(page, text)
        _, tokenizer = shipped()
        assert found["tokens"] == tokenizer.encode(text)
        assert found["first"] == max(0, len(found["tokens"]) - 128)
        assert_as_torch(found)
    found = write(page)  # one more than the model sees: the older half is forgotten
    assert len(found["tokens"]) - found["first"] == 64
    assert_as_torch(found)
    assert "It has forgotten" in figure_of(page).locator(".pan-play-look").inner_text()
    assert page.faults == []


def test_the_cache_changes_the_count_and_not_the_text(open_page):
    page = open_page(PAGE)
    figure = figure_of(page)
    cost = figure.locator(".pan-play-cost")
    assert cost.locator(".pan-play-used").inner_text().startswith("with the cache (on)")
    first = write(page)
    press(page, "Start again")
    with_cache = write(page)
    press(page, "Start again")
    figure.get_by_role("switch", name="Cache").uncheck()
    assert cost.locator(".pan-play-used").inner_text().startswith("everything anew (on)")
    without = write(page)
    torch.testing.assert_close(
        torch.tensor(without["logits"]), torch.tensor(with_cache["logits"]), atol=1e-4, rtol=1e-4
    )
    assert without["tokens"] == with_cache["tokens"] != first["tokens"]
    assert " ms here" in cost.locator(".pan-play-used").inner_text()


def test_stop_stops(open_page):
    page = open_page(PAGE)
    stop = figure_of(page).get_by_role("button", name="Stop")
    assert stop.get_attribute("aria-disabled") == "true"
    count = len(write(page)["tokens"])
    figure_of(page).get_by_role("switch", name="Cache").uncheck()
    # Stop in the page's own next turn after a token: no clock is asked.
    page.evaluate(
        f"""() => {{
            const figure = document.querySelector('{FIGURE}');
            const named = (name) => [...figure.querySelectorAll("button")].find((b) => b.textContent === name);
            const list = figure.querySelector(".pan-play-tokens");
            new MutationObserver((_, me) => {{ me.disconnect(); named("Stop").click(); }}).observe(list, {{ childList: true }});
            named("Write 20").click();
        }}"""
    )
    chips = figure_of(page).locator(".pan-play-token")
    eventually(page, lambda: chips.count() > count, "a token is written")
    eventually(page, lambda: stop.get_attribute("aria-disabled") == "true", "it has stopped")
    # It writes a token a turn of the page's: after a hundred turns it would have written them all.
    page.evaluate(
        "async () => { for (let k = 0; k < 100; k += 1) await new Promise((next) => setTimeout(next)); }"
    )
    assert count < chips.count() < count + 3


def test_tokens_and_heads_answer_to_keyboard_and_pointer(open_page):
    page = open_page(PAGE)
    figure = figure_of(page)
    look, chips = figure.locator(".pan-play-look"), figure.locator(".pan-play-token")
    last = look.inner_text()
    assert "head 1 of block 4" in last
    chips.nth(5).hover()
    assert look.inner_text() != last and "“·be”" in look.inner_text()
    figure.locator("textarea").hover()
    assert look.inner_text() == last
    assert [chip.get_attribute("tabindex") for chip in chips.all()].count("0") == 1
    chips.last.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    assert look.inner_text() != last
    page.keyboard.press("Home")
    assert "“HAM” looks at “HAM” (100 %)." in look.inner_text()
    page.keyboard.press("End")
    assert look.inner_text() == last
    figure.get_by_role("button", name="head 2 of block 3").press("Enter")
    assert "head 2 of block 3" in look.inner_text() and look.inner_text() != last
    shown = [
        float(chip.evaluate("c => c.style.getPropertyValue('--weight')")) for chip in chips.all()
    ]
    assert sum(shown) == pytest.approx(1, abs=0.05)


def test_what_crosses_the_wire_is_what_it_says(open_page):
    page = open_page(PAGE)
    answers = []
    page.on("response", lambda answer: answers.append(answer) if MODEL in answer.url else None)
    status = figure_of(page).locator(".pan-play-status")
    most = float(status.inner_text().split("at most ")[1].split(" MB")[0])
    write(page)
    write(page)
    sizes = [len(answer.body()) for answer in answers]
    assert len(sizes) == 1 and 0.8 * most < sizes[0] / 1e6 <= most
    assert f"; {sizes[0] / 1e6:.1f} MB were loaded" in status.inner_text()
    assert not figure_of(page).locator("progress").is_visible()


def test_without_the_model_the_example_stands(open_page):
    page = open_page(PAGE)
    page.route(f"**{MODEL}*", lambda route: route.abort())
    press(page, "Next token")
    words = figure_of(page).locator("output")
    words.filter(has_text="could not be loaded").wait_for()
    figure_of(page).get_by_role("slider", name="Top-k").press("Home")
    page.unroute(f"**{MODEL}*")
    assert_as_torch(write(page))


def test_an_empty_prompt_is_told(open_page):
    page = open_page(PAGE)
    figure_of(page).get_by_label("Prompt").fill("")
    press(page, "Write 20")
    assert "Type at least one letter" in figure_of(page).locator("output").inner_text()
    assert page.faults == []


def test_without_scripts_the_still_picture_stands(open_page):
    page = open_page(PAGE, java_script_enabled=False)
    figure = page.locator(".pan-fig", has_text="The playground")
    assert figure.locator("img").evaluate("i => i.naturalWidth") > 300
    assert "tokens can follow" in figure.locator("output").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_passes_axe(open_page, scheme):
    page = open_page(PAGE, width=360, color_scheme=scheme, has_touch=True, is_mobile=True)
    write(page, "Write 20")
    figure = figure_of(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    for control in figure.locator("button:visible, textarea, input[type=number]").all():
        box = control.bounding_box()
        assert box["height"] >= 44 and box["width"] >= 44, control.inner_text()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    found = Axe().run(page, context=FIGURE, options=options).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:99]) for v in found] == []


def test_less_motion_shows_the_text_when_it_is_done(open_page):
    page = open_page(PAGE, reduced_motion="reduce")
    write(page)
    counts = page.evaluate(
        f"""() => {{
            window.counts = [];
            const list = document.querySelector('{FIGURE} .pan-play-tokens');
            new MutationObserver(() => window.counts.push(list.childElementCount)).observe(list, {{ childList: true }});
            return list.childElementCount;
        }}"""
    )
    write(page, "Write 20")
    assert present(page, "() => window.counts.length && window.counts") == [counts + 20]
