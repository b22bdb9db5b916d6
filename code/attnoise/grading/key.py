"""The book's own notebook as the measure of grading: it must pass, and with which secret seeds."""

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .chapter import Chapter
from .examiner import Examination, Opens
from .results import PASSED, write_whole
from .session import Limits
from .staging import PACKAGE

SEEDS_TRIED = 12


class KeyFails(Exception):
    """The book's own notebook does not get full points: nothing may be graded with these checks."""


def release() -> str:
    """Return the package's version."""
    try:
        return version("attnoise")
    except PackageNotFoundError:
        return "unknown"


def digest_of(*parts: bytes | str) -> str:
    """Return a fingerprint of some parts."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "replace") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()[:32]


def rules(chapter: Chapter) -> str:
    """Return a fingerprint of all that decides about a submission: checks, chapter, package."""
    files = sorted(p for p in PACKAGE.rglob("*.py"))
    texts = [p.read_bytes() for p in files]
    return digest_of(release(), *texts, *(cell.source for cell in chapter.key))


def certify(chapter: Chapter, sandbox: Opens, count: int, known: Sequence[int]) -> list[int]:
    """Grade the book's own notebook, and return secret seeds under which it gets full points.

    Args:
        count: How many seeds are wanted.
        known: Seeds of an earlier run, taken first.

    Raises:
        KeyFails: It gets less, whatever the seeds.
    """
    candidates = [*known, *(secrets.randbits(62) for _ in range(SEEDS_TRIED))]
    if not missed(examined_key(chapter, sandbox, candidates[:count])):
        return candidates[:count]  # as nearly always
    if failed := missed(full := examined_key(chapter, sandbox, [])):
        raise KeyFails(
            f"The book's own {chapter.name}.ipynb does not get full points; grading would be "
            "unfair. " + " | ".join([*failed, *full.remarks])
        )
    good: list[int] = []
    for seed in candidates:
        if not missed(examined_key(chapter, sandbox, [seed])):
            good.append(seed)
        if len(good) == count:
            return good
    raise KeyFails(f"Of {len(candidates)} secret seeds the key passes under {len(good)} only.")


def missed(examination: Examination) -> list[str]:
    """List the exercises that did not pass, with what was said."""
    marks = examination.marks.values()
    return [f"{mark.name}: {mark.message}" for mark in marks if mark.status != PASSED]


def examined_key(chapter: Chapter, sandbox: Opens, seeds: Sequence[int]) -> Examination:
    """Examine the book's own notebook, with limits that a slow machine keeps."""
    examination = Examination(chapter, sandbox, seeds, Limits(cpu=600, wall=1200))
    examination.run(chapter.key)
    return examination


def remembered_seeds(out: Path, chapter: Chapter) -> list[int]:
    """Return the secret seeds of an earlier run on the same folder, or none.

    Raises:
        ValueError: The folder holds another chapter's grades.
    """
    path = out / "secret.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text("utf-8"))
    if found["chapter"] != chapter.name:
        raise ValueError(f"{out} holds the grades of {found['chapter']}; name another folder.")
    return [int(seed) for seed in found["seeds"]]


def remember_seeds(out: Path, chapter: Chapter, seeds: Sequence[int]) -> None:
    """Keep the secret seeds, readable by their owner only, for when grading goes on."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "secret.json"
    old = os.umask(0o077)
    try:
        write_whole(path, json.dumps({"chapter": chapter.name, "seeds": list(seeds)}) + "\n")
    finally:
        os.umask(old)
