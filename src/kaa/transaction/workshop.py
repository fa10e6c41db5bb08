"""A tree beside the staged generation, in which link scripts may do what they like.

Files of a generation share their content with the package cache and name the environment's stable
path, where the old generation is, or nothing yet. Scripts must not write into the former, and what
they start must not work on the latter. So they run in a tree of their own: the same packages,
copied instead of linked, with the tree's own path in them, and what no package owns. What has
changed in there afterwards is brought into the staged generation, where it names the stable path.

Bytecode and package records are not brought: kaa writes its own.
"""

# Paths are plain texts here, as in kaa.transaction.copying and for its reason.
# ruff: noqa: PTH102, PTH105, PTH106, PTH108, PTH115, PTH123, PTH211

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kaa.environments.records import read_files
from kaa.store.disk import writing
from kaa.transaction.copying import clone, copy_properties, relocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PART = ".kaa-part"
_LONGEST_TEXT = 2**26
"""Bytes up to which a text is rewritten to name the stable path."""


class _Seen(NamedTuple):
    """What tells whether something has changed: of links the target, of directories the mode."""

    mode: int
    inode: int
    size: int
    modified: int
    changed: int
    target: str


Snapshot = dict[str, _Seen]


@dataclass(slots=True)
class Brought:
    """What scripts have changed: paths below the prefix, with forward slashes.

    ``stuck`` are those among ``written`` that name the tree they were made in and could not be
    rewritten, because they are no texts.
    """

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


def add_unowned(staging: Path, workshop: Path) -> None:
    """Give what no package owns in ``staging`` a second name in ``workshop``.

    It is the staged generation's own, and goes with it when a script fails. Raises the errors of
    the disk.
    """
    owned = {path for package in read_files(staging) for path in package.files}
    source, target = os.fspath(staging), os.fspath(workshop)
    with writing(workshop):
        for path, entry in _walk(source):
            if path in owned or _is_ours(path) or os.path.lexists(f"{target}/{path}"):
                continue
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), f"{target}/{path}")
            elif entry.is_dir():
                os.mkdir(f"{target}/{path}")
            elif path.endswith(".pyc"):
                continue  # shared with the old generation, and made again where it is missed
            elif entry.is_file():
                _second_name(entry.path, f"{target}/{path}")


def snapshot(workshop: Path) -> Snapshot:
    """Return what is in the tree now."""
    return {path: _seen(entry) for path, entry in _walk(os.fspath(workshop)) if not _is_ours(path)}


def bring_changes(workshop: Path, before: Snapshot, staging: Path, stable: Path) -> Brought:
    """Do in ``staging`` what was done in ``workshop`` since the snapshot, and say what it was.

    No file of ``staging`` is written into: each that differs becomes a new one. Raises the errors
    of the disk.
    """
    after = snapshot(workshop)
    brought = Brought()
    work = _Bringing(
        os.fspath(workshop), os.fspath(staging), relocation([workshop], stable), brought
    )
    with writing(staging):
        # What is deepest first, so that directories are empty when their turn comes.
        for path in sorted(before, reverse=True):
            if path not in after or _kind(after[path]) != _kind(before[path]):
                work.remove(path, before[path])
        changed = [path for path in sorted(after) if after[path] != before.get(path)]
        for path in changed:
            work.write(path, after[path])
        for path in reversed(changed):  # now that nothing is added to them any more
            if stat.S_ISDIR(after[path].mode):
                work.finish(path)
    return brought


@dataclass(slots=True)
class _Bringing:
    workshop: str
    staging: str
    relocate: Callable[[bytes], bytes]
    brought: Brought

    def remove(self, path: str, was: _Seen) -> None:
        target = f"{self.staging}/{path}"
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(was.mode):
                os.unlink(target)
                self.brought.removed.append(path)
            else:
                with contextlib.suppress(OSError):
                    os.rmdir(target)  # bytecode may still be in it

    def write(self, path: str, seen: _Seen) -> None:
        source, target = f"{self.workshop}/{path}", f"{self.staging}/{path}"
        if stat.S_ISDIR(seen.mode):
            with contextlib.suppress(FileExistsError):
                os.mkdir(target)
            return
        part = f"{self.staging}/{_PART}"
        status = os.lstat(source)
        if stat.S_ISLNK(seen.mode):
            os.symlink(os.fsdecode(self.relocate(os.fsencode(seen.target))), part)
        elif stat.S_ISREG(seen.mode):
            self._write_content(path, source, part, status)
        else:
            return  # a socket or a pipe, which nothing is behind any more
        copy_properties(source, status, part)
        os.replace(part, target)
        self.brought.written.append(path)

    def finish(self, path: str) -> None:
        source = f"{self.workshop}/{path}"
        copy_properties(source, os.lstat(source), f"{self.staging}/{path}")

    def _write_content(self, path: str, source: str, part: str, status: os.stat_result) -> None:
        if status.st_size and self._names_workshop(source):
            if status.st_size <= _LONGEST_TEXT:
                with open(source, "rb") as stream:
                    content = stream.read()
                if b"\0" not in content:
                    with open(part, "wb") as stream:
                        stream.write(self.relocate(content))
                    return
            self.brought.stuck.append(path)
        clone(source, part)

    def _names_workshop(self, source: str) -> bool:
        paths = {os.fsencode(self.workshop), os.fsencode(os.path.realpath(self.workshop))}
        with (
            open(source, "rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return any(content.find(path) >= 0 for path in paths)


def _walk(root: str, directory: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything below a directory with its path, directories before what is in them."""
    with os.scandir(f"{root}/{directory}" if directory else root) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{directory}/{entry.name}" if directory else entry.name
        yield path, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, path)


def _seen(entry: os.DirEntry[str]) -> _Seen:
    status = os.lstat(entry.path)  # Windows leaves the inode out of what a listing has
    mode = status.st_mode
    if stat.S_ISDIR(mode):  # its times change with what is in it
        return _Seen(mode, 0, 0, 0, 0, "")
    if stat.S_ISLNK(mode):
        return _Seen(stat.S_IFMT(mode), 0, 0, 0, 0, os.readlink(entry.path))
    return _Seen(mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, "")


def _kind(seen: _Seen) -> int:
    return stat.S_IFMT(seen.mode)


def _is_ours(path: str) -> bool:
    """Say whether a path is kaa's own business: package records, manifests, bytecode."""
    directory, _, name = path.rpartition("/")
    if path.startswith("conda-meta/"):
        ours = path.startswith("conda-meta/kaa") or path == "conda-meta/history"
        return ours or (directory == "conda-meta" and name.endswith(".json"))
    return directory.endswith("__pycache__") and name.endswith(".pyc")


def _second_name(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without
        clone(source, target)
        copy_properties(source, os.lstat(source), target)
