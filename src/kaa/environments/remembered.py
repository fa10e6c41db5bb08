"""What was found out of directories, kept with the times of modification that it hangs on.

It is in a file, for the next process, and in memory, for the next look of this one.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.discovered import Facts, InnerKernel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FORMAT = 4
_GRAIN = 2_000_000_000
"""Nanoseconds in which a file system may give two changes one time: FAT's are the coarsest."""
_AHEAD = 3600 * 1_000_000_000
"""Times of modification that are further ahead than this come from an archive, not from now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a prefix; ``facts`` are None for what is no environment.

    ``settled`` says that it was read long enough after the last change for another change to have
    another time.
    """

    marks: tuple[int, ...]
    facts: Facts | None
    settled: bool


def new_entry(marks: tuple[int, ...], facts: Facts | None) -> Entry:
    """Return the entry of what has just been read."""
    age = time.time_ns() - max(marks, default=0)
    return Entry(marks, facts, settled=age > _GRAIN or age < -_AHEAD)


_read: dict[Path, tuple[tuple[int, int], dict[str, Entry]]] = {}
"""By file: its time and size when it was read or written, and what it had."""


def read_entries(file: Path) -> Mapping[str, Entry]:
    """Return what is remembered, by prefix; nothing where the file is missing or damaged."""
    known = _read.get(file)
    signature = _signature(file)
    if known is not None and known[0] == signature:
        return known[1]
    entries = _parsed(file)
    _read[file] = (signature, entries)
    return entries


def write_entries(file: Path, entries: dict[str, Entry]) -> None:
    """Remember ``entries``; where they cannot be written, the next look takes as long as this."""
    from kaa.store.disk import replace_file

    content = {
        "format": _FORMAT,
        "prefixes": {
            prefix: [entry.marks, entry.settled, entry.facts and asdict(entry.facts)]
            for prefix, entry in entries.items()
        },
    }
    # A file that cannot be written is left as it is, and so is the memory of this process: its own.
    with contextlib.suppress(OSError):
        replace_file(file, json.dumps(content).encode("utf-8"))
    _read[file] = (_signature(file), entries)


def _signature(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _parsed(file: Path) -> dict[str, Entry]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            return {}
        return {prefix: _entry(*fields) for prefix, fields in content["prefixes"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}  # made anew


def _entry(marks: list[int], settled: bool, facts: Mapping[str, Any] | None) -> Entry:
    if facts is None:
        return Entry(tuple(marks), None, settled)
    kernels = tuple(
        InnerKernel(**{**kernel, "argv": tuple(kernel["argv"])}) for kernel in facts["kernels"]
    )
    read = Facts(**{**facts, "kernels": kernels, "languages": tuple(facts["languages"])})
    return Entry(tuple(marks), read, settled)
