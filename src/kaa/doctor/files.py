"""The files of an environment's packages against their records.

What is decided here, where more than one answer was possible:

- **Files below** ``etc/`` **are the user's to edit**: another content is told, and is no damage.
- **Bytecode of a package** is Python's to write anew. What is newer than the package's record and
  says that it was made of the source as it is now is told, and is no damage; everything else in
  which it differs is. Bytecode that nobody recorded is not read, but for one case: what has
  nothing after its header, and is claimed to be of the source as it is now, makes the import fail.
- **A link** is right when it says what it says in the package cache, or when its hash, of its own
  text or of what it leads to, is the recorded one. A link that leads nowhere is damage if it is
  another than it was, or names a path of this machine (an interpreter); some packages have links
  to what another package would bring.
- **A file whose record has no hash of it as it is in the environment** (a placeholder was replaced,
  by a program of old) has to be there, and no more can be said of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.verification import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kaa.doctor.records import Recorded
    from kaa.store.digests import Digests

_HEADER = 16
"""Bytes of the header of bytecode (PEP 552)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One file to look at: what its package's record says of it."""

    package: Recorded
    entry: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where it is, below the prefix."""
        path: str = self.entry["_path"]
        return path


def check_file(task: Task, generation: str, digests: Digests) -> Finding | None:
    """Compare a file of a package with its record. ``generation`` is the prefix's path."""
    path = f"{generation}/{task.path}"
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None if task.entry.get("path_type") == "pyc_file" else _finding(task, Kind.MISSING)
    except OSError as error:
        return _finding(task, Kind.UNREADABLE, error.strerror)
    if task.entry.get("path_type") == "softlink":
        if not stat.S_ISLNK(status.st_mode):
            return _finding(task, Kind.TYPE, "it is no link any more")
        return _check_link(task, path)
    if task.entry.get("path_type") == "directory":
        return None if stat.S_ISDIR(status.st_mode) else _finding(task, Kind.TYPE, "no directory")
    if not stat.S_ISREG(status.st_mode):
        if task.path.startswith("etc/") and stat.S_ISLNK(status.st_mode):
            return _finding(task, Kind.EDITED, "a link is in its place")
        return _finding(task, Kind.TYPE, "it is no regular file any more")
    try:
        if _is_as_recorded(task, path, status, digests):
            return None
    except OSError as error:
        return _finding(task, Kind.UNREADABLE, error.strerror)
    if task.path.startswith("etc/"):
        return _finding(task, Kind.EDITED)
    if task.path.endswith(".pyc") and _is_rewritten(task, generation, status):
        return _finding(task, Kind.REWRITTEN)
    return _finding(task, Kind.ALTERED)


def without_package(generation: str, path: str, status: os.stat_result) -> Finding | None:
    """Look at a file in a ``__pycache__`` that no package owns."""
    if status.st_size != _HEADER or source_of(path) is None:
        return None
    if _is_of_source(generation, path):
        return Finding(Kind.BYTECODE, path, detail="there is nothing after its header")
    return None


def source_of(path: str) -> str | None:
    """Return the module whose bytecode (PEP 3147) the path is; None for everything else."""
    directory, _, name = path.rpartition("/")
    if not name.endswith(".pyc") or not directory.endswith("__pycache__"):
        return None
    return f"{directory[: -len('__pycache__')]}{name.split('.', 1)[0]}.py"


def summarise_gone(findings: list[Finding], records: list[Recorded]) -> list[Finding]:
    """Return the findings, those of packages of which everything is missing made one each."""
    missing: dict[str | None, int] = {}
    for each in findings:
        if each.kind is Kind.MISSING:
            missing[each.package] = missing.get(each.package, 0) + 1
    gone = {
        record.name: record
        for record in records
        if record.paths and missing.get(record.name, 0) == len(record.paths)
    }
    kept = [each for each in findings if each.kind is not Kind.MISSING or each.package not in gone]
    return kept + [
        Finding(
            Kind.GONE,
            f"conda-meta/{record.file}",
            record.name,
            f"none of its {len(record.paths)} files is there",
        )
        for record in gone.values()
    ]


def _finding(task: Task, kind: Kind, detail: str | None = None) -> Finding:
    return Finding(kind, task.path, task.package.name, detail)


def _is_as_recorded(task: Task, path: str, status: os.stat_result, digests: Digests) -> bool:
    expected = task.entry.get("sha256_in_prefix")
    if not expected and not task.entry.get("prefix_placeholder"):
        expected = task.entry.get("sha256")
    return not expected or bool(digests.of(path, status) == expected)


def _is_rewritten(task: Task, generation: str, status: os.stat_result) -> bool:
    record = f"{generation}/conda-meta/{task.package.file}"
    try:
        recorded = os.stat(record).st_mtime  # noqa: PTH116
    except OSError:
        return False
    return status.st_mtime > recorded and _is_of_source(generation, task.path)


def _is_of_source(generation: str, path: str) -> bool:
    """Say whether Python would take this bytecode for that of the source as it is now (PEP 552)."""
    source = source_of(path)
    if source is None:
        return False
    try:
        status = os.stat(f"{generation}/{source}")  # noqa: PTH116
        with open(f"{generation}/{path}", "rb") as stream:  # noqa: PTH123
            header = stream.read(_HEADER)
    except OSError:
        return False
    if len(header) < _HEADER or header[4:8] != bytes(4):
        return False  # of those by hash Python makes none on its own
    time = int(status.st_mtime) & 0xFFFFFFFF
    size = status.st_size & 0xFFFFFFFF
    return header[8:] == time.to_bytes(4, "little") + size.to_bytes(4, "little")


def _check_link(task: Task, path: str) -> Finding | None:
    target = os.readlink(path)  # noqa: PTH115
    there = os.path.exists(path)  # noqa: PTH110
    original = _original_target(task.package.source, task.path)
    if target != original and not _has_recorded_hash(task, path, target):
        if original is not None:
            return _finding(task, Kind.LINK, f"it leads to {target}, not to {original}")
        return None if there else _finding(task, Kind.BROKEN_LINK, f"{target} is not there")
    if not there and os.path.isabs(target):  # noqa: PTH117
        return _finding(task, Kind.BROKEN_LINK, f"{target} is not there")
    return None


def _original_target(source: Path | None, path: str) -> str | None:
    if source is None:
        return None
    try:
        return os.readlink(f"{os.fspath(source)}/{path}")  # noqa: PTH115
    except OSError:
        return None


def _has_recorded_hash(task: Task, path: str, target: str) -> bool:
    expected: str | None = task.entry.get("sha256")
    if not expected:
        return True
    if hashlib.sha256(os.fsencode(target)).hexdigest() == expected:
        return True
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            return hashlib.sha256(stream.read()).hexdigest() == expected
    except OSError:
        return False
