"""What a directory of source is known by: it is built anew when this changes."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from kaa.model.errors import SourceUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ANYWHERE = frozenset(
    {
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ipynb_checkpoints",
        "node_modules",
    }
)
_AT_THE_TOP = frozenset({"build", "dist"})
"""What backends write to; deeper inside, a package may well have such a name."""
_VERSIONS = ("HEAD", "packed-refs", "refs/tags", "logs/HEAD")
"""What changes in ``.git`` with commits and tags, of which some backends make the version."""


def tree_fingerprint(directory: Path) -> str:
    """Return a sha256, hexadecimal, of the names, sizes and modification times of all files.

    Version control, virtual environments, caches and what builds leave are not looked at. Raises
    :class:`~kaa.model.errors.SourceUnreachableError` when the directory cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for line in _lines(str(directory), ""):
            digest.update(line.encode("utf-8", "surrogateescape"))
        for name in _VERSIONS:
            path = directory / ".git" / name
            if path.exists():
                status = path.stat()
                digest.update(f".git/{name}\0{status.st_mtime_ns}\0{status.st_size}\n".encode())
    except OSError as error:
        raise SourceUnreachableError(
            f"the project in {directory} cannot be read",
            cause=error.strerror,
            hint="check the path and its permissions",
        ) from error
    return digest.hexdigest()


def _lines(directory: str, below: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        place = f"{below}{entry.name}"
        if entry.is_symlink():
            yield f"{place}\0{os.readlink(entry.path)}\n"  # noqa: PTH115 - called 10^4 times
        elif entry.is_dir():
            if not _left_out(entry, below):
                yield from _lines(entry.path, f"{place}/")
        else:
            status = entry.stat()
            yield f"{place}\0{status.st_mtime_ns}\0{status.st_size}\n"


def _left_out(entry: os.DirEntry[str], below: str) -> bool:
    return (
        entry.name in _ANYWHERE
        or (not below and entry.name in _AT_THE_TOP)
        or entry.name.endswith(".egg-info")
        or os.path.exists(f"{entry.path}/pyvenv.cfg")  # noqa: PTH110 - called 10^4 times
    )
