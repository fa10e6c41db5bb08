"""A directory tree by hash: kinds, permissions and contents, to be compared as a whole."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = "conda-meta/history"


def tree(directory: Path, *, without: frozenset[str] = frozenset({HISTORY})) -> dict[str, str]:
    """Return what is below a directory (the one that a link leads to), by path.

    conda's history is left out unless ``without`` says otherwise: each change writes a line.
    """
    top = directory.resolve()
    found = {}
    for folder, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = os.path.join(folder, name)  # noqa: PTH118
            inner = os.path.relpath(path, top)
            if inner not in without:
                found[inner] = _identity(path)
    return found


def _identity(path: str) -> str:
    status = os.lstat(path)
    mode = f"{stat.S_IMODE(status.st_mode):o}"
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(path)}"  # noqa: PTH115
    if stat.S_ISDIR(status.st_mode):
        return f"directory {mode}"
    with open(path, "rb") as stream:  # noqa: PTH123
        return f"{mode} {hashlib.sha256(stream.read()).hexdigest()}"
