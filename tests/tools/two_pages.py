"""A site of two finished pages, small enough to be joined in a test."""

from pathlib import Path

TOP = "https://somebody.github.io/course/"
FORMULA = (
    '<span class="math"><span class="katex"><span class="katex-mathml"><math><mi>x</mi><mo>=</mo>'
    '<mn>2</mn></math></span><span class="katex-html" aria-hidden="true"><span class="base">x=2'
    "</span></span></span></span>"
)
CODE = '<div class="cell_input"><div class="highlight"><pre>{}</pre></div></div>'
SOLUTION = CODE.format(
    '<span></span><span class="k">def</span> f():\n'
    '    <span class="c1">### BEGIN SOLUTION</span>\n'
    '    <span class="k">return</span> 2\n'
    '    <span class="c1">### END SOLUTION</span>\n'
)
FIRST = f"""
<section id="first"><h1><span class="section-number">1. </span>First<a class="headerlink" href="#first">#</a></h1>
<p class="pan-question">What is it?</p>
<p class="pan-run"><a href="https://colab.research.google.com/x">Open this chapter in Colab</a></p>
<div class="cell tag_setup">{CODE.format("import setup")}</div>
<div class="cell tag_hide-input"><details class="hide"><summary>Show the code</summary>{CODE.format("plot()")}</details>
<div class="cell_output"><a class="image-reference" href="../_images/a.png"><img loading="lazy" alt="A curve that falls." src="../_images/a.png"></a></div></div>
<p>So {FORMULA}, as <a href="second.html#proof">the proof</a> says; <a href="progress.html">progress</a>, <a href="#hint-1">a hint</a>.</p>
<figure class="pan-fig"><figcaption>Move it</figcaption><div class="pan-fig-stage"><img alt="Two arrows." src="data:,"></div>
<div class="pan-fig-controls"><input type="range"></div><output class="pan-fig-words">At 50 degrees.</output><script>run()</script></figure>
<figure class="pan-diagram"><svg><title>Three boxes</title><mask id="m"></mask><g mask="url(#m)"></g></svg><div class="pan-diagram-strip">strip</div></figure>
<form class="pan-predict d-print-none"><label>Your prediction</label><textarea></textarea></form>
<details><summary>Check your prediction</summary><p class="pan-predicted" hidden>You predicted: <q></q></p><p>It is two.</p></details>
<section id="exercise-1"><h3>Exercise 1 · Twice<a class="headerlink" href="#exercise-1">#</a></h3>
<details id="hint-1"><summary>Hint 1</summary><p>Think of one and one.</p></details>
<form class="pan-answer d-print-none"><label>Your answer</label><script type="application/json">{{}}</script></form>
<details class="pan-solution"><summary>The solution and its check</summary>
<div class="cell tag_hide-input tag_solution">{SOLUTION}</div>
<div class="cell tag_check">{CODE.format("check.twice(f)")}<div class="cell_output"><pre>✓ Two it is.</pre></div></div>
</details>
<div class="pan-progress d-print-none"><button>Exercise 1 is done</button></div></section></section>
"""
SECOND = """
<section id="second"><h1>Second<a class="headerlink" href="#second">#</a></h1>
<section id="proof"><h2>Proof</h2><p>By <a href="first.html">the first</a>.</p></section></section>
"""


def write_site(folder: Path) -> Path:
    """Write the two pages, as Sphinx leaves them; return the site's folder."""
    site = folder / "html"
    (site / "book").mkdir(parents=True)
    for name, article in (("first", FIRST), ("second", SECOND)):
        (site / "book" / f"{name}.html").write_text(
            '<html lang="en"><head><link rel="stylesheet" href="../_static/site.css?v=1">'
            f'<link rel="canonical" href="{TOP}book/{name}.html"></head>'
            f'<body><nav>Furniture</nav><article class="bd-article">{article}</article></body></html>',
            "utf8",
        )
    return site


BOOK = [("", ["book/first"]), ("Part I · One", ["book/second"])]
