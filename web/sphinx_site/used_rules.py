"""Leave out of a style sheet the rules for what no page shows: most of a theme."""

import re
from collections.abc import Iterable, Set

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")
EMPTY = re.compile(r"@(?:media|supports|layer|container)\b[^{};]*\{\s*\}")
INSIDE = re.compile(r"\([^()]*\)|\[[^\]]*\]")  # what :is(), :not() and attributes ask for
NAME = re.compile(r"[.#]([A-Za-z_-][\w-]*)")
IN_PAGE = re.compile(r'\b(?:class|id)="([^"]*)"')
WORD = re.compile(r"[A-Za-z_-][\w-]*")


def names_in(pages: Iterable[str], scripts: Iterable[str]) -> set[str]:
    """Collect the classes and ids of pages, and every word of scripts, which may set more."""
    found: set[str] = set()
    for page in pages:
        for value in set(IN_PAGE.findall(page)):
            found.update(value.split())
    for script in scripts:
        found.update(WORD.findall(script))
    return found


def used(sheet: str, names: Set[str]) -> str:
    """Return a style sheet without comments and without rules whose classes or ids are unknown.

    Args:
        sheet: Plain CSS without nested rules.
        names: The classes and ids that pages show, or may show.
    """
    sheet = RULE.sub(lambda rule: kept(rule, names), COMMENT.sub("", sheet))
    while EMPTY.search(sheet):
        sheet = EMPTY.sub("", sheet)
    return re.sub(r"\n\s*", "\n", sheet).strip()


def kept(rule: re.Match, names: Set[str]) -> str:
    """Return a rule with those of its selectors that can match; nothing if none can."""
    selectors, body = rule.groups()
    if selectors.lstrip().startswith("@"):  # a font or a property
        return rule[0]
    able = [one for one in split(selectors) if required(one) <= names]
    return f"{','.join(able)}{{{body}}}" if able else ""


def split(selectors: str) -> list[str]:
    """Split a list of selectors at its commas, not at those in brackets."""
    parts, depth = [""], 0
    for sign in selectors:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def required(selector: str) -> set[str]:
    """Return the classes and ids without which a selector matches nothing."""
    selector = selector.replace("\\", "")
    while INSIDE.search(selector):
        selector = INSIDE.sub("", selector)
    return set(NAME.findall(selector))
