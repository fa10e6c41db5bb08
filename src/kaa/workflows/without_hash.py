"""Locked conda packages without a hash, as ``conda list --explicit`` writes them by default.

Nothing is installed unchecked, so the channel is asked: its index has the hash of the very file. A
file of this machine is hashed as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.network.local_files import is_local, local_path
from kaa.sources.channels import resolve_sources
from kaa.sources.conda import CondaChannels

if TYPE_CHECKING:
    from rattler import RepoDataRecord

    from kaa.formats.lock_file import LockedPlatform
    from kaa.workflows.supply import Supply


async def with_hashes(locked: LockedPlatform, supply: Supply) -> LockedPlatform:
    """Return the packages with the hashes that their channels know, as far as they know them.

    Raises :class:`~kaa.model.errors.SourceError` when a channel cannot be read.
    """
    bare = [record for record in locked.records if not (record.sha256 or record.md5)]
    if not bare:
        return locked
    found: dict[str, RepoDataRecord] = {}
    asked: dict[str, list[RepoDataRecord]] = {}
    for record in bare:
        if is_local(record.url):
            hashed = _of_this_machine(record)
            found |= {record.url: hashed} if hashed is not None else {}
        else:
            asked.setdefault(record.channel or "", []).append(record)
    for channel, records in asked.items():
        known = await _known(channel, records, locked.subdir, supply)
        found |= {
            record.url: known[record.file_name] for record in records if record.file_name in known
        }
    return replace(locked, records=tuple(found.get(each.url, each) for each in locked.records))


async def _known(
    channel: str, records: list[RepoDataRecord], subdir: str, supply: Supply
) -> dict[str, RepoDataRecord]:
    """Return what a channel has of the names of records, by file name."""
    sources = resolve_sources([channel], supply.configuration)
    channels = CondaChannels(supply.catalog.gateway, sources, subdir)
    wanted = {record.file_name for record in records}
    found = {}
    for name in dict.fromkeys(record.name.normalized for record in records):
        for each in await channels.records(name):
            if each.file_name in wanted and (each.sha256 or each.md5):
                found[each.file_name] = each
    return found


def _of_this_machine(record: RepoDataRecord) -> RepoDataRecord | None:
    from kaa.formats.locked_file import locked_record

    path = local_path(record.url)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None  # whoever wants to read it says what is wrong with it
    name, version = record.name.normalized, str(record.version)
    return locked_record(name, version, record.url, None, digest, path)
