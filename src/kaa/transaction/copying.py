"""Copying what is on the disk as it is: content, links, permissions, times.

Paths are plain texts here: for the tens of thousands of files of an environment pathlib would
take longer than the system does.
"""

# ruff: noqa: PTH101, PTH115, PTH116, PTH123, PTH211
from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import os
import re
import shutil
import stat
import sys
from typing import TYPE_CHECKING

from kaa.model.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_LONGEST_TEXT = 2**20
"""Bytes up to which a file is looked through for paths."""
_FICLONE = 0x40049409
"""ioctl_ficlone(2): works on btrfs, xfs and others; elsewhere it fails."""


def link(source: str, target: str) -> bool:
    """Give a file a second name, where the system lets us; say whether it did."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def copy_file(
    source: str,
    status: os.stat_result,
    target: str,
    in_text: Callable[[bytes], bytes] | None,
    in_link: Callable[[bytes], bytes],
) -> None:
    """Copy a file or a link, with all its properties; ``status`` is that of ``source``.

    ``in_link`` replaces paths in where a link leads to, ``in_text``, if given, those in a text.
    """
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.fsdecode(in_link(os.fsencode(os.readlink(source)))), target)
    else:
        with reading(source):
            if in_text is not None and status.st_size <= _LONGEST_TEXT:
                with open(source, "rb") as stream:
                    content = stream.read()
                with open(target, "wb") as stream:
                    stream.write(content if b"\0" in content else in_text(content))
            else:
                clone(source, target)
    copy_properties(source, status, target)


def clone(source: str, target: str) -> None:
    """Copy a file's content, shared with the original until one is written to where that works."""
    if sys.platform == "linux":
        import fcntl

        with (
            open(source, "rb") as original,
            open(target, "wb") as copy,
            contextlib.suppress(OSError),
        ):
            fcntl.ioctl(copy, _FICLONE, original.fileno())
            return
    shutil.copyfile(source, target)


def copy_properties(source: str, status: os.stat_result, target: str) -> None:
    """Give a copy the owner (where the system lets us), permissions and times of the original.

    ``status`` is that of ``source``. A copy that could not get the owner runs with nobody's
    rights but the caller's: it must not lend them to others.
    """
    mode = stat.S_IMODE(status.st_mode)
    new = os.lstat(target)
    if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
        except OSError:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
    if stat.S_ISLNK(status.st_mode):
        if os.utime in os.supports_follow_symlinks:
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(target, ns=times, follow_symlinks=False)
        return
    _copy_attributes(source, target)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.chmod(target, mode)


def _copy_attributes(source: str, target: str) -> None:
    """Copy extended attributes, access control lists among them, as far as the system lets us."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for name in os.listxattr(source):
                with contextlib.suppress(OSError):
                    os.setxattr(target, name, os.getxattr(source, name))


def differ(old: str, status: os.stat_result, new: str) -> bool:
    """Say whether two files differ in kind or content, most often without reading them.

    ``status`` is that of ``old``.
    """
    try:
        other = os.lstat(new)
    except FileNotFoundError:
        return True
    if os.path.samestat(status, other):
        return False
    if stat.S_IFMT(status.st_mode) != stat.S_IFMT(other.st_mode):
        return True
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(old) != os.readlink(new)
    if status.st_size != other.st_size:
        return True
    if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns == other.st_mtime_ns:
        return False  # the linker keeps the times of what it copies, as carrying does
    with reading(old):
        return not filecmp.cmp(old, new, shallow=False)


def same_content(old: str, new: str) -> bool:
    """Say whether two regular files have the same bytes, whatever their times say."""
    try:
        if os.path.samestat(os.stat(old), os.stat(new)):
            return True
        with reading(old):
            return filecmp.cmp(old, new, shallow=False)
    except FileNotFoundError:
        return False


def sha256(path: str) -> str:
    """Return the hash of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def relocation(old: Iterable[Path], stable: Path) -> Callable[[bytes], bytes]:
    """Return what replaces the paths ``old`` by the stable one, and no longer path."""
    paths = {os.fsencode(way) for path in old for way in (path, os.path.realpath(path))}
    pattern = re.compile(
        b"(?<![\\w.-])(?:%s)(?![\\w.-])" % b"|".join(map(re.escape, sorted(paths)))
    )
    stable_path = os.fsencode(stable)
    return lambda content: pattern.sub(lambda _: stable_path, content)


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn a refusal to read into an error that names what cannot be read."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EIO):
            raise
        raise StoreError(
            f"{path} cannot be carried over into the environment's next generation",
            cause=error.strerror,
            hint="make it readable, or move it out of the environment",
        ) from error
