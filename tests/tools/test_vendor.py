"""What the site needs that is not ours: pinned, checked byte by byte, and fetched only once."""

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

    monkeypatch.setattr(vendor, "find", lambda tool: tool)
    monkeypatch.setattr(vendor.subprocess, "run", run)
    return Stand


def test_every_package_is_locked_by_its_hash_and_the_public_address():
    packages = {name: entry for name, entry in LOCK.items() if name}
    assert packages["node_modules/onnxruntime-web"]["version"] == "1.30.0"
    assert packages["node_modules/katex"]["version"] == "0.16.47"
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert entry["resolved"].startswith("https://registry.npmjs.org/")


def test_files_are_fetched_once_and_again_if_one_is_gone(folder, npm):
    assert vendor.main(folder) == 0 and npm.calls == 1
    found = {p.name: p.read_bytes() for p in (folder / "dist" / "pack").iterdir()}
    assert found == npm.files
    assert vendor.main(folder) == 0 and npm.calls == 1
    (folder / "dist" / "pack" / "b").unlink()
    assert vendor.main(folder) == 0 and npm.calls == 2


def test_a_wrong_byte_is_refused_and_nothing_is_kept(folder, npm, capsys, monkeypatch):
    monkeypatch.setattr(npm, "files", {"a": b"a", "b": b"x"})
    assert vendor.main(folder) == 1
    assert "must have the sha256" in capsys.readouterr().err
    assert not (folder / "dist").exists()
    monkeypatch.setattr(npm, "files", {"a": b"a", "b": b"b"})
    vendor.main(folder)
    (folder / "dist" / "pack" / "a").write_bytes(b"spoiled")
    assert vendor.main(folder) == 1 and npm.calls == 2


@pytest.fixture
def no_network(monkeypatch):
    def fails(*arguments, **options):
        raise subprocess.CalledProcessError(1, "npm ci")

    monkeypatch.setattr(vendor, "find", lambda tool: tool)
    monkeypatch.setattr(vendor.subprocess, "run", fails)


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_a_network_the_book_is_built_all_the_same_but_not_in_ci(
    folder, no_network, monkeypatch, capsys, ci, code
):
    monkeypatch.setenv("CI", ci)
    assert vendor.main(folder) == code
    assert "could not fetch pack (" in capsys.readouterr().err


def test_packages_are_named_without_their_files():
    files = ["@scope/face/LICENSE", "@scope/face/files/a.woff2", "katex/dist/katex.min.js"]
    assert vendor.packages(files) == ["@scope/face", "katex"]


def test_without_katex_no_book_is_built(folder, no_network, monkeypatch, capsys):
    monkeypatch.setattr(vendor, "NEEDED", "pack/")
    monkeypatch.delenv("CI", raising=False)
    assert vendor.main(folder) == 1
    assert "could not fetch KaTeX" in capsys.readouterr().err


def test_without_node_no_book_is_built_although_all_files_are_there(
    folder, npm, monkeypatch, capsys
):
    assert vendor.main(folder) == 0

    def fails(tool):
        raise FileNotFoundError("no node")

    monkeypatch.setattr(vendor, "find", fails)
    monkeypatch.delenv("CI", raising=False)
    assert vendor.main(folder) == 1
    assert "could not fetch KaTeX and node (no node)" in capsys.readouterr().err


def test_a_machine_without_npm_gets_it_beside_its_python(tmp_path, monkeypatch):
    calls = []

    def install(command, **options):
        calls.append(command)
        tool = tmp_path / "npm"
        tool.write_text("")
        tool.chmod(0o755)

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(vendor.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(vendor.subprocess, "run", install)
    assert vendor.find("npm") == str(tmp_path / "npm")
    assert calls[0][-1] == vendor.NODE
    vendor.find("npm")
    assert len(calls) == 1
