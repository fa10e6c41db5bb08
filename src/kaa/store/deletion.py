"""Files are deleted, and what that has freed is counted."""

# Paths are plain texts here: there are thousands of them.
# ruff: noqa: PTH101, PTH106, PTH108

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from kaa.store.disk import disk_size

if TYPE_CHECKING:
    from pathlib import Path


def delete_counted(path: Path) -> int:
    """Delete a file, a link or a directory with all that is in it; return the bytes it freed.

    What has a name elsewhere, too, frees nothing. Others may be deleting the same: what is gone
    meanwhile is no error, and counts for whom it was deleted by. Directories that are closed to
    writing are opened. What cannot be deleted stays; see whether ``path`` still exists.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    if stat.S_ISDIR(status.st_mode):
        return _delete_tree(os.fspath(path), status)
    return _unlink(os.fspath(path), status)


def _delete_tree(top: str, status: os.stat_result) -> int:
    freed = 0
    if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        with suppress(OSError):
            os.chmod(top, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
    try:
        with os.scandir(top) as entries:
            names = list(entries)
    except OSError:
        return 0
    for entry in names:
        try:
            found = os.lstat(entry.path)
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode):
            freed += _delete_tree(entry.path, found)
        else:
            freed += _unlink(entry.path, found)
    try:
        os.rmdir(top)
    except OSError:
        return freed
    return freed + disk_size(status)


def _unlink(path: str, status: os.stat_result) -> int:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return 0
    except OSError:
        if os.name != "nt":
            return 0
        try:  # Windows deletes no file that is read-only
            os.chmod(path, stat.S_IWRITE)
            os.unlink(path)
        except OSError:
            return 0
    return disk_size(status) if status.st_nlink <= 1 else 0
