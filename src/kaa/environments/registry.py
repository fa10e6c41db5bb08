"""Which environments there are: kaa's own directory, and conda's list of all of them.

``~/.conda/environments.txt`` is where conda, mamba and VS Code look for environments, one prefix
a line. kaa adds its own there and finds its environments with a path of their own in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import MANIFEST, Prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from kaa.store.layout import Layout


def conda_environments_file() -> Path:
    """Return the path of conda's list of environments."""
    # Not Path.home, which raises for a user without a home
    return Path(os.path.expanduser("~"), ".conda", "environments.txt")  # noqa: PTH111


def find_prefixes(layout: Layout) -> list[Prefix]:
    """Return kaa's environments: the named ones, then those with a path, in order of name."""
    named = []
    try:
        with os.scandir(layout.environments) as entries:
            named = [
                Prefix(layout.environments / entry.name)
                for entry in entries
                if not entry.name.startswith(".") and (entry.is_symlink() or entry.is_dir())
            ]
    except OSError:
        named = []  # no environment was made yet
    others = [
        Prefix(path)
        for path in _listed()
        # Path.is_file raises for directories closed to this user and for lines that are no path.
        if path.parent != layout.environments and os.path.isfile(path / MANIFEST)  # noqa: PTH113
    ]
    return sorted(named, key=lambda p: p.name) + sorted(others, key=lambda p: str(p.path))


def register(layout: Layout, prefix: Path) -> None:
    """Add ``prefix`` to conda's list, once."""
    _edit(layout, lambda lines: lines if str(prefix) in lines else [*lines, str(prefix)])


def unregister(layout: Layout, prefix: Path) -> None:
    """Take ``prefix`` out of conda's list."""
    _edit(layout, lambda lines: [line for line in lines if line != str(prefix)])


def _listed() -> list[Path]:
    try:
        lines = _lines(conda_environments_file())
    except OSError:
        return []  # closed to this user: conda passes over it as well
    return [Path(line) for line in lines if line]


def _lines(path: Path) -> list[str]:
    try:
        # Other programs' lines are kept as they are, whatever their encoding.
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def _edit(layout: Layout, change: Callable[[list[str]], list[str]]) -> None:
    from kaa.store.disk import replace_file
    from kaa.store.locks import locked

    # Where the list is a link, into somebody's collection of settings, it stays one.
    path = conda_environments_file().resolve()
    with locked(layout, "environments.txt"):
        before = _lines(path)
        after = change(before)
        if after == before:
            return
        text = "".join(f"{line}\n" for line in after)
        replace_file(path, text.encode("utf-8", "surrogateescape"))
