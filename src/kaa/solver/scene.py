"""What is known before the solver is asked: who provides what, under which name."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.model.errors import ConflictError, InvalidSpecError, NoInterpreterError
from kaa.model.package import PYPI, channel_url
from kaa.model.source import Kind, Priority
from kaa.network.locations import redact
from kaa.sources.conda import CondaChannels
from kaa.sources.host import OLDEST
from kaa.sources.part import Names, OwnNames, Part, extra_name
from kaa.sources.project import Demand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import RepoDataRecord

    from kaa.model.source import Source
    from kaa.solver.request import Catalog, SolveRequest
    from kaa.solver.specs import Spec
    from kaa.store.host_python import HostPython

NEVER = "python <0dev"
"""A condition that no Python satisfies: what has it makes itself known, and asks for nothing."""
_RELEASED = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True, slots=True)
class Root:
    """A spec of the request in the solver's words.

    ``name`` is the solver's; ``match_specs`` say the spec, an extra of a conda package as a
    second one; ``demands`` are what it asks of package indexes, by name; ``channel`` is the URL of
    the one channel that it may come from.
    """

    spec: Spec
    name: str
    match_specs: tuple[str, ...]
    demands: tuple[tuple[str, Demand], ...] = ()
    channel: str | None = None

    @property
    def is_restricted(self) -> bool:
        """Whether not every record of this name will do."""
        return self.match_specs[0] != self.name


@dataclass(frozen=True, slots=True)
class Scene:
    """What the sources have for a request.

    ``channel_names`` are all names of the conda channels; ``part`` is that of the package indexes,
    None when nothing is to be asked of them; ``pythons`` are the full versions that may be chosen,
    newest first, empty when no Python is needed; ``hosts`` are the interpreters of this machine
    among them, None when Python comes from a channel; ``first_channels`` are match specs that keep
    names with their first channel where only some are loosened.
    """

    request: SolveRequest
    channels: CondaChannels
    channel_names: frozenset[str]
    names: Names
    part: Part | None
    roots: tuple[Root, ...]
    pins: tuple[Root, ...]
    pythons: tuple[str, ...]
    hosts: tuple[HostPython, ...] | None
    first_channels: tuple[str, ...] = ()


async def survey(request: SolveRequest, catalog: Catalog) -> Scene:
    """Return the scene of a request.

    Raises :class:`~kaa.model.errors.SourceError` when a channel cannot be read,
    :class:`NoInterpreterError` when no Python is as asked for, and
    :class:`~kaa.model.errors.RequestError` for a spec that names a source nobody knows.
    """
    request = _named(request)
    channels = CondaChannels(catalog.gateway, request.channels, request.platform)
    channel_names = await channels.names()
    index = request.has_index
    names = await _names(request, catalog, channel_names) if index else OwnNames()
    asked = [(spec, _solver_name(spec, names, channel_names, request)) for spec in request.specs]
    part = await _part(request, channels, channel_names, names, asked) if index else None
    if part is not None and part.before_others:
        asked = [(await _located(spec, name, part, catalog), name) for spec, name in asked]
    roots = tuple(_root(spec, name, part, request) for spec, name in asked)
    pins = tuple(
        _root(spec, _solver_name(spec, names, channel_names, request), part, request)
        for spec in request.pins
    )
    _check_sources(roots)
    if part is not None and not _needed(part, roots, request):
        part = None
    hosts: tuple[HostPython, ...] | None = None
    pythons: tuple[str, ...] = ()
    if _python_of_host(request, channel_names):
        needed = part is not None or any(spec.name == "python" for spec in request.specs)
        hosts = _allowed(request, await catalog.pythons(), needed=needed)
        pythons = tuple(python.version for python in hosts)
    elif part is not None:
        pythons = await _pythons_of_channels(request, channels)
    first = await _first_channels(request, channels) if request.loosened else ()
    return Scene(request, channels, channel_names, names, part, roots, pins, pythons, hosts, first)


async def plain_scene(request: SolveRequest, catalog: Catalog) -> Scene | None:
    """Return the scene of a request for packages that the first channels have, by their names.

    Nothing more than that need be known of it as long as there is an answer. None for any other
    request, and for one that the channels may not have everything for.
    """
    beside = request.pins or request.installed or request.asked_directly or request.loosened
    if beside or request.priority is Priority.DISABLED or not request.channels:
        return None
    if any(spec.source or spec.extras for spec in request.specs):
        return None
    first = itertools.takewhile(lambda source: source.kind is Kind.CONDA, request.sources)
    before = tuple(first)
    names = {spec.name for spec in request.specs if not spec.name.startswith("__")}
    channels = CondaChannels(catalog.gateway, request.channels, request.platform)
    if not before or not await channels.have({*names, "python"}, before):
        return None
    roots = tuple(_root(spec, spec.name, None, request) for spec in request.specs)
    return Scene(request, channels, frozenset(names), OwnNames(), None, roots, (), (), None)


def _named(request: SolveRequest) -> SolveRequest:
    """Return the request with sources called by name in its specs: a URL may have credentials."""

    def named(specs: Sequence[Spec]) -> tuple[Spec, ...]:
        return tuple(
            spec if spec.source is None else replace(spec, source=_source(spec, request).name)
            for spec in specs
        )

    return replace(request, specs=named(request.specs), pins=named(request.pins))


async def _first_channels(request: SolveRequest, channels: CondaChannels) -> tuple[str, ...]:
    first: dict[str, str | None] = {}
    shared = set()
    for source in request.channels:
        for name in await channels.names([source]):
            if name in first:
                shared.add(name)
            else:
                first[name] = _channel(source)
    kept = sorted(name for name in shared - request.loosened if first[name])
    # A constraint (which would not ask for the package) cannot name a channel in rattler 0.28.
    return tuple(f'{name}[channel="{first[name]}", when="{NEVER}"]' for name in kept)


async def _names(request: SolveRequest, catalog: Catalog, channel_names: frozenset[str]) -> Names:
    if not channel_names:
        return OwnNames()
    from kaa.sources.project_names import ProjectNames

    plain = all(spec.source is None and spec.name in channel_names for spec in request.specs)
    ours = not request.installed and not request.asked_directly
    if plain and ours and request.sources[0].kind is Kind.CONDA:
        return ProjectNames(channel_names)  # nothing will be asked of an index
    return ProjectNames(channel_names, await catalog.mapping())


def _solver_name(
    spec: Spec, names: Names, channel_names: frozenset[str], request: SolveRequest
) -> str:
    from packaging.utils import canonicalize_name

    source = None if spec.source is None else _source(spec, request)
    if spec.name == "python" or spec.name.startswith("__"):
        return spec.name
    if source is not None and source.kind is Kind.PYPI:
        return _name_of_project(canonicalize_name(spec.name), names)
    if source is not None and source.kind is Kind.CONDA:
        return spec.name
    first = next((one.kind for one in request.sources if one.kind is not Kind.HOST), None)
    if first is Kind.PYPI:
        return names.conda_name(canonicalize_name(spec.name))
    if spec.name in channel_names or not request.has_index:
        return spec.name
    return names.asked(spec.name)


def _name_of_project(project: str, names: Names) -> str:
    """Return the solver's name of a project that was named as one.

    Where the conda package of that name is made of another project, it goes by a name of its own.
    """
    name = names.conda_name(project)
    return name if names.project(name) == project else f"{PYPI}.{project}"


def _source(spec: Spec, request: SolveRequest) -> Source:
    assert spec.source is not None
    source = request.source(spec.source)
    if source is None:
        known = ", ".join(f"`{source.name}`" for source in request.sources)
        named = redact(spec.source)
        raise InvalidSpecError(
            f"{spec.text!r} names the source {named!r}, which is not among the sources",
            cause=f"these are: {known}",
            hint=f"add `-c {named}`, or ask for `{spec.name}`",
        )
    return source


async def _part(
    request: SolveRequest,
    channels: CondaChannels,
    channel_names: frozenset[str],
    names: Names,
    asked: Sequence[tuple[Spec, str]],
) -> Part:
    kinds = [source.kind for source in request.sources if source.kind is not Kind.HOST]
    before = request.channels[: kinds.index(Kind.PYPI)]
    elsewhere: set[str] = set()
    if request.priority is not Priority.DISABLED and before:
        whole = len(before) == len(request.channels)
        elsewhere = set(channel_names if whole else await channels.names(before))
    elsewhere -= request.loosened
    for spec, name in asked:
        if spec.source is not None:
            from_index = _source(spec, request).kind is Kind.PYPI
            (elsewhere.discard if from_index else elsewhere.add)(name)
    direct = {names.conda_name(name): one for name, one in request.asked_directly.items()}
    elsewhere -= direct.keys()
    competes = not before or request.priority is Priority.DISABLED
    return Part(
        names=names,
        elsewhere=frozenset(elsewhere),
        also=channel_names if competes else frozenset(),
        installed=_of_index(request),
        direct=direct,
        exclude_newer=request.exclude_newer,
        before_others=len(before) < len(request.channels)
        and request.priority is not Priority.DISABLED,
    )


async def _located(spec: Spec, name: str, part: Part, catalog: Catalog) -> Spec:
    """Return a spec that names the index, if that has the project and so has to provide it.

    The solver would not see that the index has the name when it has no version that fits.
    """
    project = part.names.project(name) if part.provides(name) else None
    if spec.source is not None or project is None:
        return spec
    there = await catalog.index.releases(project) is not None
    return replace(spec, source=PYPI) if there else spec


def _of_index(request: SolveRequest) -> dict[str, RepoDataRecord]:
    url = channel_url(PYPI).rstrip("/")
    return {
        record.name.normalized: record
        for record in request.installed
        if (record.channel or "").rstrip("/") == url
    }


def _root(spec: Spec, name: str, part: Part | None, request: SolveRequest) -> Root:
    source = None if spec.source is None else _source(spec, request)
    conda = part is None or not part.provides(name)
    channel = None if source is None else _channel(source)
    own = spec.match_spec(name, conda=conda, channel=channel)
    specs, demands = [own], [(name, Demand(spec.version, spec.pre_releases))]
    if conda:
        carriers = [extra_name(name, extra) for extra in spec.extras] if part else []
        specs += carriers
        demands = [(carrier, Demand()) for carrier in carriers]
    return Root(spec, name, tuple(specs), tuple(demands), channel)


def _check_sources(roots: Sequence[Root]) -> None:
    """Raise :class:`ConflictError` when a package is to come from two sources."""
    chosen: dict[str, Root] = {}
    for root in roots:
        other = chosen.setdefault(root.name, root) if root.channel else root
        if root.channel != other.channel:
            raise ConflictError(
                f"{root.name} cannot come from two sources",
                cause=f"you asked for `{other.spec.text}` and for `{root.spec.text}`",
                hint="leave out one of them",
            )


def _channel(source: Source) -> str | None:
    """Return the channel that records of a source name; a multichannel's have several."""
    if source.kind is Kind.CONDA:
        return source.urls[0] if len(source.urls) == 1 else None
    return channel_url(source.kind.value)


def _needed(part: Part, roots: Sequence[Root], request: SolveRequest) -> bool:
    """Say whether the answer can have anything of a package index in it."""
    return (
        bool(part.also)
        or bool(part.direct or part.installed)
        or any(root.demands and root.name != "python" for root in roots)
    )


def _python_of_host(request: SolveRequest, channel_names: frozenset[str]) -> bool:
    for spec in request.specs:
        if spec.name == "python" and spec.source is not None:
            return _source(spec, request).kind is Kind.HOST
    first = request.sources[0].kind if request.sources else Kind.HOST
    return first is Kind.HOST or "python" not in channel_names


async def _pythons_of_channels(request: SolveRequest, channels: CondaChannels) -> tuple[str, ...]:
    from rattler import Version

    wanted = [spec for spec in request.specs if spec.name == "python"]
    spec = wanted[0].match_spec(conda=True) if wanted else "python"
    versions = {str(record.version) for record in await channels.records(spec)}
    released = [version for version in versions if _RELEASED.fullmatch(version)]
    if not wanted:
        released = [v for v in released if tuple(map(int, v.split(".")[:2])) >= OLDEST]
    if not released:
        raise NoInterpreterError(
            f"no channel has a Python for {' and '.join(f'`{spec.text}`' for spec in wanted)}"
            if wanted
            else "no channel has a Python",
            cause=await _other_pythons(channels),
            hint="ask for another version: `kaa search python` shows what there is",
        )
    return tuple(sorted(released, key=Version, reverse=True))


async def _other_pythons(channels: CondaChannels) -> str | None:
    from rattler import Version

    found = {str(record.version) for record in await channels.records("python")}
    minors: dict[str, str] = {}
    for version in sorted(found, key=Version):
        minors[".".join(version.split(".")[:2])] = version
    return f"the newest of each are {', '.join(reversed(minors.values()))}" if minors else None


def _allowed(
    request: SolveRequest, pythons: Sequence[HostPython], *, needed: bool
) -> tuple[HostPython, ...]:
    from rattler import Version, VersionSpec

    wanted = [spec for spec in request.specs if spec.name == "python"]
    allowed = tuple(
        python
        for python in pythons
        if all(VersionSpec(spec.version).matches(Version(python.version)) for spec in wanted)
    )
    if allowed or not needed:
        return allowed
    there = ", ".join(python.version for python in pythons)
    asked = " and ".join(f"`{spec.text}`" for spec in wanted)
    raise NoInterpreterError(
        f"this machine has no interpreter for {asked}" if asked else "no interpreter was found",
        cause=f"these were found: {there}" if there else "no CPython 3.8 or newer was found",
        hint=(
            f"ask for one of them, such as `python={pythons[0].minor}`, take Python from a conda "
            "channel (`-c conda-forge`), or install it (your system's packages, pyenv, "
            "`uv python install`)"
            if pythons
            else "take Python from a conda channel (`-c conda-forge`), or install it (your "
            "system's packages, pyenv, `uv python install`)"
        ),
    )
