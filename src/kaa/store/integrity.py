"""Whether an entry of the package cache is still what was written.

:func:`quick_damage` goes by what the system says of the files, without reading them, and is done
before anything is linked: missing files, other kinds of files, other sizes; a file that was
written to after its entry was complete is hashed. Everything is hashed by
:func:`entry_reports`.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from kaa.model.progress import Phase
from kaa.model.verification import EntryReport, Finding, Kind
from kaa.store.digests import Digests, in_threads
from kaa.store.locks import locked
from kaa.store.package_cache import is_whole_lock, lock_sha256
from kaa.store.seal import broken_package_seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

_PATHS = "info/paths.json"
_READ_BY_THE_LINKER = ("info/index.json", "info/link.json", _PATHS)
_FORMAT, _REGULAR = 0o170000, 0o100000
"""What of a mode is the kind of file, and what it is of a regular file (inode(7))."""


def quick_damage(packages: Path, entry: str) -> Finding | None:
    """Return the first thing that is wrong with an entry, as far as can be told without reading.

    ``packages`` is the directory of the package cache. It costs a call of the system for each
    file: 4 microseconds.
    """
    directory = packages / entry
    try:
        completed = (packages / f"{entry}.lock").stat().st_mtime
    except OSError:
        return Finding(Kind.ENTRY, f"{entry}.lock", detail="it is missing")
    paths = _read_paths(directory)
    if isinstance(paths, Finding):
        return paths
    root = f"{os.fspath(directory)}/"
    lstat = os.lstat
    if any(_is_later(root + name, completed) for name in _READ_BY_THE_LINKER):
        broken = next(broken_package_seal(directory, None), None)
        if broken is not None:
            return Finding(Kind.ALTERED, broken[0], detail=broken[1])
    for each in paths:
        path = root + each["_path"]
        try:
            status = lstat(path)
        except OSError:
            return _missing(each)
        # Nearly all of them are so, and there are tens of thousands.
        if (
            status.st_size == each.get("size_in_bytes")
            and status.st_mode & _FORMAT == _REGULAR
            and status.st_mtime <= completed
            and each.get("path_type") == "hardlink"
        ):
            continue
        finding = _check(each, path, status, Digests())
        if finding is not None:
            return finding
    return None


def _is_later(path: str, moment: float) -> bool:
    try:
        return os.lstat(path).st_mtime > moment
    except OSError:
        return False  # not every package has all of them


def entry_reports(
    packages: Path,
    entries: Iterable[str],
    digests: Digests,
    progress: Progress,
) -> list[EntryReport]:
    """Return the entries that are damaged, every file hashed, and all that is wrong with them.

    What kaa has put into the cache vouches for all of its files and for the archive that it was
    made of; of what another program has, ``info/paths.json`` is taken at its word.
    """
    found: dict[str, list[Finding]] = {}
    files: list[tuple[str, str, dict[str, Any]]] = []
    for entry in entries:
        found[entry] = list(_broken_information(packages, entry))
        paths = _read_paths(packages / entry)
        if isinstance(paths, Finding):
            found[entry].append(paths)
        else:
            root = f"{os.fspath(packages / entry)}/"
            files += [(entry, root + each["_path"], each) for each in paths]
    progress.expect(Phase.CHECK, len(files))

    def check(task: tuple[str, str, dict[str, Any]]) -> tuple[str, Finding | None]:
        entry, path, each = task
        progress.advance(Phase.CHECK, 1, entry)
        try:
            status = os.lstat(path)
        except OSError:
            return entry, _missing(each)
        return entry, _check(each, path, status, digests)

    for entry, finding in in_threads(check, files):
        if finding is not None:
            found[entry].append(finding)
    return [EntryReport(entry, tuple(all_)) for entry, all_ in found.items() if all_]


def _broken_information(packages: Path, entry: str) -> Iterator[Finding]:
    """Give what is wrong with an entry's lock file, and with what it says of itself."""
    lock = packages / f"{entry}.lock"
    if not is_whole_lock(lock):
        yield Finding(Kind.ENTRY, lock.name, detail="it is no lock file")
    for name, detail in broken_package_seal(packages / entry, lock_sha256(lock)):
        yield Finding(Kind.ALTERED, name, detail=detail)


def drop_entry(layout: Layout, entry: str, still: Callable[[], bool] = lambda: True) -> None:
    """Let an entry count no longer, so that it is fetched again; its files stay until then.

    ``still`` is asked, once nobody else puts anything into the cache, whether it is to be so:
    another process may have been faster. Raises :class:`~kaa.model.errors.StoreError`.
    """
    from kaa.store.disk import writing

    lock = layout.packages / f"{entry}.lock"
    with locked(layout, "packages"), writing(lock):
        if still():
            lock.unlink(missing_ok=True)


def entries_of(packages: Path) -> list[str]:
    """Return the names of all complete entries, in order."""
    try:
        names = set(os.listdir(packages))  # noqa: PTH208 - names, not paths
    except OSError:
        return []
    return sorted(name for name in names if f"{name}.lock" in names and not name.startswith("."))


def _read_paths(directory: Path) -> list[dict[str, Any]] | Finding:
    import orjson

    try:
        paths = orjson.loads((directory / _PATHS).read_bytes())["paths"]
        if all(isinstance(each["_path"], str) for each in paths):
            return list(paths)
    except FileNotFoundError:
        return _listed(directory)
    except OSError as error:
        return Finding(Kind.UNREADABLE, _PATHS, detail=error.strerror)
    except (ValueError, LookupError, TypeError):
        pass
    return Finding(Kind.ALTERED, _PATHS, detail="it cannot be read")


def _listed(directory: Path) -> list[dict[str, Any]] | Finding:
    """Return what packages of old list, that have no ``info/paths.json``: names and no hashes."""
    try:
        text = (directory / "info" / "files").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return Finding(Kind.MISSING, _PATHS, detail="the package's list of files is not there")
    return [{"_path": line} for line in text.splitlines() if line]


def _missing(each: dict[str, Any]) -> Finding:
    return Finding(Kind.MISSING, each["_path"])


def _check(
    each: dict[str, Any], path: str, status: os.stat_result, digests: Digests | None
) -> Finding | None:
    """Compare one file with what its package says of it."""
    if "path_type" not in each:
        return None  # a name is all that its package says
    is_link = each["path_type"] == "softlink"
    if stat.S_ISLNK(status.st_mode):
        # What a link's hash is of differs from one builder to the next.
        return None if is_link else _wrong_type(each, "a link is in its place")
    if each["path_type"] == "directory":
        return None if stat.S_ISDIR(status.st_mode) else _wrong_type(each, "it is no directory")
    if is_link or not stat.S_ISREG(status.st_mode):
        return _wrong_type(each, "it is no link" if is_link else "it is no file")
    size, expected = each.get("size_in_bytes"), each.get("sha256")
    if size is not None and status.st_size != size:
        detail = f"it has {status.st_size} bytes, not {size}"
        return Finding(Kind.ALTERED, each["_path"], detail=detail)
    if expected is None or digests is None:
        return None
    try:
        found = digests.of(path, status)
    except OSError as error:
        return Finding(Kind.UNREADABLE, each["_path"], detail=error.strerror)
    return None if found == expected else Finding(Kind.ALTERED, each["_path"])


def _wrong_type(each: dict[str, Any], detail: str) -> Finding:
    return Finding(Kind.TYPE, each["_path"], detail=detail)
