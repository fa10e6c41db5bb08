"""Conda channels as sources of the solve, through rattler's gateway.

The gateway fetches repodata (shards, zst, JSON), keeps it in its cache and hands records to the
solver without a detour through Python; here is what kaa needs to know of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import Channel, Client, Gateway, MultiSource, RepoDataRecord

    from kaa.model.source import Source

NOARCH = "noarch"


def open_gateway(cache_dir: Path, client: Client | None, *, offline: bool = False) -> Gateway:
    """Return the gateway that keeps repodata below ``cache_dir``.

    ``offline`` takes repodata from the cache, however old they are.
    """
    from rattler import Gateway, SourceConfig

    action = "force-cache-only" if offline else "cache-or-fetch"
    return Gateway(
        cache_dir=cache_dir / "repodata",
        default_config=SourceConfig(cache_action=action),  # type: ignore[arg-type]  # a literal
        client=client,
    )


class CondaChannels:
    """The conda channels of one solve, for one platform."""

    def __init__(self, gateway: Gateway, sources: Sequence[Source], subdir: str) -> None:
        self.gateway = gateway
        self.sources = tuple(sources)
        self.subdirs = (subdir, NOARCH)

    def rattler_source(self, source: Source) -> Channel | MultiSource:
        """Return a source as the solver takes it; a multichannel is one source."""
        from rattler import Channel, MultiSource

        if len(source.urls) == 1:
            return Channel(source.urls[0])
        return MultiSource(source.name, list(source.urls))

    async def names(self, sources: Sequence[Source] | None = None) -> frozenset[str]:
        """Return the names of all packages in ``sources`` (all channels by default).

        Raises :class:`~kaa.model.errors.SourceError` when a channel cannot be read.
        """
        chosen = self.sources if sources is None else sources
        if not chosen:
            return frozenset()
        names = await self.gateway.names(
            [self.rattler_source(source) for source in chosen], self.subdirs
        )
        return frozenset(name.normalized for name in names)

    async def records(self, spec: str) -> list[RepoDataRecord]:
        """Return the records that match ``spec`` (a match spec), in the channels' order.

        Raises :class:`~kaa.model.errors.SourceError` when a channel cannot be read.
        """
        if not self.sources:
            return []
        found = await self.gateway.query(
            [self.rattler_source(source) for source in self.sources],
            self.subdirs,
            [spec],
            recursive=False,
        )
        return [record for records in found for record in records]
