"""Which environments there are: kaa's own directory, and conda's list of all of them.

``~/.conda/environments.txt`` is where conda, mamba and VS Code look for environments, one prefix
a line. kaa adds its own there and finds its environments with a path of their own in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS, MANIFEST, Prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kaa.store.layout import Layout


def conda_environments_file() -> Path:
    """Return the path of conda's list of environments."""
    # Not Path.home, which raises for a user without a home
    return Path(os.path.expanduser("~"), ".conda", "environments.txt")  # noqa: PTH111


def find_prefixes(layout: Layout) -> list[Prefix]:
    """Return kaa's environments: the named ones, then those with a path, in order of name."""
    named = [prefix for folder in layout.all_environments for prefix in prefixes_in(layout, folder)]
    others = [
        Prefix(path)
        for path in listed_prefixes()
        if path.parent not in layout.all_environments and _is_ours(path)
    ]
    return sorted(named, key=lambda p: p.name) + sorted(others, key=lambda p: str(p.path))


def prefixes_in(layout: Layout, folder: Path) -> list[Prefix]:
    """Return the environments in a directory; in one that was configured, kaa's own only."""
    shared = folder in layout.environment_directories
    try:
        with os.scandir(folder) as entries:
            return [
                Prefix(folder / entry.name)
                for entry in entries
                if not entry.name.startswith(".")
                and (entry.is_symlink() or entry.is_dir())
                and (not shared or _is_link_of_ours(entry) or _is_ours(folder / entry.name))
            ]
    except OSError:
        return []  # no environment was made yet


def _is_link_of_ours(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and Path(entry.path).readlink().parts[:1] == (GENERATIONS,)
    except OSError:
        return False  # another process has just removed it


def _is_ours(path: Path) -> bool:
    # Path.is_file raises for directories closed to this user and for lines that are no path.
    return os.path.isfile(path / MANIFEST)  # noqa: PTH113


def register(layout: Layout, prefix: Path) -> None:
    """Add ``prefix`` to conda's list, once."""
    _edit(layout, lambda lines: lines if str(prefix) in lines else [*lines, str(prefix)])


def unregister(layout: Layout, prefix: Path) -> None:
    """Take ``prefix`` out of conda's list."""
    _edit(layout, lambda lines: [line for line in lines if line != str(prefix)])


def unregister_missing(layout: Layout, directories: Sequence[Path]) -> None:
    """Take environments directly below ``directories`` out of conda's list that are not there."""

    def is_gone(line: str) -> bool:
        path = Path(line)
        return path.parent in directories and not os.path.lexists(path)

    _edit(layout, lambda lines: [line for line in lines if not is_gone(line)])


def listed_prefixes() -> list[Path]:
    """Return the prefixes on conda's list, whoever made them; some may be gone, or no path."""
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
