"""The package cache is not believed unseen: what is damaged in it is fetched again, not linked.

rattler could look itself (``ValidationMode``), but what it then fetches it fetches on its own,
past the checks of :mod:`kaa.transaction.fetch`; ``fast`` finds missing files only, which fail to be
linked in any case, and ``full`` reads everything each time, which costs 12 % of an installation.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.model.errors import KaaError, StoreError
from kaa.store.bytecode import drop_compiled, is_compiled, layer_of
from kaa.store.disk import writing
from kaa.store.integrity import drop_entry, quick_damage
from kaa.transaction.cached import cached_package, entry_of, python_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rattler import RepoDataRecord

    from kaa.model.verification import Finding
    from kaa.store.layout import Layout

_log = logging.getLogger(__name__)


async def distrust(
    records: Sequence[RepoDataRecord], layout: Layout, again: Collection[str] = ()
) -> tuple[str, ...]:
    """Let the damaged ones among the records' entries count no longer; return their names.

    What can be told without reading the files is looked at (see :mod:`kaa.store.integrity`);
    ``again`` are names of entries that somebody has read and found to be damaged. Raises
    :class:`~kaa.model.errors.StoreError` when the cache cannot be written to.
    """
    return await asyncio.to_thread(_distrust, records, layout, frozenset(again))


async def without_damaged(records: Sequence[RepoDataRecord], layout: Layout) -> Layout:
    """Return the layout without the caches beneath one's own that have damaged ones of the records.

    Nothing is written there, so what is missing then is fetched into one's own, which goes first.
    """
    return await asyncio.to_thread(_without_damaged, records, layout)


def _without_damaged(records: Sequence[RepoDataRecord], layout: Layout) -> Layout:
    for record in records:
        entry = entry_of(record)
        package = cached_package(layout, record)
        while package is not None and package.parent in layout.shared_packages:
            damage = quick_damage(package.parent, entry)
            if damage is None:
                break
            _log.warning("%s is damaged, and its cache is left out (%s)", package, damage.path)
            others = tuple(each for each in layout.shared_packages if each != package.parent)
            layout = replace(layout, shared_packages=others)
            package = cached_package(layout, record)
    return layout


@contextmanager
def named_if_they_stay_away(damaged: Sequence[str], layout: Layout) -> Iterator[None]:
    """Say that damaged packages were to be fetched again, where fetching fails in the block."""
    try:
        yield
    except KaaError as error:
        if not damaged or isinstance(error, StoreError):
            raise
        raise StoreError(
            f"damaged in the package cache, and not to be had again: {', '.join(damaged)}",
            cause=f"{error.message}" + (f" ({error.cause})" if error.cause else ""),
            hint=f"run it again with a connection; nothing in {layout.packages} is linked until "
            "it is as it was fetched",
        ) from error


def _distrust(
    records: Sequence[RepoDataRecord], layout: Layout, again: frozenset[str]
) -> tuple[str, ...]:
    damaged = []
    version = python_version(records)
    layer = layer_of(layout, version) if version else None
    for record in records:
        entry = entry_of(record)
        if cached_package(layout, record) != layout.packages / entry:
            continue
        if entry in again:
            drop_entry(layout, entry)
            damaged.append(entry)
            continue
        if layer is not None and is_compiled(layout, layer, entry):
            # The files of the entry itself are among those of the layer's.
            if quick_damage(layer, entry) is None:
                continue
            with writing(layer):
                drop_compiled(layout, entry)
        finding = quick_damage(layout.packages, entry)
        if finding is not None:
            _drop(layout, entry, finding)
            damaged.append(entry)
    return tuple(damaged)


def _drop(layout: Layout, entry: str, finding: Finding) -> None:
    said = finding.path + (f": {finding.detail}" if finding.detail else "")
    _log.warning("%s is damaged in the package cache, and fetched again (%s)", entry, said)
    # Another process may have put a whole one there meanwhile.
    drop_entry(layout, entry, still=lambda: quick_damage(layout.packages, entry) is not None)
