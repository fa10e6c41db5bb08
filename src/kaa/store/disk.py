"""What the operating system says of the disk, said so that a person can act on it."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kaa.model.errors import DiskFullError, NotWritableError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}
_FULL_WORDS = ("no space left", "os error 28", "disk quota exceeded")
_CLOSED_WORDS = (
    "permission denied",
    "read-only file system",
    "operation not permitted",
    "not a directory",
)


def disk_error(error: OSError, path: Path) -> StoreError:
    """Return the error to show for ``error``, which happened while writing ``path``."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return _full(path, reason)
    if error.errno in _CLOSED:
        return _closed(path, reason)
    return StoreError(
        f"{path} cannot be written", cause=reason, hint="check the directory and its disk"
    )


def disk_error_in(message: str, path: Path) -> StoreError | None:
    """Return the error for a library's message that is about the disk, None for any other."""
    said = message.lower()
    if any(word in said for word in _FULL_WORDS):
        return _full(path, message)
    if any(word in said for word in _CLOSED_WORDS):
        return _closed(path, message)
    return None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn every ``OSError`` of the block into the error for writing ``path``."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def _full(path: Path, reason: str) -> StoreError:
    return DiskFullError(
        f"there is no space left for {path}",
        cause=reason,
        hint="free some space, or set KAA_ROOT to a directory on another disk",
    )


def _closed(path: Path, reason: str) -> StoreError:
    return NotWritableError(
        f"{path} cannot be written",
        cause=reason,
        hint="check the directory's permissions, or set KAA_ROOT to a directory of yours",
    )
