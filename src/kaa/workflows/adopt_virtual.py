"""Plan the adoption of a virtual environment, as venv, virtualenv and uv make it.

Its interpreter becomes a ``python`` of this machine, and each distribution that is a wheel of an
index, file by file as it was installed, becomes a package: with the URL and hash by which every
later change fetches it. All others stay what they are, and are carried along.
"""

from __future__ import annotations

import asyncio
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.doctor.distributions import find_distributions, twice
from kaa.environments.foreign import Foreign, direct_url, foreign_package
from kaa.environments.graph import graph_of
from kaa.environments.prefix import GENERATIONS
from kaa.environments.processes import users_of
from kaa.environments.recorded_files import recorded_files, with_files
from kaa.environments.virtual import CONFIGURATION, read_virtual
from kaa.kernels.overlay import overlay_ready
from kaa.model.adoption import Adoption
from kaa.model.discovered import Maker
from kaa.model.environment import Manifest, now
from kaa.model.package import PYPI
from kaa.model.progress import Phase
from kaa.sources.host import host_record
from kaa.sources.installed_wheel import find_record, locked_record, read_installed_wheel
from kaa.sources.target import host_target
from kaa.workflows.adopt_direct import FromOrigin, of_origin
from kaa.workflows.adopt_project import Project, read_project
from kaa.workflows.adoption_plan import DirectoryAdoption, asked_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.doctor.distributions import Distribution
    from kaa.environments.prefix import Prefix
    from kaa.environments.virtual import VirtualEnvironment
    from kaa.model.graph import DependencyGraph
    from kaa.model.package import Package
    from kaa.model.progress import Progress
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout
    from kaa.workflows.supply import Supply

SOURCES = (PYPI,)
_SHOWN = 3
_UV = "uv"


@dataclass(frozen=True, slots=True)
class _Found:
    """A distribution: the record that it gets, or why it stays without one."""

    distribution: Distribution
    package: Package
    record: dict[str, Any] | None = None
    reason: str = ""
    origin: FromOrigin | None = None

    @property
    def requested(self) -> bool:
        # uv says of all that it installs that it was asked for.
        return self.package.requested and self.package.source != _UV


async def plan_virtual(
    prefix: Prefix, command: str, layout: Layout, supply: Supply, progress: Progress
) -> DirectoryAdoption:
    """Say what adopting a virtual environment is going to mean.

    Raises :class:`~kaa.model.errors.UnsupportedError` for one that kaa could not go on with. An
    index that cannot be asked is no error: what it would have known stays to be adopted later.
    """
    virtual = await asyncio.to_thread(read_virtual, prefix.path)
    project = await asyncio.to_thread(read_project, virtual.path)
    found = await _look(virtual, project, supply, progress)
    records = [_python_record(virtual), *(each.record for each in found if each.record)]
    graph = graph_of(records)
    asked = asked_for(graph, _asked(virtual, project, found))
    installed = {each.distribution.name: each.distribution.version for each in found}
    for name, text in asked.items():
        if text == name:
            asked[name] = project.spec(name, installed)
    origins = {each.distribution.name: each.origin for each in found if each.origin}
    # Who else reads the records knows names and versions only.
    shown = asked | {name: name for name in origins}
    records = [
        {**record, "requested_specs": [shown[record["name"]]] if record["name"] in shown else []}
        for record in records
    ]
    asked |= {name: origin.spec for name, origin in origins.items()}
    manifest = Manifest(
        prefix.name, tuple(asked.values()), SOURCES, command, now(), prefix=str(prefix.path)
    )
    minor = virtual.python.minor
    plan = Adoption(
        prefix.name,
        prefix.path,
        virtual.maker,
        len(records),
        manifest.specs,
        SOURCES,
        tuple(each.package for each in found if each.record is None),
        await asyncio.to_thread(users_of, prefix),
        tuple(_notes(virtual, project, found, graph)),
        None if virtual.own_ipykernel or overlay_ready(layout, minor) else minor,
    )
    repackings = tuple(each.repacking for each in origins.values() if each.repacking)
    return DirectoryAdoption(plan, manifest, tuple(records), repackings, supply)


def _asked(virtual: VirtualEnvironment, project: Project, found: Sequence[_Found]) -> list[str]:
    installed = {each.distribution.name: each.distribution.version for each in found}
    names = [each.distribution.name for each in found if each.record and each.requested]
    return [f"python={virtual.python.minor}", *names, *project.asked(installed)]


async def _look(
    virtual: VirtualEnvironment, project: Project, supply: Supply, progress: Progress
) -> tuple[_Found, ...]:
    site = virtual.python.site_packages
    there = await asyncio.to_thread(find_distributions, virtual.path, [site], ())
    doubled = {each.package for each in twice(there)}
    told = ((each.name, direct_url(virtual.path, _foreign(each))) for each in there)
    origins = {name: origin for name, origin in told if origin is not None}
    look = functools.partial(
        _one, virtual=virtual, project=project, supply=supply, doubled=doubled, origins=origins
    )
    found = await asyncio.gather(*map(look, there))
    progress.finish(Phase.METADATA)
    return tuple(found)


def _foreign(distribution: Distribution) -> Foreign:
    name, version = distribution.name, distribution.version
    return Foreign(name, version, distribution.metadata, frozenset())


async def _one(
    distribution: Distribution,
    *,
    virtual: VirtualEnvironment,
    project: Project,
    supply: Supply,
    doubled: set[str | None],
    origins: Mapping[str, Mapping[str, Any]],
) -> _Found:
    package = foreign_package(virtual.path, _foreign(distribution))
    reason = "there are two of it" if distribution.name in doubled else ""
    if distribution.rows is None or not distribution.metadata.endswith(".dist-info"):
        reason = "it has no list of its files (RECORD)"
    if reason:
        return _Found(distribution, package, reason=reason)
    try:
        files = await asyncio.to_thread(recorded_files, virtual.path, distribution.rows or ())
        wheel = read_installed_wheel(
            distribution.name, distribution.version, virtual.path / distribution.metadata
        )
        if files.altered:
            reason = f"it was changed since: {_enumerated(files.altered)}"
            return _Found(distribution, package, reason=reason)
        target = host_target((virtual.python.version,))
        origin = origins.get(distribution.name)
        record: RepoDataRecord | str | None
        if origin is None:
            record = None
            if package.source == _UV:  # others install what they like beside a lock
                locked = project.wheels.get((distribution.name, distribution.version), ())
                record = locked_record(wheel, locked, target)
            if record is None:
                record = await find_record(wheel, supply.catalog.index, supply.metadata, target)
        else:
            paths = [path for path, _ in distribution.rows or () if (virtual.path / path).exists()]
            origin_found = await asyncio.to_thread(
                of_origin,
                wheel,
                origin,
                virtual.path,
                distribution.metadata,
                paths,
                target,
                frozenset(origins),
            )
            if isinstance(origin_found, FromOrigin):
                content = with_files(_as_json(origin_found.record), files)
                return _Found(distribution, package, content, origin=origin_found)
            record = origin_found
    except OSError as error:
        return _Found(distribution, package, reason=f"it cannot be read: {error.strerror}")
    if isinstance(record, str):
        return _Found(distribution, package, reason=record)
    return _Found(distribution, package, with_files(_as_json(record), files))


def _enumerated(paths: Sequence[str]) -> str:
    more = len(paths) - _SHOWN
    return f"{', '.join(paths[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def _python_record(virtual: VirtualEnvironment) -> dict[str, Any]:
    rows = [(path, "") for path in _interpreter_files(virtual.path, virtual.python)]
    return with_files(_as_json(host_record(virtual.python)), recorded_files(virtual.path, rows))


def _interpreter_files(path: Path, python: HostPython) -> Iterator[str]:
    yield CONFIGURATION
    for folder in ("bin", "Scripts"):
        for name in ("python", "python3", f"python{python.minor}", "python.exe"):
            if (path / folder / name).is_file():
                yield f"{folder}/{name}"


def _as_json(record: RepoDataRecord) -> dict[str, Any]:
    from rattler import PrefixPaths, PrefixRecord

    made = PrefixRecord(record, PrefixPaths(), requested_specs=[], files=[])
    content: dict[str, Any] = json.loads(made.to_json())
    return {**content, "requested_specs": []}


def _notes(
    virtual: VirtualEnvironment,
    project: Project,
    found: Sequence[_Found],
    graph: DependencyGraph,
) -> Iterator[str]:
    beside = virtual.path.parent / GENERATIONS
    yield f"its generations are going to be in {beside}, which belongs in no version control"
    yield "its packages are fetched into the package cache when it is changed for the first time"
    if virtual.maker == Maker.UV.value:
        yield "`uv sync` and `uv run` go on to change it in place, if it is a project's"
    installed = {each.distribution.name: each.distribution.version for each in found}
    if project.asked(installed):
        yield "what was asked for is as pyproject.toml beside it has it"
    for each in found:
        if each.record is None:
            name = each.distribution.name
            needing = (n.name for n in graph.nodes.values() if name in {d.name for d in n.needs})
            by = next(needing, None)
            until = f"; {by} needs it, so that the next change installs it anew" if by else ""
            made_by = each.package.source
            yield f"{each.distribution} (of {made_by}) stays as it is: {each.reason}{until}"
