"""What two generations share, and whose their paths are, found out as late and as little as can be.

Of the tens of thousands of files of an environment a change moves a few. What both generations
have from the package cache is one file with two names, which the listings of their directories
tell, without a question about each file.
"""

# Paths are plain texts here, as in kaa.transaction.copying and for its reason.
from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kaa.environments.records import PackageFiles


def not_shared(
    entries: Sequence[os.DirEntry[str]], there: Mapping[str, os.DirEntry[str]]
) -> list[os.DirEntry[str]]:
    """Return those of a directory's ``entries`` that are not the same files ``there``, by name.

    ``there`` is another directory, by name. Directories are never the same. Some file systems list
    numbers that mean nothing (FUSE), or the same ones on several devices (overlays): one entry of
    each directory is asked for, to see whether the listing is true, and where it is not all are.
    """
    shared = [
        entry
        for entry in entries
        if (twin := there.get(entry.name)) is not None and twin.inode() == entry.inode()
    ]
    if shared and not _is_same(shared[0], there, listed=shared[0].inode()):
        shared = [entry for entry in entries if _is_same(entry, there)]
    names = {entry.name for entry in shared}
    rest = [entry for entry in entries if entry.name not in names]
    rest.sort(key=lambda entry: entry.name)
    return rest


def _is_same(
    entry: os.DirEntry[str],
    there: Mapping[str, os.DirEntry[str]],
    listed: int | None = None,
) -> bool:
    """Ask whether two files are one; if a number is ``listed``, that it is theirs, too."""
    twin = there.get(entry.name)
    if twin is None or entry.is_dir(follow_symlinks=False):
        return False
    try:
        status = os.lstat(entry.path)
        return listed in (None, status.st_ino) and os.path.samestat(status, os.lstat(twin.path))
    except FileNotFoundError:
        return False  # a running program has deleted it


def source_of(path: str) -> str | None:
    """Return the module whose bytecode (PEP 3147) the path is; None for everything else."""
    directory, _, name = path.rpartition("/")
    if not name.endswith(".pyc") or not directory.endswith("__pycache__"):
        return None
    return f"{directory[: -len('__pycache__')]}{name.split('.', 1)[0]}.py"


def recorded_otherwise(path: str, before: PackageFiles, after: Owners) -> bool:
    """Say whether the same package has another content for ``path`` in two generations' records.

    One of them was adopted: its package is what another installer made of the wheel, whose scripts
    and lists are its own. Nobody has edited that, and it belongs to that generation.
    """
    owner = after.get(path)
    hashes = {each.hashes.get(path) for each in (before, owner) if each is not None}
    return len(hashes - {None}) > 1


class Owners:
    """Says whose a path is; what is needed for that is made when the first one asks."""

    __slots__ = ("_by_path", "_packages")

    def __init__(self, packages: Sequence[PackageFiles]) -> None:
        self._packages = packages
        self._by_path: dict[str, PackageFiles] | None = None

    def get(self, path: str) -> PackageFiles | None:
        """Return the package that has ``path``, None when none has."""
        return self._map().get(path)

    def __contains__(self, path: str) -> bool:
        return path in self._map()

    def has_below(self, directory: str) -> bool:
        """Say whether a package has anything below ``directory``."""
        return any(path.startswith(f"{directory}/") for path in self._map())

    def _map(self) -> dict[str, PackageFiles]:
        if self._by_path is None:
            self._by_path = {path: package for package in self._packages for path in package.files}
        return self._by_path
