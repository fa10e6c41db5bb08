"""What an environment has and what it is going to have, as a plan's additions and changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.package import HOST, PYPI, Package, channel_of, source_of_channel
from kaa.model.plan import Addition, Change, Move, Removal
from kaa.sources.identity import promised_sha256
from kaa.sources.installed import installed_file
from kaa.transaction.cached import is_cached
from kaa.workflows.reasons import Intent, Needs, read_needs, why_added, why_changed, why_removed
from kaa.workflows.supply import is_host_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rattler import RepoDataRecord

    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Difference:
    """The parts of a plan that follow from what is there and what is going to be."""

    additions: tuple[Addition, ...]
    changes: tuple[Change, ...]
    removals: tuple[Removal, ...]
    unchanged: int


def difference(
    before: Sequence[RepoDataRecord],
    after: Sequence[RepoDataRecord],
    intent: Intent,
    download: Callable[[RepoDataRecord], int],
) -> Difference:
    """Return what changes between two sets of records, with the reasons, in order of name.

    ``download`` says how many bytes of a record have to be fetched.
    """
    old = {record.name.normalized: record for record in before}
    new = {record.name.normalized: record for record in after}
    gone = sorted(old.keys() - new.keys())
    needs, needed = read_needs(after, intent.extras), read_needs(before, intent.extras)
    moved = [name for name in sorted(old.keys() & new.keys()) if not same(old[name], new[name])]
    return Difference(
        tuple(
            Addition(
                package_of(new[name], requested=name in intent.asked),
                download(new[name]),
                why_added(name, intent, needs),
            )
            for name in sorted(new.keys() - old.keys())
        ),
        tuple(_change(old[name], new[name], intent, needs, download(new[name])) for name in moved),
        tuple(
            Removal(package_of(old[name], requested=False), why_removed(name, needed, gone))
            for name in gone
        ),
        len(old.keys() & new.keys()) - len(moved),
    )


def same(before: RepoDataRecord, after: RepoDataRecord) -> bool:
    """Say whether two records are of one archive, wherever it comes from."""
    if before.sha256 and after.sha256:
        content = before.sha256 == after.sha256
    else:
        content = before.url == after.url
    return (
        content
        and before.version == after.version
        and str(before.build) == str(after.build)
        and before.name.normalized == after.name.normalized
    )


def to_download(record: RepoDataRecord, layout: Layout) -> int:
    """Return how many bytes of a record have to be fetched, as far as is known."""
    return 0 if is_host_python(record) or is_cached(layout, record) else record.size or 0


def to_fetch_again(
    before: Sequence[RepoDataRecord], after: Sequence[RepoDataRecord], layout: Layout
) -> int:
    """Return how many bytes of packages have to be fetched that are the same as before."""
    old = {record.name.normalized: record for record in before}
    staying = (
        record
        for record in after
        if (was := old.get(record.name.normalized)) is not None and same(was, record)
    )
    return sum(to_download(record, layout) for record in staying)


def package_of(record: RepoDataRecord, *, requested: bool) -> Package:
    """Return a record as plans show it."""
    source = source_of_channel(record.channel or "unknown")
    sha256 = record.sha256.hex() if record.sha256 else None
    if source == HOST:
        sha256 = None  # that of an interpreter of this machine is no archive's
    elif source == PYPI:
        sha256 = promised_sha256(installed_file(record))
    subdir = "" if source in (HOST, PYPI) else record.subdir
    return Package(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        source=source,
        url=record.url,
        sha256=sha256,
        size=record.size,
        requested=requested,
        build_number=record.build_number,
        channel=channel_of(record.url, subdir),
        subdir=subdir,
        md5=record.md5.hex() if record.md5 else None,
    )


def _change(
    before: RepoDataRecord, after: RepoDataRecord, intent: Intent, needs: Needs, download: int
) -> Change:
    direction = _direction(before, after)
    asked = after.name.normalized in intent.asked
    old, new = package_of(before, requested=asked), package_of(after, requested=asked)
    if direction:
        move = Move.UPGRADE if direction > 0 else Move.DOWNGRADE
    else:
        move = Move.SOURCE if old.source != new.source else Move.REBUILD
    return Change(old, new, move, download, why_changed(before, after, intent, needs, direction))


def _direction(before: RepoDataRecord, after: RepoDataRecord) -> int:
    """Return 1 where the version goes up, -1 where it goes down, 0 where it stays."""
    if before.version == after.version:
        return 0
    return 1 if after.version > before.version else -1
