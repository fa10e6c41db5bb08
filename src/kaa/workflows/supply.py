"""What the workflows that change something share: settings, and how packages are brought."""

from __future__ import annotations

import asyncio
import functools
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.model.errors import SourceError
from kaa.model.package import HOST, source_of_channel
from kaa.model.progress import Phase
from kaa.model.source import Kind
from kaa.network.client import Client
from kaa.network.explicit_indexes import with_indexes
from kaa.network.locations import as_url
from kaa.network.settings import load_settings
from kaa.settings.configuration import load_configuration
from kaa.solver.request import Catalog, Solution, SolveRequest
from kaa.solver.solve import solve
from kaa.sources.channels import resolve_sources
from kaa.sources.conda import open_gateway
from kaa.sources.host import find_host_pythons
from kaa.sources.index import ProjectIndex
from kaa.sources.metadata import MetadataReader
from kaa.sources.name_mapping import MAPPING_URL, load_mapping
from kaa.sources.rattler_client import open_rattler_client
from kaa.sources.unpacked_wheels import UnpackedWheels
from kaa.store.locks import at_work
from kaa.workflows.reachability import while_reachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from rattler import Client as RattlerClient
    from rattler import RepoDataRecord

    from kaa.model.options import SolveOptions
    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.network.settings import NetworkSettings
    from kaa.settings.configuration import Configuration
    from kaa.solver.specs import Spec
    from kaa.sources.builds import Builder
    from kaa.sources.find_links import FindLinks
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout


_NO_MAPPING = "none"


@dataclass(frozen=True, slots=True)
class Supply:
    """How packages are found and brought into the package cache, for one run."""

    client: Client
    channel_client: RattlerClient
    metadata: MetadataReader
    catalog: Catalog
    configuration: Configuration
    settings: NetworkSettings
    chosen: tuple[Source, ...]
    only: tuple[str, ...] = ()
    """What has to be typed for no other sources than those of ``-c`` to count."""

    def sources(self, specs: Sequence[Spec]) -> tuple[Source, ...]:
        """Return the sources in order of priority, those that only specs name at the end.

        Raises :class:`~kaa.model.errors.RequestError` for a channel that makes no sense.
        """
        named = (spec.source for spec in specs if spec.source is not None)
        known = SolveRequest((), self.chosen, "")
        more = dict.fromkeys(text for text in named if known.source(text) is None)
        return (*self.chosen, *resolve_sources(tuple(more), self.configuration))

    def without(self, channel: str) -> str:
        """Return what to type to do the same without a channel."""
        names = [source.name for source in self.chosen if source.kind is not Kind.HOST]
        if channel not in names:  # only a spec asks for it
            return f"leave out `{channel}::`"
        others = [f"-c {name}" for name in names if name != channel] or ["-c pypi"]
        return "`" + " ".join([*self.only, *others]) + "`"


@asynccontextmanager
async def open_supply(
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
    *,
    sources: tuple[str, ...] = (),
    prefix: Path | None = None,
    only: tuple[str, ...] = (),
) -> AsyncIterator[Supply]:
    """Give what a run finds packages with; connections are closed at the end.

    ``sources`` stand in for those of the settings when the options name none; ``prefix`` is an
    environment whose own settings count; ``only`` is the option without which ``-c`` does not
    keep other sources away. The error for a channel that fails says what to type to do without.

    Raises :class:`~kaa.model.errors.RequestError` for settings that make no sense.
    """
    configuration = load_configuration(os.environ, prefix=prefix)
    if options.offline:
        configuration = replace(configuration, offline=True)
    if not options.verify:
        configuration = replace(configuration, ssl_verify=False)
    settings = load_settings(os.environ, configuration=configuration)
    settings = replace(settings, offline=settings.offline or configuration.offline)
    settings = with_indexes(
        settings, options.indexes, default=options.default_index, no_index=options.no_index
    )
    links = (*map(as_url, options.find_links), *settings.find_links)
    settings = replace(settings, find_links=tuple(dict.fromkeys(links)))
    chosen = resolve_sources(options.sources or sources or configuration.channels, configuration)
    channel_client = open_rattler_client(configuration, settings)
    with at_work(layout):
        async with Client(settings) as client:
            unpacked = UnpackedWheels(layout.all_packages)
            metadata = MetadataReader(client, layout.metadata, layout.metadata / "wheels", unpacked)

            async def pythons() -> tuple[HostPython, ...]:
                return await asyncio.to_thread(find_host_pythons, layout)

            async def mapping() -> Mapping[str, list[str] | None] | None:
                place = configuration.name_mapping
                if place == _NO_MAPPING:
                    return None
                return await load_mapping(
                    client, layout.metadata, offline=settings.offline, url=place or MAPPING_URL
                )

            @functools.cache
            def builder() -> Builder:
                # Most solves build nothing, and what builds takes its time to import.
                from kaa.sources.builds import Builder

                allow = options.build and not configuration.no_build
                return Builder(layout, client, progress, pythons=pythons, allow=allow)

            catalog = Catalog(
                gateway=open_gateway(layout.metadata, channel_client, offline=settings.offline),
                index=ProjectIndex(
                    client, settings, layout.metadata, progress, _find_links(client, settings)
                ),
                metadata=metadata,
                pythons=pythons,
                mapping=mapping,
                builder=builder,
                builds=options.build and not configuration.no_build,
            )
            supply = Supply(
                client, channel_client, metadata, catalog, configuration, settings, chosen, only
            )
            try:
                yield supply
            except SourceError as error:
                if error.channel and error.without and error.hint:
                    way = supply.without(error.channel)
                    error.hint = error.hint.replace(error.without, way)
                raise


def _find_links(client: Client, settings: NetworkSettings) -> FindLinks | None:
    if not settings.find_links:
        return None
    from kaa.sources.find_links import FindLinks

    return FindLinks(client, settings.find_links)


async def solve_for(request: SolveRequest, supply: Supply, progress: Progress) -> Solution:
    """Return the answer of :func:`~kaa.solver.solve.solve`, and end the progress of asking."""
    try:
        return await while_reachable(solve(request, supply.catalog), request.channels, supply)
    finally:
        progress.finish(Phase.METADATA)


def is_host_python(record: RepoDataRecord) -> bool:
    """Say whether a record is an interpreter of this machine, which is not fetched."""
    return source_of_channel(record.channel or "") == HOST
