"""Seal the answers of the exercises that a page can check: web/sphinx_site/answers.json.

  python tools/answers.py            write the file
  python tools/answers.py --check    exit with 1 if the file is older than the checkers

Nothing in the file can be read. A reader's numbers, put through a slow hash, are the keys: each
opens a token, the tokens of all fields together open the sentence that the check would say, of
praise or of a known mistake. js/exercises.js does on the page what `opened` does here. It keeps an
answer from being seen by chance; a machine that tries all numbers finds it.
"""

import argparse
import base64
import hashlib
import hmac
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from notebooks import ROOT, all_notebooks

from attnoise.exercises.comparisons import Table, answerable, grid_point, table_of
from attnoise.exercises.mechanism import Exercise

PATH = ROOT / "web" / "sphinx_site" / "answers.json"
ITERATIONS = 20_000  # of the slow hash: some milliseconds for each number that is tried
TAG, TOKEN, KEY = 6, 8, 16  # bytes; a tag says which entry a key opens
NONE = bytes(TOKEN)  # the token of a number that is near nothing


def slow(text: str, salt: str) -> bytes:
    """Return the key of one number in one field."""
    return hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), ITERATIONS)


def quick(key: bytes, purpose: str, length: int) -> bytes:
    """Return that many bytes which nobody can tell without the key."""
    blocks = -(-length // hashlib.sha256().digest_size)
    stream = (hmac.digest(key, f"{purpose}{i}".encode(), "sha256") for i in range(blocks))
    return b"".join(stream)[:length]


def crossed(text: bytes, key: bytes) -> bytes:
    """Seal bytes, or open sealed ones: both are the same."""
    stream = quick(key, "text", len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))


def joined(tokens: Sequence[bytes], salt: str) -> bytes:
    """Return the key that the tokens of all fields make together."""
    return hashlib.sha256(salt.encode() + b"".join(tokens)).digest()


def as_text(sealed: bytes) -> str:
    return base64.b64encode(sealed).decode()


def tag_of(key: bytes) -> str:
    return quick(key, "tag", TAG).hex()


def sealed(table: Table, salt: str) -> dict:
    """Return a table with everything in it sealed."""
    fields, tokens = [], []
    for number, classes in enumerate(table.classes):
        own: dict[int, bytes] = {0: NONE}
        entries = {}
        for name, of_class in classes.items():
            key = slow(f"{number} {name}", salt)
            token = own.setdefault(of_class, quick(key, "token", TOKEN))
            entries[tag_of(key)] = as_text(crossed(token, key))
        fields.append(dict(sorted(entries.items())))
        tokens.append(own)
    said: dict[str, tuple[int, bytes]] = {}  # each sentence's place and key
    sentences, verdicts = [], {}
    for chosen, verdict in table.verdicts.items():
        key = joined([own[i] for own, i in zip(tokens, chosen, strict=True)], salt)
        if verdict not in said:
            said[verdict] = (len(sentences), quick(key, "sentence", KEY))
            sentences.append(as_text(crossed(verdict.encode(), said[verdict][1])))
        place, sentence_key = said[verdict]
        verdicts[tag_of(key)] = [place, as_text(crossed(sentence_key, key))]
    return {
        "salt": salt,
        "iterations": ITERATIONS,
        "units": list(table.units),
        "fields": fields,
        "verdicts": dict(sorted(verdicts.items())),
        "sentences": sentences,
    }


def opened(entry: dict, numbers: Sequence[float | str]) -> str:
    """Return what a page says to an answer: numbers, or the text of the options chosen."""
    tokens = []
    for i, (field, unit, x) in enumerate(
        zip(entry["fields"], entry["units"], numbers, strict=True)
    ):
        key = slow(f"{i} {grid_point(float(x), unit) if unit else x}", entry["salt"])
        found = field.get(tag_of(key))
        tokens.append(crossed(base64.b64decode(found), key) if found else NONE)
    for some in (tokens, [NONE] * len(tokens)):
        key = joined(some, entry["salt"])
        if tag_of(key) in entry["verdicts"]:
            place, sentence_key = entry["verdicts"][tag_of(key)]
            text = base64.b64decode(entry["sentences"][place])
            return crossed(text, crossed(base64.b64decode(sentence_key), key)).decode()
    raise ValueError(f"{entry['salt']} has no verdict for {numbers}")


def asked(exercise: Exercise) -> list[dict]:
    """Describe the fields that an exercise needs on a page."""
    return [
        {"label": f.label, "options": list(f.options), "choose": f.choose} for f in exercise.asks
    ]


def chapters() -> dict[str, list[Exercise]]:
    """List the exercises that fields can answer, by chapter, as in "book/attention/attention"."""
    found = {}
    for path in all_notebooks():
        name = str(path.relative_to(ROOT).with_suffix("").as_posix())
        module = f"attnoise.exercises.{path.stem.replace('-', '_')}"
        found[name] = answerable(importlib.import_module(module))
    return found


def fingerprint(table: Table) -> str:
    """Return a few signs that tell a table, and how it is sealed, from any other."""
    return hashlib.sha256(f"{table} {ITERATIONS}".encode()).hexdigest()[:16]


def older(content: dict[str, dict]) -> list[str]:
    """List the exercises of which the file does not hold what the checkers say today."""
    held = {
        f"{chapter} {number}": (entry["of"], entry["asks"])
        for chapter, entries in content.items()
        for number, entry in entries.items()
    }
    today = {
        f"{chapter} {one.number}": (fingerprint(table_of(one)), asked(one))
        for chapter, found in chapters().items()
        for one in found
    }
    return sorted(name for name in held | today if held.get(name) != today.get(name))


def make() -> dict[str, dict]:
    """Return what the file holds: for each chapter its exercises by number."""
    content: dict[str, dict] = {}
    for chapter, found in chapters().items():
        content[chapter] = {}
        for one in found:
            table = table_of(one)
            content[chapter][str(one.number)] = {
                "asks": asked(one),
                "of": fingerprint(table),
                **sealed(table, f"{chapter} {one.number}"),
            }
    return content


def write(path: Path, content: dict) -> None:
    """Write the file, an exercise's parts on lines of their own."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if not options.check:
        write(PATH, make())
    elif names := older(json.loads(PATH.read_text("utf8"))):
        sys.exit(f"older than the checkers: {', '.join(names)}; run: python tools/answers.py")


if __name__ == "__main__":
    main()
