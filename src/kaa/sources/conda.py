"""Conda channels as sources of the solve, through rattler's gateway.

The gateway fetches repodata (shards, zst, JSON), keeps it in its cache and hands records to the
solver without a detour through Python; here is what kaa needs to know of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import Channel, Client, Gateway, MultiSource, RepoDataRecord, Subdir

    from kaa.model.source import Source

from kaa.model.errors import SourceAnswerError, SourceError, SourceUnreachableError
from kaa.network.locations import redact_text

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


def _subdirs(subdir: str) -> tuple[Subdir, ...]:
    from rattler import Subdir

    return Subdir(subdir), Subdir(NOARCH)


class CondaChannels:
    """The conda channels of one solve, for one platform."""

    def __init__(self, gateway: Gateway, sources: Sequence[Source], subdir: str) -> None:
        self.gateway = gateway
        self.sources = tuple(sources)
        self.subdirs = _subdirs(subdir)

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
        from rattler.exceptions import GatewayError

        try:
            names = await self.gateway.names(
                [self.rattler_source(source) for source in chosen], self.subdirs
            )
        except GatewayError as error:
            raise channel_failure(error, chosen) from None
        return frozenset(name.normalized for name in names)

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
            raise channel_failure(error, self.sources) from None
        return [record for records in found for record in records]


def channel_failure(error: Exception, sources: Sequence[Source]) -> SourceError:
    """Return the error that says which channel could not be read, why, and how to do without."""
    text = redact_text(str(error))
    failed = next((s for s in sources if any(url in str(error) for url in s.urls)), None)
    name = failed.name if failed else "a channel"
    cause = text.rpartition("Caused by: ")[2] or text
    others = [source for source in sources if source is not failed]
    without = " ".join(f"-c {source.name}" for source in others) or "-c pypi"
    hint = f"check the channel's name and the network; without it: `{without}`"
    if "Connect" in text or "dns" in text or "timed out" in text:
        return SourceUnreachableError(f"{name} cannot be reached", cause=cause, hint=hint)
    return SourceAnswerError(f"{name} cannot be read", cause=cause, hint=hint)
