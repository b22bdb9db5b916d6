"""What pages run that is not ours: pinned, checked byte by byte, and fetched only once."""

import hashlib
import json
import shutil
import subprocess

import pytest
import vendor

LOCK = json.loads((vendor.VENDOR / "package-lock.json").read_text())["packages"]


@pytest.fixture
def folder(tmp_path):
    """A small folder like web/vendor, whose two files are one byte each."""
    hashes = {f"pack/dist/{name}": hashlib.sha256(name.encode()).hexdigest() for name in "ab"}
    (tmp_path / "sha256.json").write_text(json.dumps(hashes))
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(vendor.VENDOR / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def npm(monkeypatch):
    """Stand in for npm: what it would install is in `npm.files`; `npm.calls` counts."""

    class Stand:
        files, calls = {"a": b"a", "b": b"b"}, 0

    def run(command, *, cwd, **options):
        Stand.calls += 1
        assert command[1:3] == ["ci", "--ignore-scripts"]
        (cwd / "node_modules" / "pack" / "dist").mkdir(parents=True)
        for name, content in Stand.files.items():
            (cwd / "node_modules" / "pack" / "dist" / name).write_bytes(content)

    monkeypatch.setattr(vendor, "find_npm", lambda: ["npm"])
    monkeypatch.setattr(vendor.subprocess, "run", run)
    return Stand


def test_every_package_is_locked_by_its_hash_and_the_public_address():
    packages = {name: entry for name, entry in LOCK.items() if name}
    assert packages["node_modules/onnxruntime-web"]["version"] == "1.30.0"
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert entry["resolved"].startswith("https://registry.npmjs.org/")


def test_files_are_fetched_once_and_again_if_one_is_gone(folder, npm):
    assert vendor.main(folder) == 0 and npm.calls == 1
    assert {p.name: p.read_bytes() for p in (folder / "dist").iterdir()} == npm.files
    assert vendor.main(folder) == 0 and npm.calls == 1
    (folder / "dist" / "b").unlink()
    assert vendor.main(folder) == 0 and npm.calls == 2


def test_a_wrong_byte_is_refused_and_nothing_is_kept(folder, npm, capsys, monkeypatch):
    monkeypatch.setattr(npm, "files", {"a": b"a", "b": b"x"})
    assert vendor.main(folder) == 1
    assert "must have the sha256" in capsys.readouterr().err
    assert not (folder / "dist").exists()
    monkeypatch.setattr(npm, "files", {"a": b"a", "b": b"b"})
    vendor.main(folder)
    (folder / "dist" / "a").write_bytes(b"spoiled")
    assert vendor.main(folder) == 1 and npm.calls == 2


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_a_network_the_book_is_built_all_the_same_but_not_in_ci(
    folder, monkeypatch, capsys, ci, code
):
    def fails(*arguments, **options):
        raise subprocess.CalledProcessError(1, "npm ci")

    monkeypatch.setattr(vendor, "find_npm", lambda: ["npm"])
    monkeypatch.setattr(vendor.subprocess, "run", fails)
    monkeypatch.setenv("CI", ci)
    assert vendor.main(folder) == code
    assert "could not fetch onnxruntime-web" in capsys.readouterr().err
