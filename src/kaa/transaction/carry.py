"""What no package owns goes along into the next generation.

Copied, because the old generation stays as it is: a file that both shared would change in both.
The rules, where more than one answer was possible:

- **Files of nobody's** are carried with their permissions, times and links. So are files of
  packages that did not change, where somebody has edited them. Deletions are not: what a package
  has is there again.
- **A path that a package of the next generation owns** is the package's. Below ``etc/`` it stays
  the user's, and the package's own is put beside it, its name ending in :data:`BESIDE`.
- **What was edited of a package that changed or went** is not carried, for it belonged to the old
  one; below ``etc/`` it is, as long as a package still has the path.
- **Distributions that another program installed** are carried as a whole, unless the next
  generation has a package of that name, or another Python.
- **Bytecode** is carried where its source stays the same. By size and time alone Python would take
  that of an old version for that of a new one.
- **Text below the directories that programs read** (:data:`_PROGRAMS`) that names the old
  generation names the environment's stable path afterwards: pip writes the interpreter it runs
  in into scripts, and that is the generation's.
- **Sockets, pipes and devices** stay behind.

Whatever is not carried is still in the old generation, and is told.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from kaa.environments.prefix import MANIFEST
from kaa.environments.records import owned_paths, read_records
from kaa.store.disk import writing
from kaa.transaction.copying import clone, copy_properties, differ, reading, relocation, sha256
from kaa.transaction.foreign import (
    Foreign,
    foreign_distributions,
    metadata_directories,
    site_packages,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from rattler import PrefixRecord

BESIDE = ".kaa-new"
"""How the name of a package's own file ends where the user's has kept its place."""
_PROGRAMS = frozenset({"bin", "Scripts", "etc", "lib", "Lib", "share", "conda-meta"})
_LONGEST_TEXT = 2**20
"""Bytes up to which a file is looked through for the path of the generation."""
_PART = ".kaa-part"
_SHOWN = 5


class Kept(Enum):
    """Why something was not carried as it was; the value is what the user is told."""

    EDITED = "edited by hand, and not carried over because their package is another one now"
    COVERED = "yours, and not carried over because a package has them now"
    SETTINGS = f"changed both by you and by their package (whose own end in {BESIDE})"
    SPECIAL = "neither files nor directories, and not carried over"
    REPLACED = "installed by another program, and replaced by the environment's own package"
    OTHER_PYTHON = "installed by another program for the Python before, and not carried over"


@dataclass(frozen=True, slots=True)
class Carried:
    """What went along: how many files, and what did not, by reason."""

    files: int
    kept: dict[Kept, tuple[str, ...]]

    def notes(self) -> list[str]:
        """Return one sentence for each reason, without a full stop."""
        return [f"{reason.value}: {_some(names)}" for reason, names in self.kept.items()]


def carry_over(
    old: Path,
    staging: Path,
    stable: Path,
    before: Sequence[PrefixRecord],
    halted: Callable[[], bool] = lambda: False,
) -> Carried:
    """Copy into ``staging`` what the generation ``old`` has and no package brings.

    ``staging`` holds the linked packages of the next generation and is to be thrown away when
    this raises; ``stable`` is the environment's path; ``before`` are the records of ``old``.
    Between two files ``halted`` may say that all of it is not wanted any more. Raises
    :class:`~kaa.model.errors.StoreError` for what cannot be read or written.
    """
    with writing(staging):
        work = _prepare(old, staging, stable, before, read_records(staging))
        work.halted = halted
        work.carry_directory("")
        work.finish()
    return Carried(work.files, {reason: tuple(names) for reason, names in work.kept.items()})


@dataclass(slots=True)
class _Work:
    old: Path
    staging: Path
    before: dict[str, PrefixRecord]
    """The owners of paths in the old generation, ``after`` those in the next one."""
    after: dict[str, PrefixRecord]
    left: frozenset[str]
    """Files and directories that stay behind whatever is said of them otherwise."""
    relocate: Callable[[bytes], bytes]
    same: frozenset[str]
    """The names of the packages that did not change."""
    halted: Callable[[], bool] = lambda: False
    files: int = 0
    kept: dict[Kept, list[str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    beside: set[str] = field(default_factory=set)
    hashes: dict[int, dict[str, bytes | None]] = field(default_factory=dict)

    def keep(self, reason: Kept, path: str) -> None:
        self.kept.setdefault(reason, []).append(path)

    def carry_directory(self, directory: str) -> None:
        target = self.staging / directory
        if os.path.lexists(target) and (target.is_symlink() or not target.is_dir()):
            # Through a link of a package's it would end up somewhere else.
            self.keep(Kept.COVERED, f"{directory}/")
            return
        with reading(self.old / directory), os.scandir(self.old / directory) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        if not entries and not self._had_files(directory):
            self._make(directory)
        for entry in entries:
            if self.halted():
                return
            path = f"{directory}/{entry.name}" if directory else entry.name
            if path in self.left or path in self.beside or _is_written_anew(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                self.carry_directory(path)
            else:
                self._carry_file(path)

    def finish(self) -> None:
        """Give the new directories what the old ones had, now that nothing is added any more."""
        for directory in reversed(self.made):
            with contextlib.suppress(FileNotFoundError):
                copy_properties(self.old / directory, self.staging / directory)
        self.staging.chmod(stat.S_IMODE(self.old.stat().st_mode))

    def _carry_file(self, path: str) -> None:
        source = self.old / path
        try:
            status = source.lstat()
        except FileNotFoundError:
            return  # a running program has deleted it
        owner = self.before.get(path)
        if owner is not None:
            if not self._is_edited(path, status, owner):
                return
            if self._is_same(path, owner):
                self._copy(path, status)
            else:
                self._carry_edited(path, status, owner)
        elif _source_of(path) is None or self._has_same_source(path):
            self._carry_unowned(path, status)

    def _carry_unowned(self, path: str, status: os.stat_result) -> None:
        if path not in self.after:
            self._copy(path, status)
        elif not differ(self.old / path, status, self.staging / path):
            return
        elif path.startswith("etc/"):
            self._copy_beside(path, status)
        else:
            self.keep(Kept.COVERED, path)

    def _carry_edited(self, path: str, status: os.stat_result, owner: PrefixRecord) -> None:
        if path in self.after and not differ(self.old / path, status, self.staging / path):
            return
        if path not in self.after or not path.startswith("etc/"):
            self.keep(Kept.EDITED, path)
        elif self._recorded_hash(owner, path) == self._recorded_hash(self.after[path], path):
            self._copy(path, status)
        else:
            self._copy_beside(path, status)

    def _copy_beside(self, path: str, status: os.stat_result) -> None:
        beside = path + BESIDE
        (self.staging / path).replace(self.staging / beside)
        self.beside.add(beside)
        self.keep(Kept.SETTINGS, path)
        self._copy(path, status)

    def _copy(self, path: str, status: os.stat_result) -> None:
        source, target = self.old / path, self.staging / path
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            self.keep(Kept.SPECIAL, path)
            return
        if target.is_dir() and not target.is_symlink():
            self.keep(Kept.COVERED, path)
            return
        # Not written where it belongs: what is there may share its content with the package cache.
        part = self.staging / _PART
        part.unlink(missing_ok=True)
        try:
            if stat.S_ISLNK(status.st_mode):
                part.symlink_to(os.fsdecode(self.relocate(os.fsencode(source.readlink()))))
            else:
                with reading(source):
                    self._copy_content(path, source, part, status)
            copy_properties(source, part)
        except FileNotFoundError:  # a running program has deleted it
            part.unlink(missing_ok=True)
            return
        self._make(os.path.dirname(path))  # noqa: PTH120 - a text with forward slashes
        part.replace(target)
        self.files += 1

    def _copy_content(self, path: str, source: Path, part: Path, status: os.stat_result) -> None:
        if status.st_size <= _LONGEST_TEXT and path.partition("/")[0] in _PROGRAMS:
            content = source.read_bytes()
            part.write_bytes(content if b"\0" in content else self.relocate(content))
        else:
            clone(source, part)

    def _make(self, directory: str) -> None:
        """Make a directory and those above it; none of them is a link."""
        if not (self.staging / directory).is_dir():
            self._make(os.path.dirname(directory))  # noqa: PTH120
            (self.staging / directory).mkdir()
            self.made.append(directory)

    def _had_files(self, directory: str) -> bool:
        return any(path.startswith(f"{directory}/") for path in self.before)

    def _is_same(self, path: str, owner: PrefixRecord) -> bool:
        """Say whether the package that has a path has not changed, nor the path."""
        return owner.name.normalized in self.same and path in self.after

    def _is_edited(self, path: str, status: os.stat_result, owner: PrefixRecord) -> bool:
        """Say whether a package's file is not what the package brought."""
        if self._is_same(path, owner):
            return differ(self.old / path, status, self.staging / path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return False  # shared with the package cache
        expected = self._recorded_hash(owner, path)
        if expected is None:
            return False
        with reading(self.old / path):
            return sha256(self.old / path) != expected

    def _recorded_hash(self, record: PrefixRecord, path: str) -> bytes | None:
        """Return the sha256 of a file as it was linked; None where the record has none."""
        if id(record) not in self.hashes:
            self.hashes[id(record)] = _recorded_hashes(record)
        return self.hashes[id(record)].get(path)

    def _has_same_source(self, path: str) -> bool:
        source = _source_of(path)
        assert source is not None
        owner = self.before.get(source)
        if owner is not None:
            return self._is_same(source, owner)
        theirs = source in self.left or source in self.after
        return not theirs and (self.old / source).is_file()


def _prepare(
    old: Path,
    staging: Path,
    stable: Path,
    before: Sequence[PrefixRecord],
    after: Sequence[PrefixRecord],
) -> _Work:
    identities = {_identity(record) for record in before}
    foreign = foreign_distributions(old, before)
    moved = site_packages(before) != site_packages(after)
    metadata = metadata_directories(after)
    # Also where a package's own is gone: pip leaves files of its own in there.
    left = set(metadata_directories(before)) - set(metadata)
    names = set(metadata.values())
    gone = [each for each in foreign if moved or each.name in names]
    for each in gone:
        left |= {each.metadata} | each.files
    work = _Work(
        old,
        staging,
        _owners(before),
        _owners(after),
        frozenset(left),
        relocation(old, stable),
        frozenset(record.name.normalized for record in after if _identity(record) in identities),
    )
    for each in gone:
        work.keep(_reason(each, names), str(each))
    return work


def _reason(distribution: Foreign, names: set[str]) -> Kept:
    return Kept.REPLACED if distribution.name in names else Kept.OTHER_PYTHON


def _owners(records: Iterable[PrefixRecord]) -> dict[str, PrefixRecord]:
    return {path: record for record in records for path in owned_paths(record)}


def _identity(record: PrefixRecord) -> tuple[str, ...]:
    content = record.sha256.hex() if record.sha256 else record.url
    return (record.name.normalized, str(record.version), str(record.build), content)


def _is_written_anew(path: str) -> bool:
    directory, _, name = path.rpartition("/")
    return (directory == "conda-meta" and name.endswith(".json")) or path == MANIFEST.as_posix()


def _source_of(path: str) -> str | None:
    """Return the module whose bytecode (PEP 3147) the path is; None for everything else."""
    directory, _, name = path.rpartition("/")
    if not name.endswith(".pyc") or not directory.endswith("__pycache__"):
        return None
    return f"{directory[: -len('__pycache__')]}{name.split('.', 1)[0]}.py"


def _recorded_hashes(record: PrefixRecord) -> dict[str, bytes | None]:
    return {
        os.fspath(entry.relative_path).replace(os.sep, "/"): entry.sha256_in_prefix or entry.sha256
        for entry in record.paths_data.paths
    }


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
