"""Where GitHub Pages publishes a repository: the one rule behind every canonical address."""

import re

REPOSITORY = re.compile(r"https://github\.com/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)/?")


def site_address(repository: str) -> str:
    """The address of a repository's website, with a slash at its end; "" on an unknown host.

    >>> site_address("https://github.com/Somebody/course")
    'https://somebody.github.io/course/'
    >>> site_address("https://github.com/somebody/somebody.github.io")
    'https://somebody.github.io/'
    """
    found = REPOSITORY.fullmatch(repository)
    if found is None:
        return ""
    host = f"{found['owner'].lower()}.github.io"
    own_site = found["name"].lower() == host
    return f"https://{host}/" if own_site else f"https://{host}/{found['name']}/"
