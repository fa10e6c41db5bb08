"""Which entry of the package cache stands for a record, and whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.store.package_cache import entry_name, has_entry

if TYPE_CHECKING:
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
    """Say whether the package cache has what ``record`` stands for."""
    wanted = hash_of(record)
    return has_entry(layout, entry_of(record), wanted.get("sha256"), wanted.get("md5"))
