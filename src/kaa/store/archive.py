"""A conda package archive (``.conda`` or ``.tar.bz2``) becomes a directory, as the linker takes it.

rattler unpacks, and never outside of the directory: names lose a leading slash, members with
``..`` are left out, nothing is written through a link, hard links stay inside, devices become
empty files. What it does not look at is what the package *says* of itself: its linker follows
``info/paths.json`` wherever that leads (out of the environment with ``..``, and to the end of the
process with an absolute path), so that is checked here, before anything can be linked.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kaa.model.errors import UnsafeArchiveError
from kaa.store.disk import disk_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.model.errors import StoreError

_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_NOT_ITS_FAULT = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
_WRITERS = stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


def extract_package(archive: Path, target: Path) -> None:
    """Extract ``archive`` into the empty directory ``target``.

    Nobody but the owner can write to the files, whatever modes the archive gives them, because
    environments share them; set-user-id bits go, too.

    Raises :class:`UnsafeArchiveError` for an archive that is damaged, that lacks a file which it
    lists, or that would put something outside of the environment, and
    :class:`~kaa.model.errors.StoreError` for the disk; ``OSError`` is the caller's to explain.
    """
    try:
        _unpack(archive, target)
    finally:
        # After a failure, too: a directory that is closed to its owner cannot be removed.
        links, files = _settle(target)
    for link in links:
        _check_link(link, target, archive.name)
    _check_paths(target, files, set(links), archive.name)


def _unpack(archive: Path, target: Path) -> None:
    from rattler.package_streaming import extract

    try:
        extract(archive, target)
    except Exception as error:  # rattler's own come as several classes, a panic among them
        raise _of_the_system(str(error), target) or _damaged(archive.name, str(error)) from error


def _of_the_system(message: str, target: Path) -> StoreError | None:
    """Return the error for a reason that is not the archive's, None for others.

    What the system denies otherwise is the archive's own doing, because the directory is new: a
    hard link to a directory, a file where another member wants a directory.
    """
    number = _SYSTEM_ERROR.search(message)
    if number is None or int(number[1]) not in _NOT_ITS_FAULT:
        return None
    return disk_error(OSError(int(number[1]), os.strerror(int(number[1]))), target)


def _settle(target: Path) -> tuple[list[str], set[str]]:
    """Give every file and directory a safe mode; return the links and all files and links."""
    links: list[str] = []
    files: set[str] = set()
    root = len(str(target)) + 1
    for entry in _walk(target):
        mode = entry.stat(follow_symlinks=False).st_mode
        path = entry.path[root:].replace(os.sep, "/")
        if stat.S_ISLNK(mode):
            links.append(path)
            files.add(path)
            continue
        if stat.S_ISREG(mode):
            files.add(path)
        safe = (stat.S_IMODE(mode) & ~_WRITERS) | (0o700 if stat.S_ISDIR(mode) else 0o600)
        if safe != stat.S_IMODE(mode):
            Path(entry.path).chmod(safe)
    return links, files


def _walk(directory: Path | str) -> Iterator[os.DirEntry[str]]:
    """Yield everything below ``directory``, each directory before it is looked into."""
    with os.scandir(directory) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)


def _check_link(path: str, target: Path, name: str) -> None:
    """Refuse a link that leads out of the package and through which others could write.

    conda-build lets packages have links to files of the system; those lead to no directory.
    """
    link = target / path
    destination = os.readlink(link)  # noqa: PTH115 - as it is written, not as Path tidies it
    if Path(destination).is_absolute():
        if link.is_dir():
            raise _unsafe(name, f"its link {path} leads to the directory {destination}")
        return
    written = Path(os.path.normpath(f"{PurePosixPath(path).parent}/{destination}"))
    real = Path(os.path.realpath(link))
    if written.parts[:1] == ("..",) or not real.is_relative_to(os.path.realpath(target)):
        raise _unsafe(name, f"its link {path} leads out of the environment, to {destination}")


def _check_paths(target: Path, files: set[str], links: set[str], name: str) -> None:
    """Check what the linker is told to link: ``info/paths.json``, or what came before it."""
    from rattler import PathsJson

    try:
        listed = PathsJson.from_package_directory_with_deprecated_fallback(target).paths
        paths = [entry.relative_path for entry in listed]
    except Exception as error:  # rattler's, for files that are missing or not what they should be
        raise _damaged(name, f"its list of files cannot be read: {error}") from error
    for path in paths:
        if path.is_absolute() or path.drive or ".." in path.parts or not path.parts:
            raise _unsafe(name, f"it would put a file at {path}")
    for directory in {directory for path in paths for directory in path.parents}:
        if directory.as_posix() in links:
            raise _unsafe(name, f"it would put files below the link {directory}")
    for path in paths:
        if path.as_posix() not in files and not (target / path).is_dir():
            raise _damaged(name, f"it lists {path}, which is not in it")


def _unsafe(name: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the package {name} was refused",
        cause=why,
        hint="tell the channel's owners; choose another version or build until it is mended",
    )


def _damaged(name: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the package {name} is damaged",
        cause=why,
        hint="tell the channel's owners; choose another version or build until it is mended",
    )
