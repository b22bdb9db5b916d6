"""One word per idea, and it is the field's: what crept in once must not come back.

The left column is how the home-made sense looks in names, docstrings, comments, prose and cards;
the right one is what papers and torch call it.
"""

import json
import re
from pathlib import Path

import pytest
from notebooks import ROOT

WORDS = {
    r"walk(s|ed|ing|er)?": "trajectory, sampling, sampling step",
    r"guess(es|ed|ing)?": "prediction, x0_hat",
    r"judg(e|es|ed|ing)": "classifier, evaluator, score",
    r"fates?": "uniform draw",
    r"knobs?": "sampling parameters",
    r"doors?": "input",
    r"rivals?": "baselines",
    r"planted": "mutation, deliberate bug",
    r"dear(er|est|ly)?": "costly",
    r"silent(ly)? (captions?|network|model|denoiser|prediction)s?": "unconditional",
    r"(hears?|heard|hearing) (the|a|its|no|of)": "is conditioned on, receives",
    r"word[ _]maps?": "cross-attention maps",
    r"painted": "reconstructed, drawn, sampled",
}
HOME_MADE = re.compile(rf"(?<![a-z])({'|'.join(WORDS)})(?![a-z])", re.IGNORECASE)
WALK = re.compile(r"(ast|os)\.walk\(")  # the standard library's own
# The studio paints: there it is the word for what a reader asks the page to do.
STUDIO = re.compile(r"studio|latent_plane|text-to-image|test_words")


def texts() -> list[tuple[str, str]]:
    """Return everything written: path and text. Of notebooks the sources, not the outputs."""
    found = []
    for top in ("code", "experiments", "tools", "benchmarks", "web", "book", "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if not path.is_file() or {"vendor", "__pycache__", ".ipynb_checkpoints"} & set(
                path.parts
            ):
                continue
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".ipynb":
                cells = json.loads(path.read_text("utf8"))["cells"]
                found.append((name, "\n".join("".join(cell["source"]) for cell in cells)))
            elif path.suffix in (".py", ".md", ".js", ".css") or name.startswith(
                "code/attnoise/checkpoints/"
            ):
                if path.suffix != ".safetensors":
                    found.append((name, path.read_text("utf8")))
    return [*found, ("README.md", (ROOT / "README.md").read_text("utf8"))]


TEXTS = texts()


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=[name for name, _ in TEXTS])
def test_the_fields_words(name, text):
    if Path(name).name in ("test_words.py", "references.bib"):
        return
    wrong = [
        f"{number}: {match[0]}: {line.strip()[:90]}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in HOME_MADE.finditer(WALK.sub("", line))
        if not (match[0] == "painted" and STUDIO.search(name))
    ]
    assert not wrong, "\n".join(wrong)
