"""Files that are there already, as the entries that a record in ``conda-meta`` has of them.

They are looked at as they are, so that what was edited since it was installed is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BYTECODE = "__pycache__/"


@dataclass(frozen=True, slots=True)
class RecordedFiles:
    """The entries of a package's files; ``altered`` are those that are missing or edited."""

    entries: tuple[dict[str, Any], ...]
    altered: tuple[str, ...] = ()


def recorded_files(prefix: Path, rows: Iterable[tuple[str, str]]) -> RecordedFiles:
    """Return the entries of files below ``prefix``, in order of path.

    ``rows`` are paths with the hash as RECORD has it (``sha256=...``, which may be empty). Bytecode
    is Python's, and may be missing. Raises ``OSError`` for what cannot be read.
    """
    entries: dict[str, dict[str, Any]] = {}
    altered = []
    for path, expected in rows:
        entry = _entry(prefix, path)
        if entry is not None:
            entries[path] = entry
        elif not is_bytecode(path, expected):
            altered.append(path)
            continue
        if entry is not None and not _agrees(entry, expected):
            altered.append(path)
    return RecordedFiles(tuple(entries[path] for path in sorted(entries)), tuple(altered))


def with_files(record: dict[str, Any], files: RecordedFiles) -> dict[str, Any]:
    """Return a record with its files, in the order of keys that rattler has."""
    bare = {key: value for key, value in record.items() if key not in {"files", "paths_data"}}
    return {
        **bare,
        "files": [entry["_path"] for entry in files.entries],
        "paths_data": {"paths_version": 1, "paths": list(files.entries)},
    }


def is_bytecode(path: str, expected: str) -> bool:
    """Say whether a row of RECORD is about what Python compiled, which is everybody's to delete.

    virtualenv lists for its pip what is nowhere: directories of bytecode, and bytecode beside its
    source. None of that has a hash.
    """
    return "__pycache__" in path.split("/") or (not expected and path.endswith(".pyc"))


def _entry(prefix: Path, path: str) -> dict[str, Any] | None:
    file = prefix / path
    if file.is_symlink():
        text = os.fsencode(file.readlink())
        digest = hashlib.sha256(text).hexdigest()
        return {"_path": path, "path_type": "softlink", "sha256": digest, "size_in_bytes": 0}
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return {
        "_path": path,
        "path_type": "pyc_file" if _BYTECODE in path else "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


def _agrees(entry: dict[str, Any], expected: str) -> bool:
    algorithm, _, digest = expected.partition("=")
    if algorithm != "sha256" or entry["path_type"] == "softlink":
        return True
    found = base64.urlsafe_b64encode(bytes.fromhex(entry["sha256"])).decode().rstrip("=")
    return found == digest.rstrip("=")
