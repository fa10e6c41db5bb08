"""Which entry of the package cache stands for a record, and whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.store.bytecode import is_compiled, layer_of
from kaa.store.package_cache import entry_name, find_entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.store.layout import Layout


def entry_of(record: RepoDataRecord) -> str:
    """Return the name of the record's entry in the package cache."""
    return entry_name(record.name.normalized, str(record.version), str(record.build))


def hash_of(record: RepoDataRecord) -> dict[str, str]:
    """Return the hash to check, by algorithm: sha256, else md5, else none; hexadecimal."""
    if record.sha256 is not None:
        return {"sha256": record.sha256.hex()}
    return {} if record.md5 is None else {"md5": record.md5.hex()}


def is_cached(layout: Layout, record: RepoDataRecord) -> bool:
    """Say whether the package cache, or one beneath it, has what ``record`` stands for."""
    return cached_package(layout, record) is not None


def cached_package(layout: Layout, record: RepoDataRecord) -> Path | None:
    """Return the directory of the extracted package, None when no cache has it."""
    wanted = hash_of(record)
    return find_entry(layout, entry_of(record), wanted.get("sha256"), wanted.get("md5"))


def not_compiled(layout: Layout, records: Sequence[RepoDataRecord]) -> list[str]:
    """Return the entries of which bytecode could be in the package cache, and is not yet.

    Those are packages that are the same for all Pythons (``noarch: python``, and so all wheels):
    builders of the others add it. A cache beneath has that of its own.
    """
    version = python_version(records)
    if version is None:
        return []
    layer = layer_of(layout, version)
    entries = [
        entry_of(record)
        for record in records
        if record.noarch.python and cached_package(layout, record) not in _beneath(layout, record)
    ]
    return [entry for entry in entries if not is_compiled(layout, layer, entry)]


def _beneath(layout: Layout, record: RepoDataRecord) -> list[Path]:
    return [shared / entry_of(record) for shared in layout.shared_packages]


def python_version(records: Sequence[RepoDataRecord]) -> str | None:
    """Return the version of the Python among ``records``, None when there is none."""
    pythons = (record for record in records if record.name.normalized == "python")
    return next((str(python.version) for python in pythons), None)
