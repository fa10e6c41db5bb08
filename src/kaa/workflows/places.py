"""The sources that a question is put to, and what they have of a package."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kaa.model.errors import RequestError
from kaa.model.source import Kind, Source
from kaa.solver.request import SolveRequest
from kaa.sources.conda import CondaChannels
from kaa.sources.part import Names, OwnNames
from kaa.sources.project_names import ProjectNames
from kaa.workflows.options import platform_of
from kaa.workflows.reachability import while_reachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import RepoDataRecord

    from kaa.model.distribution import Release
    from kaa.model.options import SolveOptions
    from kaa.solver.specs import Spec
    from kaa.workflows.supply import Supply

_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Place:
    """The sources in order of priority, and what is known of all their names.

    ``channel_names`` are the names that the conda channels have for ``platform``.
    """

    supply: Supply
    sources: tuple[Source, ...]
    platform: str
    channel_names: frozenset[str] = frozenset()
    names: Names = field(default_factory=OwnNames)

    @property
    def channels(self) -> tuple[Source, ...]:
        """The conda channels among the sources."""
        return tuple(source for source in self.sources if source.kind is Kind.CONDA)

    @property
    def index(self) -> Source | None:
        """The package indexes, if they are among the sources."""
        return next((source for source in self.sources if source.kind is Kind.PYPI), None)

    @property
    def description(self) -> str:
        """The sources as messages name them."""
        names = ", ".join(source.name for source in self.sources)
        return f"{names} ({self.platform})" if self.channels else names

    def conda(self, *sources: Source) -> CondaChannels:
        """Return the conda channels, all of them if none are named, for the platform."""
        gateway = self.supply.catalog.gateway
        return CondaChannels(gateway, sources or self.channels, self.platform)

    async def releases(self, project: str | None) -> list[Release] | None:
        """Return a project's releases, newest first; None where there is none of that name.

        Raises :class:`~kaa.model.errors.SourceError` when an index cannot be read.
        """
        if not project or self.index is None or not _PROJECT.fullmatch(project):
            return None
        releases = await self.supply.catalog.index.releases(project)
        return None if releases is None else list(releases)

    async def records(
        self, specs: Sequence[str], channel: Source
    ) -> dict[str, list[RepoDataRecord]]:
        """Return the records of a channel that match any of ``specs`` (match specs), by name.

        Raises :class:`~kaa.model.errors.SourceError` when the channel cannot be read.
        """
        from rattler.exceptions import GatewayError

        conda = self.conda(channel)
        try:
            answers = await conda.gateway.query(
                [conda.rattler_source(channel)], conda.subdirs, specs, recursive=False
            )
        except GatewayError as error:
            raise await self.conda().failure(error) from None
        found: dict[str, list[RepoDataRecord]] = {}
        for record in (record for records in answers for record in records):
            found.setdefault(record.name.normalized, []).append(record)
        return found


async def survey_sources(supply: Supply, spec: Spec, options: SolveOptions) -> Place:
    """Return the sources that a question about ``spec`` is put to: the one it names, or all.

    Raises :class:`~kaa.model.errors.RequestError` for a source or a platform that makes no sense,
    and :class:`~kaa.model.errors.SourceError` when a channel cannot be read.
    """
    platform = platform_of(options, supply.configuration)
    sources = supply.sources([spec])
    if spec.source is not None:
        one = SolveRequest((), sources, platform).source(spec.source)
        sources = () if one is None else (one,)
    sources = tuple(source for source in sources if source.kind is not Kind.HOST)
    if not sources:
        raise RequestError(
            "there is no source to look in",
            cause="this machine's interpreters cannot be searched",
            hint="name one: `-c conda-forge`, `-c pypi`",
        )
    place = Place(supply, sources, platform)
    if not place.channels:
        return place
    names = await while_reachable(place.conda().names(), place.channels, supply)
    place = replace(place, channel_names=names)
    if place.index is None:
        return place
    mapping = await supply.catalog.mapping()
    return replace(place, names=ProjectNames(place.channel_names, mapping))
