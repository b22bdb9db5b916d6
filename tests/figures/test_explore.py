"""Figures that move: what they put into a notebook, and what they refuse."""

import base64
import io
import json
import re
import sys

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image
from tests.figures.figure_examples import (
    ALL,
    DATA,
    KEYS,
    SCHEDULE,
    VALUES,
    charting,
    painting,
    trajectory_arrays,
)
from tests.figures.figure_examples import attention as attention_figure
from tests.figures.figure_examples import posterior as posterior_figure
from tests.figures.figure_examples import rotary as rotary_figure
from tests.figures.figure_examples import trajectory as trajectory_figure

from attnoise.attention import Rotary, attention
from attnoise.diffusion import IdealDenoiser
from attnoise.errors import ConfigError, DataError, ShapeError
from attnoise.figures import (
    attention_query,
    posterior_mean,
    reverse_trajectory,
    rotary_pair,
)
from attnoise.figures import explore as explore_module
from attnoise.figures.explore import WIDGET_VIEW, Control, live, rounded

TWO = {"width": Control(label="Width", values=[1, 2])}


def draw_bars(width):
    figure, ax = plt.subplots(figsize=(3.2, 1.6))
    ax.bar(range(3), [1, width, 2])
    return figure


def bare(**changes):
    """A figure with one control, or with what a test changes."""
    given = {
        "script": "chart",
        "data": {},
        "draw": draw_bars,
        "describe": lambda width: f"Width {width}.",
        "controls": TWO,
        "title": "Bars",
        "alt": "Three bars.",
    }
    return live(**{**given, **changes})


# What a cell stores ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ALL)
def test_bundle_serves_every_reader(name):
    figure = ALL[name]()
    bundle, metadata = figure._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", "text/html", WIDGET_VIEW}
    assert bundle["text/plain"] == figure.sentence()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.format == "PNG" and picture.width <= 6.4 * figure.dpi + 1
    assert metadata["image/png"]["width"] == picture.width * 96 // figure.dpi
    assert bundle[WIDGET_VIEW]["model_id"]
    assert "Software" not in picture.info


@pytest.mark.parametrize("name", ALL)
def test_same_figure_gives_same_bytes(name):
    first, second = (ALL[name]()._repr_mimebundle_()[0] for _ in range(2))
    for kind in ("text/plain", "image/png", "text/html"):
        assert first[kind] == second[kind], kind


@pytest.mark.parametrize("name", ALL)
def test_html_keeps_the_contract(name):
    figure = ALL[name]()
    text = figure.html()
    assert text.startswith('<figure class="pan-fig" data-script=') and text.endswith("</figure>")
    assert not re.search(r"\sid=", text.split("<style>")[0] + text.split("</style>")[1])
    rows = [control for control in figure.controls.values() if control.choice]
    assert text.count('<input type="range"') == len(figure.controls) - len(rows)
    assert text.count('<input type="radio"') == sum(len(control.values) for control in rows)
    assert text.count(" disabled>") == text.count("<input ")  # the script wakes them up
    assert text.count(" checked disabled>") == text.count('role="radiogroup"') == len(rows)
    assert '<output class="pan-fig-words" aria-live="polite">' in text
    assert "document.currentScript.closest" in text and "http://www.w3.org" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert len(text.encode()) <= 300_000


def test_html_escapes_what_authors_write():
    text = charting().html()
    assert "Panels &lt;of&gt; a width" in text and "&quot;the curve&quot;" in text
    page = json.loads(text.split('class="pan-fig-data">')[1].split("</script>")[0])
    assert page["alt"] == charting().alt
    assert "</script" not in json.dumps(bare(alt="</script><b>").html().split("<script")[1][:-9])


def test_colab_gets_the_widgets_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert "text/html" not in charting()._repr_mimebundle_()[0]


def test_widgets_recompute_in_a_kernel():
    box = charting().widget()
    width, kind, picture, words = box.children
    assert (type(width).__name__, type(kind).__name__) == ("SelectionSlider", "ToggleButtons")
    assert words.value == "<p>Kind a has width 2.</p>"
    before = picture.value
    width.value = 3
    assert words.value == "<p>Kind a has width 3.</p>" and picture.value != before
    kind.value = "b"
    assert picture.value == charting().png(width=3, kind="b")


def test_words_are_a_choice_and_numbers_lie_on_a_slider():
    assert Control(label="Solver", values=["Euler", "Heun"]).choice is True
    assert Control(label="Steps", values=[1, 2]).choice is False
    assert Control(label="Class", values=[0, 1], choice=True).choice is True
    assert Control(label="Size", values=["small", "large"], choice=False).choice is False


def test_no_figure_stays_open():
    plt.close("all")
    ALL["attention_query"]()._repr_mimebundle_()
    assert not plt.get_fignums()


def test_a_film_stands_at_its_end_without_scripts():
    figure = painting(seconds=2)
    assert figure.at()["step"] == 3
    assert figure.sentence().endswith("exactly as asked.")


# The arithmetic ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("angle", "length"), [(0, 0.0), (50, 2.0), (-135, 3.0)])
def test_attention_query_is_attention(angle, length):
    found = attention_figure().numbers(angle=angle, length=length)
    query = torch.tensor([found["query"]], dtype=torch.float64)
    output, weights = attention(query, KEYS.double(), VALUES[:, None].double(), return_weights=True)
    torch.testing.assert_close(
        torch.tensor(found["weights"]), weights[0].float(), atol=1e-4, rtol=0
    )
    assert found["output"] == pytest.approx(float(output), abs=1e-3)


@pytest.mark.parametrize("t", [1, 22, 40])
def test_posterior_mean_is_the_ideal_denoiser(t):
    found = posterior_figure().numbers(t=t, across=1.2, up=-0.8)
    x_t = torch.tensor([found["x_t"]])
    ideal = IdealDenoiser(DATA, SCHEDULE)
    mean = ideal(x_t, torch.tensor([t]))[0]
    torch.testing.assert_close(torch.tensor(found["mean"]), mean, atol=2e-3, rtol=0)
    weights = ideal.weights(x_t, torch.tensor([t]))[0].float()
    torch.testing.assert_close(torch.tensor(found["weights"]), weights, atol=5e-3, rtol=0)
    entropy = -(weights * weights.clamp(min=1e-12).log()).sum()
    assert found["perplexity"] == pytest.approx(float(entropy.exp()), rel=1e-2)


def test_reverse_trajectory_measures_distance_to_the_end():
    x, x0_hat, _ = trajectory_arrays()
    for step, t in ((0, 17), (3, 5), (5, 0)):
        found = trajectory_figure().numbers(t=t)["distances"]
        for rows, far in zip((x, x0_hat), found, strict=True):
            wanted = (rows[step].clamp(-1, 1) - x[-1].clamp(-1, 1)).square().mean().sqrt()
            assert far == pytest.approx(float(wanted), abs=0.01)


# What is refused ---------------------------------------------------------------------------------
def test_unknown_control_and_value_are_named():
    figure = charting()
    with pytest.raises(
        ConfigError, match="control must be one of 'width', 'kind', but it is 'wid'"
    ):
        figure.sentence(wid=2)
    with pytest.raises(ConfigError, match="'Width' must be one of 1, 2, 3, but it is 7"):
        figure.png(width=7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"values": []}, "at least two values, but it has 0"),
        ({"values": [4]}, "at least two values, but it has 1"),
        ({"values": [4, 4]}, "same value twice"),
        ({"values": [4, 5], "start": 6}, "must be one of 4, 5, but it is 6"),
        ({"values": [4, 5], "idea": "querry"}, "did you mean 'query'"),
    ],
)
def test_bad_control(settings, message):
    with pytest.raises(ConfigError, match=message):
        Control(label="Width", **settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"controls": {}}, "at least one control"),
        ({"controls": {"width": [1, 2]}}, r"write Control\(label"),
        ({"controls": {"a width": TWO["width"]}}, "an argument's name"),
        ({"title": " "}, "title must say"),
        ({"alt": ""}, "alt must say"),
        ({"play": {"control": "t", "seconds": 1}}, "play must be one of 'width'"),
    ],
)
def test_bad_figure(changes, message):
    with pytest.raises(ConfigError, match=message):
        bare(**changes)


def test_draw_and_describe_must_return_what_they_promise():
    with pytest.raises(ConfigError, match="must return a matplotlib Figure, but it returned Axes"):
        bare(draw=lambda width: draw_bars(width).axes[0]).png()
    for wrong in ("", "two\nlines", None):
        with pytest.raises(ConfigError, match="one sentence without line breaks"):
            bare(describe=lambda width, wrong=wrong: wrong).sentence()


def test_too_large_a_figure_is_refused(monkeypatch):
    monkeypatch.setattr(explore_module, "HTML_LIMIT", 9_000)
    with pytest.raises(
        ConfigError, match=r"within 9,000 bytes, but it has .* use fewer values or data"
    ):
        bare().html()


def test_live_refuses_unknown_scripts_and_unreadable_data():
    with pytest.raises(ConfigError, match=r"script must be one of .*'chart'.*'attention_query'\?"):
        bare(script="attention")
    for data in (float("nan"), torch.zeros(2)):
        with pytest.raises(ConfigError, match="data must be finite numbers"):
            bare(data=data).html()


def test_builders_refuse_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"keys must be 2 to 7 points .* \(5, 3\)"):
        attention_query(torch.zeros(5, 3), VALUES)
    with pytest.raises(ShapeError, match=r"one number for each of the 5 keys"):
        attention_query(KEYS, VALUES[:3])
    with pytest.raises(ConfigError, match="Angle of the query"):
        attention_query(KEYS, VALUES, start=(31, 2.0))
    with pytest.raises(ShapeError, match=r"x0 must be a point in the plane.*\(3,\)"):
        posterior_mean(DATA, torch.zeros(3), SCHEDULE, [1, 2])
    with pytest.raises(ConfigError, match=r"times must be above 0.*\[0, 2\]; leave t = 0 out"):
        posterior_mean(DATA, DATA[0], SCHEDULE, [0, 2])
    with pytest.raises(ConfigError, match="between 0 and T = 41|at most at T = 41|T = 41"):
        posterior_mean(DATA, DATA[0], SCHEDULE, [1, 42])
    x, x0_hat, times = trajectory_arrays()
    with pytest.raises(ShapeError, match="with 5 steps"):
        reverse_trajectory(x, x0_hat, times[1:])
    with pytest.raises(ConfigError, match="times must fall"):
        reverse_trajectory(x, x0_hat, times[::-1])
    with pytest.raises(DataError, match="x0_hat must hold no NaN"):
        reverse_trajectory(x, x0_hat / 0, times)


def test_rounded_is_plain_and_has_no_minus_zero():
    text = json.dumps(rounded(torch.tensor([[0.123456, -0.00001], [1.0, 2.0]])))
    assert text == "[[0.1235, 0.0], [1.0, 2.0]]"


def test_rotary_figure_turns_as_the_package_does():
    query, key = torch.tensor([1.1, 0.4, 0.9, -0.3]), torch.tensor([0.6, 0.9, 1.0, 0.35])
    turn = Rotary(4, base=100.0, layout="pairs")
    for n, m in ((9, 5), (0, 24), (13, 13)):
        expected = turn(query[None, None, None], n) @ turn(key[None, None, None], m).mT / 2
        found = rotary_figure().numbers(query_at=n, key_at=m)
        assert found["score"] == pytest.approx(expected.item(), abs=1e-4)
        assert found["difference"] == n - m


def test_rotary_figure_names_what_it_cannot_draw():
    pair = torch.ones(2)
    with pytest.raises(ShapeError, match="2 or 4 numbers each"):
        rotary_pair(torch.ones(3), torch.ones(3))
    with pytest.raises(ShapeError, match="2 or 4 numbers each"):
        rotary_pair(torch.ones(4), pair)
    with pytest.raises(ConfigError, match="farthest must be at least 2, but it is 1"):
        rotary_pair(pair, pair, farthest=1)
    with pytest.raises(ConfigError, match="30"):
        rotary_pair(pair, pair, start=(30, 0))
