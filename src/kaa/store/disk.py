"""What the operating system says of the disk, said so that a person can act on it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kaa.model.errors import DiskFullError, NotWritableError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 512
"""Bytes in the unit of ``st_blocks``, whatever the file system's own unit is (POSIX, Python)."""
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe waits for whoever writes into it, without this."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}
_FULL_WORDS = ("no space left", "os error 28", "disk quota exceeded")
_CLOSED_WORDS = (
    "permission denied",
    "read-only file system",
    "operation not permitted",
    "not a directory",
)


if os.name == "nt":

    def disk_size(status: os.stat_result) -> int:
        """Return the bytes that a file takes: its length, where the system does not tell more."""
        return status.st_size

else:

    def disk_size(status: os.stat_result) -> int:
        """Return the bytes that a file takes on the disk."""
        return status.st_blocks * _BLOCK


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


def check_writable(directory: Path) -> None:
    """Raise :class:`NotWritableError` if ``directory`` cannot be made, or be written to.

    So much can be told without trying, and before hours of work; a full disk cannot.
    """
    # lexists, since Path.exists raises where a directory on the way is closed.
    paths = (directory, *directory.parents)
    there = next(path for path in paths if os.path.lexists(path))
    if not there.is_dir():
        raise _closed(directory, f"{there} is not a directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _closed(directory, f"{there} is not yours to write to, or read-only")


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


def flush(directory: Path) -> None:
    """Wait until all that was written to the file system of ``directory`` is on its disk.

    Then a loss of power cannot leave a link to what never got there. ``KAA_FLUSH=0`` leaves it
    out. Windows has no such call for those who do not administer the machine.
    """
    if os.environ.get("KAA_FLUSH") == "0":
        return
    if sys.platform == "linux":
        import ctypes

        descriptor = os.open(directory, os.O_RDONLY)
        try:
            # syncfs(2): one file system, where sync(2) would wait for all of them
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) == 0:
                return
        except AttributeError:
            pass  # a C library without it
        finally:
            os.close(descriptor)
    if hasattr(os, "sync"):
        os.sync()


def make_directory(path: Path) -> None:
    """Make a directory that is open to whom the one above it is open to, whatever the umask is.

    So what is set up for a group stays a place of the group; of a place for everybody (sticky, as
    ``/tmp``) only reading is passed on. Those above are made as the umask says. Raises ``OSError``.
    """
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(exist_ok=True)
    above, own = path.parent.stat().st_mode, path.stat().st_mode
    more = above & (0o055 if above & stat.S_ISVTX else 0o075)
    if own & more != more:
        path.chmod(stat.S_IMODE(own) | more)


def read_file(path: Path) -> bytes:
    """Return the content of a regular file; for files that anybody may have put where they are.

    Raises ``OSError``, for a pipe or a device too: reading one might wait for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return stream.read()


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file so that a reader sees the old one or the new one, whole; directories are made.

    ``mode`` are its permissions, from the first moment on; None leaves them to the umask. Raises
    ``OSError``, and then nothing is left beside ``path``.
    """
    from kaa.store.run_token import temporary_name

    beside = path.with_name(temporary_name(f".{path.name}."))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode is not None:
            beside.touch(0o600)
            beside.chmod(mode)
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def rewrite_file(path: Path, content: bytes) -> None:
    """Replace a file that is its user's as :func:`replace_file` does, and leave the rest of it.

    A link, into somebody's collection of settings, stays one; permissions and owner stay. Raises
    ``OSError``, also for what is no regular file: a device (``/dev/null``) would be gone.
    """
    from pathlib import Path

    target = Path(os.path.realpath(path))  # unlike Path.resolve, no error of its own for loops
    try:
        status = target.stat()
    except FileNotFoundError:
        replace_file(target, content)
        return
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", os.fspath(target))
    replace_file(target, content, stat.S_IMODE(status.st_mode))
    if os.name != "nt":
        with suppress(OSError):
            os.chown(target, status.st_uid, status.st_gid)


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
        hint="check the directory's permissions, or choose another (KAA_ROOT sets kaa's own)",
    )
