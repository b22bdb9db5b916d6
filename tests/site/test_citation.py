"""How to cite the book, its version and its changes: one source each, and the same everywhere."""

import re
import sys
import tomllib

import address
import pytest
import yaml
from citation import bibtex, sentence
from site_address import site_address
from site_tools import CONFIG, ROOT, pages, parsed

import attnoise

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_citation_file_has_what_its_format_asks_for():
    assert {
        "cff-version",
        "message",
        "title",
        "authors",
        "version",
        "date-released",
    } <= CITATION.keys()
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] in ("software", "dataset")
    assert all(
        {"name"} <= one.keys() or {"family-names"} <= one.keys() for one in CITATION["authors"]
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", CITATION["date-released"])
    assert CITATION["title"] == CONFIG["title"]


def test_there_is_one_version():
    version = PROJECT["version"]
    newest = re.search(r"(?m)^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert CITATION["version"] == attnoise.__version__ == newest[1] == version


@pytest.mark.parametrize("page", [*pages(), "404.html"])
def test_every_page_says_its_version_and_how_to_cite_it(page):
    foot = parsed(page).select_one(".bd-footer-content .extra_footer")
    assert f"Version {PROJECT['version']}:" in foot.get_text()
    leads = [link["href"].split("#") for link in foot.select("a[href*='#']")]
    assert [place for _, place in leads] == ["changes", "cite-this-book"]
    assert all(path.endswith("about.html") or page == "book/about.html" for path, _ in leads)


def test_page_gives_the_bibtex_of_the_citation_file():
    about = parsed("book/about.html")
    shown = about.select_one("#cite-this-book .highlight-bibtex pre").get_text()
    assert shown.strip() == bibtex(CITATION)
    assert sentence(CITATION) in about.select_one("#cite-this-book").get_text()
    url = CITATION["url"]
    assert f"  url    = {{{url}}}," in shown
    assert shown.count("{") == shown.count("}")


def test_page_shows_the_changes():
    about = parsed("book/about.html")
    text = " ".join(about.select_one("#changes").get_text().replace("’", "'").split())
    for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("- "):
            assert line[2:].replace("`", "") in text


def test_names_of_people_are_put_family_name_first():
    people = [{"family-names": "Noether", "given-names": "Emmy"}, {"name": "A Group"}]
    entry = bibtex({**CITATION, "authors": people})
    assert "author = {Noether, Emmy and {A Group}}" in entry


def test_addresses_are_those_of_the_config():
    assert CITATION["repository-code"] == CONFIG["repository"]["url"]
    assert CITATION["url"] == site_address(CONFIG["repository"]["url"])


def test_a_fork_is_cited_by_its_own_address(tmp_path, monkeypatch):
    for name in ("_config.yml", "CITATION.cff"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "book").mkdir()
    arguments = ["address.py", "--root", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*arguments, "--url", "https://github.com/fork/of-it"])
    address.main()
    stamped = yaml.safe_load((tmp_path / "CITATION.cff").read_text(encoding="utf-8"))
    assert stamped["repository-code"] == "https://github.com/fork/of-it"
    assert stamped["url"] == "https://fork.github.io/of-it/"
    assert {**stamped, "repository-code": "", "url": ""} == {
        **CITATION,
        "repository-code": "",
        "url": "",
    }
    (tmp_path / "CITATION.cff").write_bytes((ROOT / "CITATION.cff").read_bytes())
    monkeypatch.setattr(sys, "argv", [*arguments, "--check"])
    with pytest.raises(SystemExit, match="other address than _config.yml: .*CITATION.cff"):
        address.main()
