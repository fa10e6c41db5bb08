"""Which directories of two generations have the same files, remembered from one comparison on.

Whoever carries over lists every directory of both generations. Of a large environment most of them
hold nothing but files that both have from the package cache, before and after. So the new
generation keeps a list of those (:data:`COMPARED`): with the time of the last change to each
directory in both (``st_ctime``, which no program can set), and the names of those below. What has
the same time has the same names for the same files, so it need not be listed again: going back
takes the time of two questions a directory, and the next change that of one.

- Times are compared for being equal, never for being earlier: clocks can be set back.
- A directory that had changed within the last moment is not on the list, nor one with a time in
  whole seconds: another change in the same tick of the clock would not show.
- A directory is on the list only where *all* its files were shared. What is a copy, a link, edited
  or nobody's is looked at each time.
- Of a directory that packages come to, leave or change, everything is listed, and so of those of
  packages that the cache has fetched again, whose files are others than before.

Without the list, or where it is damaged or of another generation, everything is listed.
"""

# Paths are plain texts here, as in kaa.transaction.copying and for its reason.
# ruff: noqa: PTH116, PTH123
from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kaa.environments.prefix import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kaa.environments.records import PackageFiles

COMPARED = OWN / "compared.json"
"""Where a generation keeps the list."""
_MOMENT = 100_000_000
"""Nanoseconds in which a change may have the same time as the one before."""
_SECOND = 1_000_000_000
_SAMPLES = 20
"""Files of a package that are asked for until one is shared with the other generation."""


@dataclass(slots=True)
class Comparison:
    """What is known of the directories of ``old`` and ``new``, and what is found out."""

    old: str
    new: str
    known: Mapping[str, tuple[int, int | None, Sequence[str]]] = field(default_factory=dict)
    """For a directory its time in ``old``, in ``new`` (None for any), and the names below it."""
    changed: frozenset[str] = frozenset()
    """Directories that are listed whatever is known of them."""
    _found: dict[str, tuple[int, Sequence[str]]] = field(default_factory=dict)

    def below(self, directory: str) -> Sequence[str] | None:
        """Return the directories in a directory in which there is nothing else to look at.

        None when it has to be listed.
        """
        entry = self.known.get(directory)
        if entry is None or directory in self.changed:
            return None
        before, after, names = entry
        if before != changed_at(self.old, directory):
            return None
        if after is not None and after != changed_at(self.new, directory):
            return None
        self._found[directory] = (before, names)
        return names

    def note(
        self,
        directory: str,
        when: int,
        entries: Iterable[os.DirEntry[str]],
        there: Mapping[str, os.DirEntry[str]],
        rest: Sequence[os.DirEntry[str]],
    ) -> None:
        """Take down a directory that was listed: ``rest`` of its ``entries`` were not the same.

        ``when`` is its time in ``old``, asked for before it was listed.
        """
        names = {entry.name for entry in rest}
        for entry in rest:
            twin = there.get(entry.name)
            if not _is_directory(entry) or (twin is not None and not _is_directory(twin)):
                return
        for name in there.keys() - {entry.name for entry in entries}:
            if not _is_directory(there[name]):
                return
            names.add(name)
        if when % _SECOND and time.time_ns() - when > _MOMENT:
            self._found[directory] = (when, sorted(names))

    def write(self) -> None:
        """Keep in ``new`` what was found, now that nothing is written there. Raises ``OSError``."""
        import orjson

        directories = {
            directory: (when, before, list(names))
            for directory, (before, names) in self._found.items()
            if (when := changed_at(self.new, directory)) % _SECOND
        }
        content = {"other": os.path.basename(self.old), "directories": directories}  # noqa: PTH119
        path = f"{self.new}/{COMPARED.as_posix()}"
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as stream:
            stream.write(orjson.dumps(content))


def compare_with_new(
    old: str, new: str, before: Sequence[PackageFiles], after: Sequence[PackageFiles]
) -> Comparison:
    """Return what is known of ``old`` and of ``new``, into which packages have just been linked."""
    found = _read(old)
    known = {} if found is None else {path: (e[0], None, e[2]) for path, e in found[1].items()}
    if not known:
        return Comparison(old, new)
    mine = {(p.name, p.version, p.build, p.content) for p in before}
    theirs = {(p.name, p.version, p.build, p.content) for p in after}
    changed: set[str] = set()
    for package in (*before, *after):
        identity = (package.name, package.version, package.build, package.content)
        if identity not in mine & theirs or not _is_shared(package, old, new):
            for path in package.files:
                _add_above(path, changed)
    return Comparison(old, new, known, frozenset(changed))


def compare_with_past(old: str, new: str) -> Comparison:
    """Return what is known of two generations that have both been in use."""
    for one, other, mine, theirs in ((old, new, 0, 1), (new, old, 1, 0)):
        found = _read(one)
        if found is not None and found[0] == os.path.basename(other):  # noqa: PTH119
            return Comparison(
                old, new, {path: (e[mine], e[theirs], e[2]) for path, e in found[1].items()}
            )
    return Comparison(old, new)


def changed_at(root: str, directory: str) -> int:
    """Return when a directory changed last, in nanoseconds; 0 for what is no directory."""
    try:
        return os.stat(f"{root}/{directory}", follow_symlinks=False).st_ctime_ns
    except OSError:
        return 0


def _read(generation: str) -> tuple[str, dict[str, Any]] | None:
    import orjson

    try:
        with open(f"{generation}/{COMPARED.as_posix()}", "rb") as stream:
            content = orjson.loads(stream.read())
        directories = content["directories"]
        for own, other, names in directories.values():
            if not (isinstance(own, int) and isinstance(other, int) and isinstance(names, list)):
                return None
        return str(content["other"]), directories
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _is_shared(package: PackageFiles, old: str, new: str) -> bool:
    """Say whether both generations have a package from one and the same entry of the cache.

    An entry is fetched again as a whole, so one file tells.
    """
    middle = len(package.files) // 2
    for path in package.files[middle : middle + _SAMPLES]:
        try:
            if os.path.samestat(os.lstat(f"{old}/{path}"), os.lstat(f"{new}/{path}")):
                return True
        except OSError:
            continue
    return False


def _add_above(path: str, directories: set[str]) -> None:
    directory = path.rpartition("/")[0]
    while directory not in directories:
        directories.add(directory)
        directory = directory.rpartition("/")[0]


def _is_directory(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
