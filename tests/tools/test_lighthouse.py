"""What `make lighthouse` runs: pinned, on pages served compressed, and its report read rightly."""

import gzip
import json
import urllib.request

import lighthouse

LOCK = json.loads((lighthouse.PINNED / "package-lock.json").read_text())["packages"]


def report(performance, title="Images have words", score=0.0, weight=1):
    """A report of Lighthouse with one audit."""
    parts = {kind: {"score": 1, "auditRefs": []} for kind in lighthouse.KINDS}
    parts["performance"]["score"] = performance
    parts["accessibility"]["auditRefs"] = [{"id": "one", "weight": weight}]
    return {"categories": parts, "audits": {"one": {"title": title, "score": score}}}


def test_every_package_is_locked_by_its_hash_and_the_public_address():
    packages = {name: entry for name, entry in LOCK.items() if name}
    assert packages["node_modules/lighthouse"]["version"] == "12.8.2"
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert entry["resolved"].startswith("https://registry.npmjs.org/")


def test_pages_are_served_as_on_the_web(tmp_path):
    (tmp_path / "page.html").write_text("words " * 1000)
    (tmp_path / "font.woff2").write_bytes(b"font")
    with lighthouse.served(tmp_path) as top:
        answer = urllib.request.urlopen(top + "page.html?v=1")
        content = answer.read()
        assert answer.headers["Content-Encoding"] == "gzip" and len(content) < 200
        assert gzip.decompress(content) == (tmp_path / "page.html").read_bytes()
        font = urllib.request.urlopen(top + "font.woff2")
        assert font.headers["Content-Encoding"] is None and font.read() == b"font"


def test_scores_and_faults_are_read_off_a_report():
    assert lighthouse.scores(report(0.914)) == {
        "performance": 91, "accessibility": 100, "best-practices": 100, "seo": 100,
    }  # fmt: skip
    assert lighthouse.named(report(1)) == ["accessibility: Images have words"]
    assert lighthouse.named(report(1, score=None)) == [], "it does not apply"
    assert lighthouse.named(report(1, weight=0)) == [], "it counts for nothing"
