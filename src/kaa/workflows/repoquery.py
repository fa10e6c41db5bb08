"""What the packages of conda channels need, and who needs them, as ``mamba repoquery`` asks.

Package indexes take no part: they cannot say who needs a project, and what one needs only after
each of its distributions was asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.environments.graph import dependency_lines
from kaa.model.errors import NoMatchingVersionError, UnknownPackageError, UnsupportedError
from kaa.model.graph import DependencyGraph, Node
from kaa.solver.specs import Spec, parse_spec
from kaa.solver.spelling import near_names
from kaa.sources.offers import preference
from kaa.sources.target import known_subdir
from kaa.workflows.graph import Tree, grow
from kaa.workflows.places import Place, survey_sources
from kaa.workflows.reachability import while_reachable
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rattler import RepoDataRecord

    from kaa.model.options import SolveOptions
    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.store.layout import Layout

_OF_SYSTEM = {
    "linux": {"__linux", "__unix"},
    "osx": {"__osx", "__unix"},
    "win": {"__win"},
}
_SYSTEMS = set[str]().union(*_OF_SYSTEM.values())


@dataclass(frozen=True, slots=True)
class Dependent:
    """A package of a channel that needs another, the newest version of it that does.

    ``dependency`` is what it says; ``kind`` where (``depends``, ``constrains``, ``extra_depends``,
    ``run_export``); ``builds`` how many builds of any version do.
    """

    name: str
    version: str
    build: str
    source: str
    dependency: str
    kind: str
    extra: str | None
    builds: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {field: getattr(self, field) for field in self.__dataclass_fields__}


async def depends_remotely(
    text: str,
    options: SolveOptions,
    layout: Layout,
    progress: Progress,
    *,
    depth: int | None,
) -> Tree:
    """Return what the newest package that matches a spec needs, ``depth`` levels down.

    Of everything that is needed the newest package is shown that satisfies whoever is nearest to
    the root: this is no solve, and together they may not fit. Raises
    :class:`~kaa.model.errors.RequestError`, :class:`~kaa.model.errors.SolveError` when no channel
    has the package, and :class:`~kaa.model.errors.SourceError` when one cannot be read.
    """
    spec = parse_spec(text)
    async with open_supply(layout, options, progress) as supply:
        place = await survey_sources(supply, spec, options)
        name = _conda_name(spec, place)
        root = await _root(spec, name, place)
        nodes = await _descend(root, place, depth)
    graph = DependencyGraph(nodes.values())
    branches = grow(graph, [graph.nodes[name]], depth=depth)
    return Tree(tuple(branches), (), graph)


async def needed_remotely(
    text: str, options: SolveOptions, layout: Layout, progress: Progress
) -> tuple[Dependent, ...]:
    """Return who needs a package, in order of name.

    Where the spec has a version, those that need another one are left out. Raises what
    :func:`depends_remotely` does.
    """
    from rattler.exceptions import GatewayError

    spec = parse_spec(text)
    async with open_supply(layout, options, progress) as supply:
        place = await survey_sources(supply, spec, options)
        name = _conda_name(spec, place)
        exact = spec.conda_version != "*" or spec.build or spec.brackets
        target = (await _root(spec, name, place))[0] if exact else name
        found: dict[tuple[str, str, str], list[tuple[RepoDataRecord, Any]]] = {}
        for channel in place.channels:
            conda = place.conda(channel)
            try:
                asking = conda.gateway.who_needs(
                    [conda.rattler_source(channel)], conda.subdirs, target
                )
                dependents = await while_reachable(asking, [channel], supply)
            except GatewayError as error:
                raise await place.conda().failure(error) from None
            for dependent in dependents:
                record = dependent.record
                key = (record.name.normalized, dependent.kind, channel.name)
                found.setdefault(key, []).append((record, dependent))
    return tuple(_newest(key, found[key]) for key in sorted(found))


def _newest(key: tuple[str, str, str], entries: Sequence[tuple[RepoDataRecord, Any]]) -> Dependent:
    name, kind, source = key
    version = max(record.version for record, _ in entries)
    same = [entry for entry in entries if entry[0].version == version]
    record, dependent = min(same, key=lambda entry: preference(entry[0]))
    return Dependent(
        name,
        str(record.version),
        str(record.build),
        source,
        dependent.dependency,
        kind,
        dependent.extra,
        len({each.url for each, _ in entries}),
    )


def _conda_name(spec: Spec, place: Place) -> str:
    """Return what the channels call a package. Raises :class:`UnknownPackageError`."""
    if not place.channels:
        raise UnsupportedError(
            "package indexes can be asked neither what packages need nor who needs them",
            hint=f"`kaa search --info {spec.text}` shows what the newest version needs; "
            "`-c conda-forge` asks a channel",
        )
    name = spec.name if spec.name in place.channel_names else place.names.asked(spec.name)
    if name in place.channel_names:
        return name
    near = near_names(spec.name, place.channel_names)
    raise UnknownPackageError(
        f"no channel has a package called {spec.name!r}",
        cause=f"looked for in: {place.description}",
        hint=f"did you mean {' or '.join(f'`{other}`' for other in near)}?" if near else None,
    )


async def _root(spec: Spec, name: str, place: Place) -> tuple[RepoDataRecord, Source]:
    match_spec = spec.match_spec(name, conda=True)
    chosen = (await _best([(name, match_spec)], place))[name]
    if chosen is None:
        raise NoMatchingVersionError(
            f"no version of {name!r} matches {spec.text!r}",
            hint=f"`kaa search {name}` shows all versions",
        )
    return chosen


async def _descend(
    root: tuple[RepoDataRecord, Source], place: Place, depth: int | None
) -> dict[str, Node]:
    """Return the nodes of everything below a record, level by level."""
    nodes: dict[str, Node] = {}
    level = {root[0].name.normalized: root}
    left = depth
    while level:
        wanted: dict[str, str] = {}
        for name, (record, source) in level.items():
            nodes[name] = _node(record, source)
            for text in record.depends:
                other = next((line.name for line in dependency_lines([text])), "")
                if other in place.channel_names:
                    wanted.setdefault(other, text)
        if left is not None:
            left -= 1
            if left < 0:
                break
        asked = [(name, text) for name, text in wanted.items() if name not in nodes]
        best = await _best(asked, place) if asked else {}
        level = {name: chosen for name, chosen in best.items() if chosen is not None}
    return nodes


async def _best(
    specs: Sequence[tuple[str, str]], place: Place
) -> dict[str, tuple[RepoDataRecord, Source] | None]:
    """Return the newest record that matches each spec, by name, from the channel that provides it.

    That is the first one that has the name, whatever its versions (strict channel priority).
    """
    from rattler import MatchSpec

    # noarch packages have a build for each system, told apart by the virtual package they need
    foreign = _SYSTEMS - _OF_SYSTEM[known_subdir(place.platform).system]
    names = [name for name, _ in specs]
    answers = await asyncio.gather(*(place.records(names, channel) for channel in place.channels))
    found: dict[str, tuple[RepoDataRecord, Source] | None] = {}
    for name, text in specs:
        wanted = MatchSpec(text)
        for channel, records in zip(place.channels, answers, strict=True):
            if name in records:
                matching = [record for record in records[name] if wanted.matches(record)]
                own = [record for record in matching if foreign.isdisjoint(record.depends)]
                best = own or matching
                found[name] = (_newest_of(best), channel) if best else None
                break
    return found


def _newest_of(records: Iterable[RepoDataRecord]) -> RepoDataRecord:
    listed = list(records)
    version = max(record.version for record in listed)
    return min((record for record in listed if record.version == version), key=preference)


def _node(record: RepoDataRecord, source: Source) -> Node:
    extras = record.extra_depends or {}
    lines = [line for extra, texts in extras.items() for line in dependency_lines(texts, extra)]
    return Node(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        source=source.name,
        needs=(*dependency_lines(list(record.depends)), *lines),
        constrains=tuple(dependency_lines(list(record.constrains))),
    )
