"""What the search reads of a page: its prose, its sections and their other names; no browser."""

import json
import sys

import pytest
from site_tools import ROOT, SITE, documents
from sphinx.errors import ExtensionError

sys.path.insert(0, str(ROOT / "web" / "sphinx_site"))
import search_index  # noqa: E402

PAGE = """<html><body><nav>On this page</nav><article class="bd-article">
<section id="guidance"><h1><span class="section-number">12. </span>Guidance<a class="headerlink"
href="#guidance">#</a></h1><p class="pan-run">Open this chapter in Colab</p>
<p>Push by <span class="math notranslate nohighlight"><math><mi>ε</mi></math><i>drawn</i></span>.</p>
<div class="cell"><pre>import torch</pre><figure><img alt="x"><figcaption>Two arrows.</figcaption>
</figure></div>
<section id="derived"><span id="an-anchor"></span><h2>Derived</h2><p>A proof.</p></section>
<section id="sources"><h2>Sources</h2><p>Ho and Salimans.</p></section>
</section></article></body></html>"""


def test_only_prose_is_read():
    text = " ".join(search_index.prose(PAGE).get_text(" ").split())
    assert text == "12. Guidance Push by ε . Two arrows. Derived A proof. Sources Ho and Salimans."


@pytest.mark.parametrize(
    ("mathml", "plain"),
    [
        ("<msub><mi>x</mi><mi>t</mi></msub>", "x_t"),
        ("<msup><mi>σ</mi><mn>2</mn></msup>", "σ^2"),
        ("<msubsup><mi>σ</mi><mi>t</mi><mn>2</mn></msubsup>", "σ_t^2"),
        ("<msqrt><mi>k</mi></msqrt>", "√k"),
        ("<msqrt><mn>1</mn><mo>−</mo><mi>a</mi></msqrt>", "√(1−a)"),
        ("<mfrac><mn>1</mn><mi>n</mi></mfrac>", "1/n"),
        ("<msub><mover><mi>α</mi><mo>ˉ</mo></mover><mi>t</mi></msub>", "α\u0304_t"),
        ("<mrow><mi>t</mi><mo>=</mo><mn>0</mn></mrow>", "t = 0"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd></mtr></mtable>", "…"),
        ("<mtext>much too long for an excerpt</mtext>", "…"),
    ],
)
def test_formulas_become_a_line_of_text_or_an_ellipsis(mathml, plain):
    page = f'<article><p><span class="math"><math>{mathml}</math></span></p></article>'
    assert search_index.prose(page).get_text() == plain


def test_sections_get_ids_weights_and_other_names():
    article = search_index.prose(PAGE)
    search_index.mark_sections(article, {"": ["CFG"], "derived": ["proof"]}, "book/guidance")
    assert [tag["id"] for tag in article.find_all(id=True)] == ["derived", "sources"]
    assert {tag.name for tag in article.find_all(id=True)} == {"h2"}
    metas = {tag["data-pagefind-meta"] for tag in article.select("[data-pagefind-meta]")}
    assert metas == {"chapter:Chapter 12", "also:CFG, proof"}
    (names,) = article.select("[data-names]")
    assert names["data-names"] == "(also proof)"
    assert names.find_previous("h2").get_text() == "Derived"
    sources = article.find("h2", id="sources").parent
    assert sources["data-pagefind-weight"] == search_index.LISTING_WEIGHT


def test_a_name_for_a_section_that_is_gone_stops_the_build():
    article = search_index.prose(PAGE)
    with pytest.raises(ExtensionError, match=r"sections \['proved'\] of book/guidance, which has"):
        search_index.mark_sections(article, {"proved": ["CFG"]}, "book/guidance")


def test_a_page_without_an_article_stops_the_build():
    with pytest.raises(ExtensionError, match="needs an <article> on every page"):
        search_index.prose("<main>text</main>")


def test_other_names_belong_to_pages_of_the_book():
    path = ROOT / "web" / "sphinx_site" / "search_aliases.json"
    aliases = json.loads(path.read_text(encoding="utf-8"))
    assert set(aliases) <= set(documents())
    for name, sections in aliases.items():
        listed = [alias.lower() for names in sections.values() for alias in names]
        assert len(listed) == len(set(listed)), f"{name}: twice the same name"


def test_words_are_those_of_the_book_the_commonest_first():
    words = (SITE / "_static" / "search" / "words.txt").read_text(encoding="utf-8").split()
    assert words[0] == "the" and len(words) == len(set(words))
    assert {"guidance", "attention", "ldm", "muon"} <= set(words)
    assert not {"pyplot", "plt", "mathrm", "frac", "textcolor"} & set(words)


def test_neither_sphinx_search_nor_interfaces_of_pagefind_are_in_the_site():
    assert not (SITE / "searchindex.js").exists()
    names = {path.name for path in (SITE / "_static" / "search").iterdir()}
    assert "pagefind.js" in names
    assert not [name for name in names if "ui" in name or "highlight" in name]
