"""Whose an unfinished file is: its name has the token of the process that makes it.

A token stands for one process, and is alive as long as that process holds a lock file with it in
its name (:func:`kaa.store.locks.at_work`). A process id would not do: containers that share a disk
have the same ones.
"""

from __future__ import annotations

import functools
import os
import re

_TOKEN = re.compile(r"(?<![0-9a-f])([0-9a-f]{16})-[0-9a-f]{8}(?![0-9a-f])")


@functools.cache
def run_token() -> str:
    """Return this process's token: 16 hexadecimal digits."""
    return random_text(8)


def temporary_name(before: str = "", after: str = "") -> str:
    """Return a name that nothing has yet and that says whose it is, between two texts."""
    return f"{before}{run_token()}-{random_text(4)}{after}"


def token_of(name: str) -> str | None:
    """Return the token in the name of an unfinished file, None if there is none."""
    found = _TOKEN.search(name)
    return found[1] if found else None


def random_text(size: int) -> str:
    """Return ``size`` random bytes, hexadecimal; ``secrets`` takes 5 ms to import for the same."""
    return os.urandom(size).hex()
