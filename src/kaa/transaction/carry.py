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
- **Bytecode** is carried where its source stays the same, unless the package has brought its own:
  by size and time alone Python would take that of an old version for that of a new one. It is the
  one thing that is linked, not copied, because nobody writes into it: Python replaces it
  (PEP 3147), and there is much of it. What is not carried of it is not told, either.
- **Text below the directories that programs read** (:data:`_PROGRAMS`) that names the old
  generation names the environment's stable path afterwards: pip writes the interpreter it runs
  in into scripts, and that is the generation's.
- **What may be damaged** (by a disk, or by who wrote into a file that is the package cache's, too)
  is not carried where it differs from its package, nor bytecode made of it.
- **Sockets, pipes and devices** stay behind.

Whatever is not carried is still in the old generation, and is told.

Most files are names of one and the same file of the package cache in both generations, and there
is nothing to do for those. The two are walked side by side for that reason, and the numbers that
directories list are compared: no file is asked for, and who owns a path is found out only for the
few that are not the same. What need not even be listed is told in :mod:`.compared`.
"""

# Paths are plain texts here, as in kaa.transaction.copying and for its reason.
# ruff: noqa: PTH101, PTH102, PTH105, PTH108, PTH112, PTH113, PTH114, PTH116

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaa.environments.foreign import foreign_distributions, metadata_directories, site_packages
from kaa.environments.history import LOCK
from kaa.environments.prefix import MANIFEST
from kaa.environments.records import known_files, read_files
from kaa.environments.sealed import SEAL
from kaa.store.disk import writing
from kaa.transaction.carried import BESIDE, Carried, Kept
from kaa.transaction.compared import (
    COMPARED,
    Comparison,
    changed_at,
    compare_with_new,
    compare_with_past,
)
from kaa.transaction.comparison import Owners, not_shared, recorded_otherwise, source_of
from kaa.transaction.copying import (
    copy_file,
    copy_properties,
    differ,
    link,
    reading,
    relocation,
    same_content,
    sha256,
)
from kaa.transaction.earlier import files_of_damaged, gives_way, is_users, make_way, stays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kaa.environments.records import PackageFiles

_PROGRAMS = frozenset({"bin", "Scripts", "etc", "lib", "Lib", "share", "conda-meta"})
PART = ".kaa-part"
"""The name in a generation of a file that is not whole yet."""
_OWN = frozenset({*(path.as_posix() for path in (MANIFEST, LOCK, COMPARED)), SEAL})


def carry_over(
    old: Path,
    staging: Path,
    stable: Path,
    halted: Callable[[], bool] = lambda: False,
    *,
    left: Path | None = None,
    existing: bool = False,
    mended: frozenset[str] = frozenset(),
    repair: bool = False,
) -> Carried:
    """Copy into ``staging`` what the generation ``old`` has and no package brings.

    ``staging`` holds the linked packages of the next generation and is to be thrown away when
    this raises; ``stable`` is the environment's path, and ``left`` the path that the files of
    ``old`` carry where that is another one. ``existing`` says that ``staging`` is a generation of
    before, which has files of nobody's itself: each is replaced as a whole. ``mended`` are names of
    packages whose files in ``old`` may be damaged, and ``repair`` says that all of them may be, and
    the records, too. Between two files ``halted`` may say that all of it is not wanted any more.

    Raises :class:`~kaa.model.errors.StoreError` for what cannot be read or written and
    :class:`~kaa.model.errors.EnvironmentStateError` for damaged records.
    """
    with writing(staging):
        work = _prepare(
            old, staging, stable, halted, left, existing=existing, mended=mended, repair=repair
        )
        work.carry_directory("", is_there=True)
        work.finish()
        if not existing:
            work.comparison.write()
    return Carried(work.files, {reason: tuple(names) for reason, names in work.kept.items()})


@dataclass(slots=True)
class _Work:
    old: str
    staging: str
    before: Owners
    """Who owns which path in the old generation, and ``after`` in the next one."""
    after: Owners
    left: frozenset[str]
    """Files and directories that stay behind whatever is said of them otherwise."""
    same: frozenset[str]
    """The names of the packages that did not change."""
    relocate: Callable[[bytes], bytes]
    halted: Callable[[], bool]
    comparison: Comparison
    moved: bool = False
    """Whether the files of packages differ because the prefix in them does."""
    existing: bool = False
    mended: frozenset[str] = frozenset()
    """The names of packages whose files in the old generation are not to be believed."""
    repair: bool = False
    files: int = 0
    kept: dict[Kept, list[str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    beside: set[str] = field(default_factory=set)

    def keep(self, reason: Kept, path: str) -> None:
        self.kept.setdefault(reason, []).append(path)

    def carry_directory(self, directory: str, *, is_there: bool) -> None:
        """Carry what is below a directory of the old generation, ``""`` for all of it.

        ``is_there`` says whether the next generation has a directory of this path.
        """
        if is_there and self._carry_known(directory):
            return
        source = _join(self.old, directory)
        when = changed_at(self.old, directory)
        with reading(source), os.scandir(source) as scan:
            entries = list(scan)
        there: dict[str, os.DirEntry[str]] = {}
        if is_there:
            with os.scandir(_join(self.staging, directory)) as scan:
                there = {entry.name: entry for entry in scan}
        elif not entries and not self._had_files(directory):
            self._make(directory)
        rest = not_shared(entries, there)
        if is_there:
            self.comparison.note(directory, when, entries, there, rest)
        for entry in rest:
            if self.halted():
                return
            path = f"{directory}/{entry.name}" if directory else entry.name
            if path in self.left or path in self.beside or _is_written_anew(path):
                continue
            if self.existing and stays(path, self.before, self.after):
                continue
            twin = there.get(entry.name)
            if not entry.is_dir(follow_symlinks=False):
                self._carry_file(path, is_there=twin is not None)
            elif twin is None or twin.is_dir(follow_symlinks=False):
                self.carry_directory(path, is_there=twin is not None)
            elif self._gives_way(path):
                self.carry_directory(path, is_there=False)
            else:  # through a link of a package's it would end up somewhere else
                self.keep(Kept.COVERED, f"{path}/")

    def _carry_known(self, directory: str) -> bool:
        """Carry what is below a directory that need not be listed; say whether it is one."""
        below = self.comparison.below(directory)
        for name in below or ():
            path = f"{directory}/{name}" if directory else name
            if self.halted() or path in self.left or self._carry_known(path):
                continue
            source, target = f"{self.old}/{path}", f"{self.staging}/{path}"
            if os.path.isdir(source) and not os.path.islink(source):
                self.carry_directory(path, is_there=os.path.isdir(target))
        return below is not None

    def finish(self) -> None:
        """Give the new directories what the old ones had, now that nothing is added any more."""
        for directory in reversed(self.made):
            with contextlib.suppress(FileNotFoundError):
                source = f"{self.old}/{directory}"
                copy_properties(source, os.lstat(source), f"{self.staging}/{directory}")
        os.chmod(self.staging, stat.S_IMODE(os.stat(self.old).st_mode))

    def _carry_file(self, path: str, *, is_there: bool) -> None:
        try:
            status = os.lstat(f"{self.old}/{path}")
        except FileNotFoundError:
            return  # a running program has deleted it
        if is_there and not self._differs(path, status):
            return
        owner = self.before.get(path)
        source = source_of(path)
        if source is not None:
            self._carry_bytecode(path, status, source)
        elif owner is None:
            self._carry_unowned(path, status)
        elif owner.name in self.mended and not path.startswith("etc/"):
            if not self.repair:  # whose plan has said so
                self.keep(Kept.DAMAGED, path)
        elif self._is_same(path, owner):
            as_ever = not self.moved and not recorded_otherwise(path, owner, self.after)
            if as_ever or self._is_edited(path, status, owner):
                self._copy(path, status)
        elif self._is_edited(path, status, owner):
            self._carry_edited(path, status, owner)

    def _carry_bytecode(self, path: str, status: os.stat_result, source: str) -> None:
        """Carry bytecode or leave it out, without a word: Python makes it again."""
        if self.moved:
            return  # it names the other path
        owner = self.before.get(path)
        if owner is not None:  # and Python has made it anew
            as_ever = self._is_same(path, owner) and owner.name not in self.mended
            if as_ever and not recorded_otherwise(path, owner, self.after):
                self._copy(path, status)
        elif path not in self.after and self._has_same_source(source):
            self._copy(path, status)

    def _carry_unowned(self, path: str, status: os.stat_result) -> None:
        if path not in self.after:
            self._copy(path, status)
        elif path.startswith("etc/"):
            self._copy_beside(path, status)
        else:
            self.keep(Kept.COVERED, path)

    def _carry_edited(self, path: str, status: os.stat_result, owner: PackageFiles) -> None:
        after = self.after.get(path)
        if after is None or not path.startswith("etc/"):
            self.keep(Kept.EDITED, path)
        elif owner.hashes.get(path) == after.hashes.get(path):
            self._copy(path, status)
        else:
            self._copy_beside(path, status)

    def _copy_beside(self, path: str, status: os.stat_result) -> None:
        if self.existing and is_users(self.staging, path, self.after):
            self._copy(path, status)
            return
        beside = path + BESIDE
        os.replace(f"{self.staging}/{path}", f"{self.staging}/{beside}")
        self.beside.add(beside)
        self.keep(Kept.SETTINGS, path)
        self._copy(path, status)

    def _copy(self, path: str, status: os.stat_result) -> None:
        source, target = f"{self.old}/{path}", f"{self.staging}/{path}"
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            self.keep(Kept.SPECIAL, path)
            return
        blocked = os.path.isdir(target) and not os.path.islink(target)
        if blocked and not self._gives_way(path):
            self.keep(Kept.COVERED, path)
            return
        self._make(path.rpartition("/")[0])
        # Never written into: what is there may share its content with the package cache.
        part = f"{self.staging}/{PART}" if self.existing or os.path.lexists(target) else target
        try:
            if not (part == target and path.endswith(".pyc") and link(source, target)):
                program = path.partition("/")[0] in _PROGRAMS
                copy_file(source, status, part, self.relocate if program else None, self.relocate)
        except BaseException as error:  # a generation of before is not thrown away
            with contextlib.suppress(OSError):
                os.unlink(part)
            if isinstance(error, FileNotFoundError):
                return  # a running program has deleted it
            raise
        if part != target:
            os.replace(part, target)
        self.files += 1

    def _make(self, directory: str) -> None:
        """Make a directory and those above it; none of them is a link."""
        path = _join(self.staging, directory)
        if not os.path.isdir(path):
            self._make(directory.rpartition("/")[0])
            os.mkdir(path)
            self.made.append(directory)

    def _gives_way(self, path: str) -> bool:
        return self.existing and gives_way(self.staging, path, self.after)

    def _had_files(self, directory: str) -> bool:
        return self.before.has_below(directory)

    def _differs(self, path: str, status: os.stat_result) -> bool:
        return differ(f"{self.old}/{path}", status, f"{self.staging}/{path}")

    def _is_same(self, path: str, owner: PackageFiles) -> bool:
        """Say whether the package that has a path has not changed, nor the path."""
        return owner.name in self.same and path in self.after

    def _is_edited(self, path: str, status: os.stat_result, owner: PackageFiles) -> bool:
        """Say whether a file is not what its package brought, going by the package's record."""
        expected = owner.hashes.get(path)
        if not expected or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return False  # more than one name: shared with the package cache
        with reading(f"{self.old}/{path}"):
            return sha256(f"{self.old}/{path}") != expected

    def _has_same_source(self, source: str) -> bool:
        owner = self.before.get(source)
        if owner is not None and owner.name in self.mended:
            # The times say nothing: bytecode of damaged source would pass for the mended one's.
            return self._is_same(source, owner) and same_content(
                f"{self.old}/{source}", f"{self.staging}/{source}"
            )
        if owner is not None:
            return self._is_same(source, owner)
        theirs = source in self.left or source in self.after
        return not theirs and os.path.isfile(f"{self.old}/{source}")


def _prepare(
    old: Path,
    staging: Path,
    stable: Path,
    halted: Callable[[], bool],
    other: Path | None,
    *,
    existing: bool,
    mended: frozenset[str],
    repair: bool,
) -> _Work:
    after = read_files(staging)
    before = known_files(old, after) if repair else read_files(old)
    identities = {_identity(package) for package in before}
    foreign = foreign_distributions(old, before)
    moved = site_packages(before) != site_packages(after)
    metadata = metadata_directories(after)
    # Also where a package's own is gone: pip leaves files of its own in there.
    left = set(metadata_directories(before)) - set(metadata)
    names = set(metadata.values())
    gone = [each for each in foreign if moved or each.name in names]
    for each in gone:
        left |= {each.metadata} | each.files
    if (old / "pkgs" / "urls.txt").is_file():  # conda itself: its caches and environments
        left |= {"pkgs", "envs", "conda-bld"}
    if existing:
        (staging / PART).unlink(missing_ok=True)
        make_way(staging, after, before, [each for each in foreign if each not in gone])
        left |= files_of_damaged(old, foreign) if repair else set()
    names_of_both = (os.fspath(old), os.fspath(staging))
    if repair or mended or other not in (None, stable):
        comparison = Comparison(*names_of_both)
    elif existing:
        comparison = compare_with_past(*names_of_both)
    else:
        comparison = compare_with_new(*names_of_both, before, after)
    work = _Work(
        *names_of_both,
        Owners(before),
        Owners(after),
        frozenset(left),
        frozenset(package.name for package in after if _identity(package) in identities),
        relocation((old, other or stable), stable),
        halted,
        comparison,
        moved=other is not None and other != stable,
        existing=existing,
        mended=frozenset(package.name for package in after) if repair else mended,
        repair=repair,
    )
    for each in gone:
        work.keep(Kept.REPLACED if each.name in names else Kept.OTHER_PYTHON, str(each))
    return work


def _identity(package: PackageFiles) -> tuple[str, ...]:
    return (package.name, package.version, package.build, package.content)


def _join(root: str, directory: str) -> str:
    return f"{root}/{directory}" if directory else root


def _is_written_anew(path: str) -> bool:
    directory, _, name = path.rpartition("/")
    return path in _OWN or (directory == "conda-meta" and name.endswith(".json"))
