"""Search all sources for packages: conda channels by name or glob, indexes by name."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from kaa.model.errors import (
    KaaError,
    NoMatchingVersionError,
    UnknownPackageError,
    UnsupportedError,
)
from kaa.model.found import Found, FoundPackage
from kaa.model.source import Kind, Priority, Source
from kaa.solver.specs import Spec, parse_spec
from kaa.solver.spelling import NEAR, near_names, well_known_projects
from kaa.sources.index import normalise
from kaa.sources.offers import conda_offer, metadata_fields, project_offer
from kaa.sources.project import Demand
from kaa.sources.versions import conda_version
from kaa.workflows.places import Place, survey_sources
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rattler import RepoDataRecord

    from kaa.model.distribution import Release
    from kaa.model.options import SolveOptions
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout

_GLOB = re.compile(r"(?P<name>[\w.*?-]*[*?][\w.*?-]*)(?P<rest>(?:[\s=<>!~\[].*)?)\Z")
_NEWEST = 5


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for.

    ``text`` is a spec or a name with ``*`` and ``?`` in it, with ``source::`` in front or not;
    ``details`` asks for all that the sources say of each build, ``records`` for conda's records
    only; ``limit`` is the most names of a
    glob, None for all.
    """

    text: str
    options: SolveOptions
    details: bool = False
    records: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    """A search, understood: ``glob`` is a pattern of names, None where the spec's name is meant."""

    spec: Spec
    glob: str | None


async def search(request: SearchRequest, layout: Layout, progress: Progress) -> Found:
    """Return what the sources have.

    Raises :class:`~kaa.model.errors.RequestError` for a spec that makes no sense,
    :class:`~kaa.model.errors.UnknownPackageError` when no source has the name,
    :class:`~kaa.model.errors.NoMatchingVersionError` when none has a version that matches, and
    :class:`~kaa.model.errors.SourceError` when a source cannot be reached: it is never skipped.
    """
    query = _parse(request.text)
    async with open_supply(layout, request.options, progress) as supply:
        wanted = request.options.priority
        priority = Priority(wanted) if wanted else supply.configuration.channel_priority
        place = await survey_sources(supply, query.spec, request.options)
        if query.glob is not None:
            packages, total, notes = await _by_glob(query, place, request)
        else:
            packages, total, notes = await _by_name(query.spec, place, request)
        packages, more = _with_provider(packages, place.sources, priority, query.spec)
        if request.details:
            packages = await _with_metadata(packages, place)
    return Found(request.text, place.platform, priority, tuple(packages), total, (*notes, *more))


def _parse(text: str) -> _Query:
    source, separator, rest = text.strip().rpartition("::")
    match = _GLOB.match(rest)
    if match is None:
        return _Query(parse_spec(text), None)
    # The name of a spec cannot be a glob, but the rest of it is read as every spec's.
    spec = parse_spec(f"{source}{separator}name{match['rest']}")
    return _Query(replace(spec, text=text, name=match["name"].lower()), match["name"].lower())


# --- a name -----------------------------------------------------------------------------------


async def _by_name(
    spec: Spec, place: Place, request: SearchRequest
) -> tuple[list[FoundPackage], int, list[str]]:
    name = spec.name
    if name not in place.channel_names and place.index is not None:
        name = place.names.asked(name)
    there = name in place.channel_names
    project = place.names.project(name) if there or name == "python" else normalise(spec.name)
    asked = place.channels if there else ()
    channels, releases = await asyncio.gather(
        asyncio.gather(*(place.records([name], channel) for channel in asked)),
        place.releases(project),
    )
    found = [
        conda_offer(
            name,
            channel,
            records[name],
            _match_spec(spec, name),
            details=request.details or request.records,
        )
        for channel, records in zip(asked, channels, strict=True)
        if name in records
    ]
    if project is not None and releases is not None:
        found.append(_project(name, project, releases, spec, place, details=request.details))
    if not found:
        raise await _unknown(spec, place)
    if not any(package.versions for package in found):
        records = [record for answer in channels for record in answer.get(name, ())]
        raise _no_version(spec, records, releases)
    notes = _notes_on_names(spec, name, project if releases is not None else None, place)
    return found, 1, notes + await _notes_on_namesakes(spec, project, place)


def _match_spec(spec: Spec, name: str) -> str:
    return spec.match_spec(name, conda=True)


def _project(
    name: str,
    project: str,
    releases: Sequence[Release],
    spec: Spec,
    place: Place,
    *,
    details: bool,
) -> FoundPackage:
    assert place.index is not None
    if spec.build or spec.brackets:  # which nothing on an index has
        releases = []
    demand = Demand(spec.version)
    return project_offer(name, project, place.index, releases, demand, details=details)


def _notes_on_names(spec: Spec, name: str, project: str | None, place: Place) -> list[str]:
    notes = []
    typed = normalise(spec.name)
    if name in place.channel_names and normalise(name) != typed:
        notes.append(f"conda channels call {spec.name} {name}")
    if project is not None and place.channels and project not in (typed, normalise(name)):
        notes.append(f"PyPI calls {name} {project}")
    return notes


async def _notes_on_namesakes(spec: Spec, project: str | None, place: Place) -> list[str]:
    """Say that PyPI has a project of this name that is something else, where it has one."""
    typed = normalise(spec.name)
    if not place.channels or project == typed or await place.releases(typed) is None:
        return []
    return [f"PyPI's {typed} is something else: `kaa search pypi::{typed}`"]


# --- a glob -----------------------------------------------------------------------------------


async def _by_glob(
    query: _Query, place: Place, request: SearchRequest
) -> tuple[list[FoundPackage], int, list[str]]:
    glob, spec = query.glob or "", query.spec
    literal = re.sub(r"[*?]+", "", glob)
    pattern = re.compile(translate(glob))
    matched = [name for name in place.channel_names if pattern.match(name)]
    matched.sort(key=lambda name: (name != literal, not name.startswith(literal), name))
    chosen = matched if request.limit is None else matched[: request.limit]
    channels = await asyncio.gather(*(place.records(chosen, each) for each in place.channels))
    found = [
        conda_offer(
            name,
            channel,
            records[name],
            _match_spec(spec, name),
            details=request.details or request.records,
        )
        for name in chosen
        for channel, records in zip(place.channels, channels, strict=True)
        if name in records
    ]
    project = normalise(literal).strip("-")
    releases = await place.releases(project)
    if releases is not None:
        name = place.names.conda_name(project)
        found.append(_project(name, project, releases, spec, place, details=request.details))
    notes = []
    if place.index is not None:
        only = f": only {project} was looked for" if project else ""
        notes.append(f"PyPI cannot be searched for parts of names{only}")
    if not any(package.versions for package in found):
        raise UnknownPackageError(
            f"no package has a version that matches {query.spec.text!r}"
            if matched or releases is not None
            else f"no source has a package whose name is like {glob!r}",
            cause=f"looked for in: {place.description}",
            hint="; ".join(notes) or "`*` stands for any letters, `?` for one",
        )
    return found, len({*matched, *(package.name for package in found)}), notes


# --- what was found ---------------------------------------------------------------------------


async def _with_metadata(packages: Sequence[FoundPackage], place: Place) -> list[FoundPackage]:
    """Add what the latest version of a project needs, which its page does not say."""
    found = []
    for package in packages:
        latest = package.latest
        if package.kind is Kind.PYPI and latest is not None:
            more = await _metadata(package.own_name, latest.version, place)
            completed = replace(latest, records=({**latest.records[0], **more},))
            versions = (completed if each is latest else each for each in package.versions)
            found.append(replace(package, versions=tuple(versions)))
        else:
            found.append(package)
    return found


async def _metadata(project: str, version: str, place: Place) -> dict[str, Any]:
    releases = await place.releases(project) or []
    files = [file for release in releases if release.version == version for file in release.files]
    if not files:
        return {}
    # Of the wheels any will do, and a small one is read fastest where it must be read whole.
    best = min(files, key=lambda file: (not file.filename.endswith(".whl"), file.size or 0))
    try:
        metadata = await place.supply.metadata.core_metadata(best, likely=False)
    except UnsupportedError as error:
        return {"requires_dist": None, "reason": error.message}
    return metadata_fields(metadata)


def _with_provider(
    packages: Sequence[FoundPackage],
    sources: Sequence[Source],
    priority: Priority,
    spec: Spec,
) -> tuple[list[FoundPackage], list[str]]:
    """Mark whom each package would come from; leave out sources without a version that matches.

    The sources of a package are put in order of priority.
    """
    order = {source.name: number for number, source in enumerate(sources)}
    groups: dict[str, list[FoundPackage]] = {}
    for package in packages:
        groups.setdefault(package.name, []).append(package)
    marked: list[FoundPackage] = []
    notes: list[str] = []
    for name, group in groups.items():
        group.sort(key=lambda package: order[package.source])
        having = [package for package in group if package.versions]
        chosen = _provider(group, having, priority)
        if having and chosen is None:
            first, other = group[0].source, having[0]
            notes.append(
                f"{first} comes first and has {name}, but no version that matches: to have it, "
                f"ask for `{other.source}::{other.own_name}{_after_name(spec)}`"
            )
        marked += [replace(package, provides=package is chosen) for package in having]
    return marked, notes


def _provider(
    group: Sequence[FoundPackage], having: Sequence[FoundPackage], priority: Priority
) -> FoundPackage | None:
    if priority is Priority.DISABLED:
        return max(having, key=_height, default=None)
    if priority is Priority.FLEXIBLE:
        return next(iter(having), None)
    return group[0] if group[0] in having else None


def _height(package: FoundPackage) -> Any:
    from rattler import Version

    assert package.latest is not None
    return Version(conda_version(package.latest.version))


def _after_name(spec: Spec) -> str:
    rest = spec.text.rpartition("::")[2].strip()
    return re.sub(r"^[\w.*?-]+", "", rest)


# --- nothing ----------------------------------------------------------------------------------


async def _unknown(spec: Spec, place: Place) -> UnknownPackageError:
    known = place.channel_names | (well_known_projects() if place.index else frozenset())
    near = [name for name in near_names(spec.name, known) if await _is_there(name, place)]
    return UnknownPackageError(
        f"no source has a package called {spec.name!r}",
        cause=f"looked for in: {place.description}",
        hint=(
            f"did you mean {' or '.join(f'`{name}`' for name in near[:NEAR])}?"
            if near
            else f"`kaa search '*{spec.name}*'` shows all names of conda channels with this in them"
            if place.channels
            else "check the spelling; the index finds projects by their whole name only"
        ),
    )


async def _is_there(name: str, place: Place) -> bool:
    if name in place.channel_names:
        return True
    try:
        return await place.releases(normalise(name)) is not None
    except KaaError:  # the explanation must not fail for want of a suggestion
        return False


def _no_version(
    spec: Spec, records: Iterable[RepoDataRecord], releases: Iterable[Release] | None
) -> NoMatchingVersionError:
    versions = [str(version) for version in sorted({r.version for r in records}, reverse=True)]
    versions = versions or [release.version for release in releases or ()]
    return NoMatchingVersionError(
        f"no version of {spec.name!r} matches {spec.text!r}",
        cause=f"the newest of {len(versions)}: {', '.join(versions[:_NEWEST])}",
        hint=f"`kaa search {spec.name}` shows all versions",
    )
