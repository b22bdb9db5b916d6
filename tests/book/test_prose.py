"""The prose pages: what they say about the package, the sources and the address holds."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "code" / "attnoise"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    page for page in sorted((ROOT / "book").rglob("*.md")) if ".ipynb_checkpoints" not in str(page)
]
ROWS = re.findall(r"^\| (\[`[\w/]+\.py`\][^|]+) \| ([\d, ]+) \|", README, re.MULTILINE)
GUIDED = [  # a row holds one module or several, and as many numbers of lines
    (*link, lines)
    for links, numbers in ROWS
    for link, lines in zip(
        re.findall(r"\[`([\w/]+\.py)`\]\(([^)]+)\)", links), numbers.split(", "), strict=True
    )
]
FOLDERS_OF_THE_BOOK = ("attention", "transformers", "diffusion", "latent", "together", "data")
ARXIV = re.compile(r"\b\d{4}\.\d{4,5}\b")


@pytest.mark.parametrize(("name", "link", "lines"), GUIDED)
def test_reading_guide_knows_how_long_a_module_is(name, link, lines):
    assert link == f"code/attnoise/{name}"
    actual = len((ROOT / link).read_text(encoding="utf-8").splitlines())
    assert abs(int(lines) - actual) <= 0.15 * actual, f"README says {lines}, {name} has {actual}"


def test_reading_guide_names_every_module():
    modules = {
        str(path.relative_to(PACKAGE).as_posix())
        for folder in FOLDERS_OF_THE_BOOK
        for path in (PACKAGE / folder).glob("*.py")
        if path.name != "__init__.py"
    }
    assert {name for name, _, _ in GUIDED} == modules


def test_readme_links_and_pictures_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    local = [target for target in targets if "://" not in target]
    assert len(local) > 10
    assert [target for target in local if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_describes_itself(page):
    front = re.match(r"---\n(.*?)\n---\n", page.read_text(encoding="utf-8"), re.DOTALL)
    assert front, f"{page.name} has no front matter"
    text = yaml.safe_load(front.group(1))["myst"]["html_meta"]["description"]
    assert 40 <= len(text) <= 155, f"{page.name}: a description of {len(text)} characters"


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_page_leaves_the_address_to_the_config(page):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    repository = config["repository"]["url"].removeprefix("https://github.com/")
    assert repository not in page.read_text(encoding="utf-8"), (
        "write {{ env.config.html_theme_options.repository_url }} instead, so that a fork's site "
        "leads to the fork"
    )


def test_bibliography_holds_every_paper_that_the_package_cites():
    known = set(ARXIV.findall((ROOT / "book" / "references.bib").read_text(encoding="utf-8")))
    cited = {
        number: path.name
        for path in PACKAGE.rglob("*.py")
        for number in re.findall(r"arXiv:(\d{4}\.\d{4,5})", path.read_text(encoding="utf-8"))
    }
    assert cited, "no source was found in the package"
    assert {number: name for number, name in cited.items() if number not in known} == {}


def test_bibliography_has_no_entry_twice():
    text = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for pattern in (r"^@\w+\{([^,]+),", r"eprint\s*=\s*\{([^}]+)\}"):
        found = re.findall(pattern, text, re.MULTILINE)
        assert len(found) == len(set(found)), f"twice: {[x for x in found if found.count(x) > 1]}"


def test_readme_gives_the_numbers_of_the_checkpoints():
    row = next(line for line in README.splitlines() if "reverse-process.ipynb" in line)
    shown = [float(number) for number in re.findall(r"\d\.\d\d", row)]
    wanted = []
    for name, distance in (("digits-edm", "FD-mlp64"), ("mnist-unet", "FD-vit64")):
        card = json.loads((PACKAGE / "checkpoints" / f"{name}.json").read_text(encoding="utf-8"))
        draws = card["result"] if isinstance(card["result"], list) else card["result"]["draws"]
        means = [
            sum(draw[distance] for draw in draws) / len(draws),
            card["baseline"]["per_class_gaussian"][distance],
            card["floor"][distance],
        ]
        wanted += [round(m[0] if isinstance(m, list) else m, 2) for m in means]
    assert shown == wanted, "README's numbers for the reverse process and the cards' differ"
