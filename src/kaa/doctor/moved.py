"""Whether an environment is where its files think it is.

Scripts, activation and compiled programs name the prefix that they were made for. Who moves the
directory by hand breaks them, and no hash shows it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.doctor.distributions import interpreter_of
from kaa.environments.prefix import carried_path, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.doctor.records import Recorded
    from kaa.environments.prefix import Prefix

_INTERPRETER = re.compile(r"(.+?)[/\\](?:bin|Scripts)[/\\]python[\d.]*(?:\.exe)?\Z")
_ENTRY_POINTS = frozenset({"unix_python_entry_point", "windows_python_entry_point_script"})


def moved_from(prefix: Prefix, records: Iterable[Recorded]) -> str | None:
    """Return the prefix that the files name, None when it is the environment's own.

    kaa's manifest says it; elsewhere the scripts that were made when packages were linked do.
    """
    generation = prefix.current
    manifest = read_manifest(generation)
    if manifest is not None and manifest.prefix is not None:
        carried = carried_path(prefix, manifest)
        return str(carried) if carried != prefix.path else None
    said = _named_by_scripts(generation, records)
    if said is None or _is_same(said, prefix.path) or _is_same(said, generation):
        return None
    return said


def _named_by_scripts(generation: Path, records: Iterable[Recorded]) -> str | None:
    for record in records:
        for entry in record.paths:
            if entry.get("path_type") in _ENTRY_POINTS:
                named = interpreter_of(f"{generation}/{entry['_path']}")
                found = _INTERPRETER.match(named or "")
                if found is not None:
                    return found[1]
    return None


def _is_same(said: str, path: Path) -> bool:
    """Say whether two paths are the same place: by name, or through links (/tmp on macOS)."""
    if said == str(path):
        return True
    other = Path(said)
    return (
        os.path.lexists(said)
        and os.path.realpath(other.parent) == os.path.realpath(path.parent)
        and other.name == path.name
    )
