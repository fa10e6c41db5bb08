"""Conda channels as sources of the solve, through rattler's gateway.

The gateway fetches repodata (shards, zst, JSON), keeps it in its cache and hands records to the
solver without a detour through Python; here is what kaa needs to know of them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from kaa.sources.channel_failures import (
    channel_failure,
    is_bad_record,
    is_missing_subdir,
    named_source,
    wrong_subdir,
)
from kaa.sources.channels import public_url
from kaa.sources.incomplete_channel import IncompleteChannel, Place, unpacked_place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from rattler import Channel, Client, Gateway, MultiSource, RepoDataRecord, Subdir

    from kaa.model.errors import SourceError
    from kaa.model.source import Source

__all__ = ["NOARCH", "CondaChannels", "channel_failure", "open_gateway"]

NOARCH = "noarch"
_INCOMPLETE: WeakKeyDictionary[Gateway, dict[tuple[str, str], Place]] = WeakKeyDictionary()
"""By gateway, and by channel URL and subdir, what was found out about incomplete channels."""
_CACHES: WeakKeyDictionary[Gateway, Path] = WeakKeyDictionary()
"""The cache that a gateway was opened with; indexes of channels on disk are unpacked there."""


def open_gateway(cache_dir: Path, client: Client | None, *, offline: bool = False) -> Gateway:
    """Return the gateway that keeps repodata below ``cache_dir``.

    ``offline`` takes repodata from the cache, however old they are.
    """
    from rattler import Gateway, SourceConfig

    action = "force-cache-only" if offline else "cache-or-fetch"
    repodata = cache_dir / "repodata"
    with suppress(OSError):  # whoever needs the directory says what is wrong with it
        # rattler keeps URLs in there as they are, credentials and all
        repodata.mkdir(mode=0o700, parents=True, exist_ok=True)
        repodata.chmod(0o700)
    gateway = Gateway(
        cache_dir=repodata,
        default_config=SourceConfig(cache_action=action),  # type: ignore[arg-type]  # a literal
        client=client,
    )
    _CACHES[gateway] = cache_dir
    return gateway


def _default_cache() -> Path:
    """Return the cache for a gateway that was not opened here."""
    from kaa.store.layout import default_layout

    return default_layout().metadata


def _subdirs(subdir: str) -> tuple[Subdir, ...]:
    from rattler import Subdir

    return Subdir(subdir), Subdir(NOARCH)


class CondaChannels:
    """The conda channels of one solve, for one platform."""

    def __init__(self, gateway: Gateway, sources: Sequence[Source], subdir: str) -> None:
        self.gateway = gateway
        self.sources = tuple(sources)
        self.subdirs = _subdirs(subdir)
        self._incomplete = _INCOMPLETE.setdefault(gateway, {})

    def rattler_source(self, source: Source) -> Channel | MultiSource | IncompleteChannel:
        """Return a source as the solver takes it; a multichannel is one source.

        Raises :class:`~kaa.model.errors.SourceAnswerError` for a channel on disk whose index
        cannot be unpacked. That a channel has no noarch is known once :meth:`names` was asked.
        """
        from rattler import Channel, MultiSource

        if any(self._place(url) is not None for url in source.urls):
            subdirs = frozenset(map(str, self.subdirs))
            places = (self._place(url) or Place(url, url, subdirs) for url in source.urls)
            return IncompleteChannel(self.gateway, places)
        if len(source.urls) == 1:
            return Channel(source.urls[0])
        return MultiSource(source.name, list(source.urls))

    async def names(self, sources: Sequence[Source] | None = None) -> frozenset[str]:
        """Return the names of all packages in ``sources`` (all channels by default).

        A channel without noarch is one; one with neither noarch nor the platform's subdir is not.
        Raises :class:`~kaa.model.errors.SourceError` when a channel cannot be read.
        """
        chosen = self.sources if sources is None else sources
        tasks = [asyncio.ensure_future(self._names(source)) for source in chosen]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return frozenset().union(*found)

    async def have(self, names: Collection[str], sources: Sequence[Source]) -> bool:
        """Say whether it is certain that ``sources`` have packages of all ``names``.

        That takes milliseconds where all the names of a large channel take a tenth of a second.
        What cannot be read is no error here: whoever asks for more will say what is wrong with it.
        """
        from rattler.exceptions import GatewayError

        try:
            found = await self.gateway.query(
                [self.rattler_source(source) for source in sources],
                self.subdirs,
                list(names),
                recursive=False,
            )
        except GatewayError:
            return False
        return set(names) <= {record.name.normalized for records in found for record in records}

    async def records(self, spec: str) -> list[RepoDataRecord]:
        """Return the records that match ``spec`` (a match spec), in the channels' order.

        Raises :class:`~kaa.model.errors.SourceError` when a channel cannot be read.
        """
        if not self.sources:
            return []
        from rattler.exceptions import GatewayError

        try:
            found = await self.gateway.query(
                [self.rattler_source(source) for source in self.sources],
                self.subdirs,
                [spec],
                recursive=False,
            )
        except GatewayError as error:
            raise await self.failure(error) from None
        return [record for records in found for record in records]

    def accepted(self, records: Iterable[RepoDataRecord]) -> list[RepoDataRecord]:
        """Return what the solver chose, with URLs that may be shown and written down.

        Credentials that a channel's URL has would else get into ``conda-meta``. Where a package
        is fetched from, :func:`~kaa.sources.channels.private_url` knows.

        Raises :class:`~kaa.model.errors.SourceAnswerError` for a record of another platform:
        rattler takes what a subdir's index has for that subdir's, whatever the records say.
        """
        known = {str(subdir) for subdir in self.subdirs}
        chosen = list(records)
        for record in chosen:
            channel = public_url(record.channel or "")
            if record.subdir not in known:
                self._refuse_subdir(record, channel)
            if "@" in record.url or "/t/" in record.url:
                record.url = public_url(record.url)
                record.channel = channel
        return chosen

    def _refuse_subdir(self, record: RepoDataRecord, channel: str) -> None:
        for source in self.sources:
            if channel in map(public_url, source.urls):
                place = record.url.rpartition("/")[0].rpartition("/")[2]
                raise wrong_subdir(source, self.sources, record.subdir, place)

    async def failure(self, error: Exception) -> SourceError:
        """Return the error to show for a ``GatewayError``.

        rattler does not always say which channel it is about, and never which record: that is
        found out by asking again, for less.
        """
        failed = named_source(error, self.sources)
        package = None
        if failed is None or is_bad_record(error):
            for source in self.sources:
                found = await self._first_failure(source)
                if found is not None:
                    failed, (error, package) = source, found
                    break
        return channel_failure(error, self.sources, failed, package)

    async def _names(self, source: Source) -> set[str]:
        from rattler.exceptions import GatewayError

        try:
            return await self._names_of(source)
        except GatewayError as error:
            if not is_missing_subdir(error):
                raise channel_failure(error, self.sources, source) from None
            found: set[str] = set()
            for url in source.urls:
                found |= await self._names_without_noarch(source, url, error)
            return found

    async def _names_of(self, source: Source) -> set[str]:
        asked = self.rattler_source(source)
        if isinstance(asked, IncompleteChannel):
            return await asked.names(self.subdirs)
        names = await self.gateway.names([asked], self.subdirs)
        return {name.normalized for name in names}

    async def _names_without_noarch(self, source: Source, url: str, missing: Exception) -> set[str]:
        """Return the names in a channel of which ``missing`` may be said, and remember if it is."""
        from rattler import Channel
        from rattler.exceptions import GatewayError

        place = self._place(url) or Place(url, url, frozenset(map(str, self.subdirs)))
        try:
            return await IncompleteChannel(self.gateway, [place]).names(self.subdirs)
        except GatewayError as error:
            if not is_missing_subdir(error):
                raise channel_failure(error, self.sources, source) from None
        own = self.subdirs[:1]
        try:
            names = await self.gateway.names([Channel(place.read)], own)
        except GatewayError as error:
            raise channel_failure(error, self.sources, source) from None
        if not names:  # rattler takes a missing subdir for an empty one, unless it is noarch
            raise channel_failure(missing, self.sources, source)
        self._incomplete[self._key(url)] = Place(url, place.read, frozenset(map(str, own)))
        return {name.normalized for name in names}

    def _place(self, url: str) -> Place | None:
        """Return how to read a channel that rattler does not read as it is, None for others."""
        known = self._incomplete.get(self._key(url))
        if known is not None:
            return known
        cache = _CACHES.get(self.gateway) or _default_cache()
        place = unpacked_place(url, [str(subdir) for subdir in self.subdirs], cache)
        if place is not None:
            self._incomplete[self._key(url)] = place
        return place

    def _key(self, url: str) -> tuple[str, str]:
        return url, str(self.subdirs[0])

    async def _first_failure(self, source: Source) -> tuple[Exception, str | None] | None:
        """Return what is wrong with a source, and with which package's records, if anything is."""
        from rattler.exceptions import GatewayError

        try:
            names = sorted(await self._names_of(source))
        except GatewayError as error:
            return error, None
        found = await self._failing(source, names)
        while found is not None and len(names) > 1:
            half = len(names) // 2
            first = await self._failing(source, names[:half])
            names, found = (names[:half], first) if first is not None else (names[half:], found)
        return None if found is None else (found, names[0])

    async def _failing(self, source: Source, names: Sequence[str]) -> Exception | None:
        from rattler.exceptions import GatewayError

        if not names:
            return None
        try:
            await self.gateway.query(
                [self.rattler_source(source)], self.subdirs, names, recursive=False
            )
        except GatewayError as error:
            failed: Exception = error
            return failed
        return None
