"""Package indexes as a source of the solve: a growing window of each project's versions.

The solver asks for every name that any offered record depends on, so what is offered decides the
cost. A project first offers, for each *demand* (a version spec that something puts on it), only
the newest versions that satisfy it; :meth:`PyPISource.settle` adds what demands that came later
need, and :meth:`PyPISource.widen` lets the projects of a conflict offer more, until they offer
everything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kaa.model.errors import MetadataError
from kaa.sources.identity import identity
from kaa.sources.markers import ALWAYS
from kaa.sources.records import Dependency, dependencies, wheel_record
from kaa.sources.versions import conda_version, is_exact, is_pre_release, python_spec
from kaa.sources.wheels import WheelChoice, choose_wheels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rattler import PackageName, RepoDataRecord, Subdir

    from kaa.model.distribution import IndexFile, Release
    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader
    from kaa.sources.target import Target

FIRST_WINDOW = 1
GROWTH = 4


class Demand(NamedTuple):
    """What something asks of a project: a conda version spec, and whether it names a
    pre-release (which then may be chosen, PEP 440)."""

    version: str = "*"
    pre_releases: bool = False


def matching(releases: Iterable[Release], demands: Iterable[Demand]) -> Iterator[Release]:
    """Yield the releases that satisfy all of ``demands``, pre-releases included."""
    from rattler import Version, VersionSpec

    specs = [VersionSpec(demand.version) for demand in demands if demand.version != "*"]
    for release in releases:
        version = Version(conda_version(release.version)) if specs else None
        if version is None or all(spec.matches(version) for spec in specs):
            yield release


@dataclass(slots=True)
class Project:
    """What is known of one project, and what it has offered so far."""

    name: str
    releases: Iterable[Release]
    window: int = FIRST_WINDOW
    satisfied: dict[Demand, int | None] = field(default_factory=dict)
    """Each demand, with the window it was last satisfied for, None when with all there is."""
    offered: dict[str, list[RepoDataRecord]] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    """Versions that cannot be used on the target, and why."""
    unreadable: set[str] = field(default_factory=set)
    """Versions whose metadata are broken."""
    extras: dict[str, set[tuple[str, tuple[str, ...]]]] = field(default_factory=dict)
    """What each extra of any offered version leads to: names, and the extras asked of them."""


class PyPISource:
    """The ``RepoDataSource`` (rattler's protocol) of Python package indexes."""

    def __init__(self, index: ProjectIndex, metadata: MetadataReader, target: Target) -> None:
        self._index = index
        self._metadata = metadata
        self._target = target
        self._limits: dict[str, list[Demand]] = {}
        self._demands: dict[str, dict[Demand, None]] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self.projects: dict[str, Project] = {}
        self.unknown: set[str] = set()
        self.failure: Exception | None = None
        """The first error of the index: rattler passes on what an error says, not the error."""
        self.asked = 0
        """How many questions the solver has asked."""
        self._answered = 0
        self._files: dict[str, IndexFile] = {}
        self._hiding: set[tuple[str, tuple[str, ...]]] = set()

    def limit(self, name: str, demand: Demand) -> None:
        """Note what the user asks of ``name``: nothing that does not satisfy it is offered."""
        self._limits.setdefault(name, []).append(demand)
        self.demand(name, demand)

    def demand(self, name: str, demand: Demand) -> None:
        """Note that something asks for ``name``; what satisfies it is offered from now on."""
        self._demands.setdefault(name, {}).setdefault(demand)

    def file_of(self, record: RepoDataRecord) -> IndexFile:
        """Return the file of the index that a record was made of."""
        return self._files[record.url]

    def hidden_names(self) -> set[str]:
        """Return names that only a conditional dependency with extras leads to.

        rattler 0.28 does not ask for what such extras depend on, so the solve has to name it.
        """
        names: set[str] = set()
        todo, seen = list(self._hiding), set(self._hiding)
        while todo:
            name, extras = todo.pop()
            project = self.projects.get(name)
            if project is None:
                continue
            for extra in extras:
                found = project.extras.get(extra, set())
                names |= {inner for inner, _ in found}
                todo += found - seen
                seen |= found
        return names

    async def fetch_package_records(
        self, platform: Subdir, name: PackageName
    ) -> list[RepoDataRecord]:
        """Return what the project offers at the moment (rattler's protocol)."""
        if str(platform) != "noarch" or name.normalized == "python":
            return []
        self.asked += 1
        try:
            project = await self._open(name.normalized)
            if project is None:
                return []
            await self._satisfy(project)
        except Exception as error:
            self.failure = self.failure or error
            raise
        finally:
            self._answered += 1
        # in an order that does not depend on which answer of the index came first
        offered = sorted(project.offered.items())
        return [record for _, records in offered for record in records]

    @property
    def idle(self) -> bool:
        """Whether every question of the solver has its answer."""
        return self.asked == self._answered

    def package_names(self, platform: Subdir) -> list[str]:
        """Return nothing: an index is asked for one name at a time (rattler's protocol)."""
        return []

    async def settle(self) -> bool:
        """Satisfy the demands that came after their project was asked for.

        Returns whether anything new is offered, so that a new solve may end differently.
        """
        before = self._extent()
        names = [name for name in self._demands if name in self.projects]
        await asyncio.gather(*(self._satisfy(self.projects[name]) for name in names))
        return self._extent() != before

    def widen(self, names: Iterable[str]) -> bool:
        """Let ``names`` offer more versions. Returns whether any of them can.

        A version that satisfies no demand cannot be part of an answer, so a project is exhausted
        when each of its demands is.
        """
        grown = False
        for name in names:
            project = self.projects.get(name)
            if project is not None and any(
                window is not None for window in project.satisfied.values()
            ):
                project.window *= GROWTH
                grown = True
        return grown

    def offer_newer(self, records: Sequence[RepoDataRecord]) -> bool:
        """Let projects offer more whose version in the answer is older than the answer allows.

        That is: older than the newest version that satisfies whatever the answer's own packages
        ask of the project. Returns whether any of them can offer more.
        """
        from rattler import MatchSpec, Version

        asked: dict[str, set[str]] = {}
        for record in records:
            for text in record.depends:
                spec = MatchSpec(text)
                name, _, _ = text.partition("[")
                asked.setdefault(name.split(" ")[0], set()).add(spec.version or "*")
        behind = []
        for record in records:
            project = self.projects.get(record.name.normalized)
            if project is None:
                continue
            demands = [Demand(spec) for spec in asked.get(project.name, set()) if "|" not in spec]
            demands += self._limits.get(project.name, [])
            newest = next(
                (
                    release.version
                    for release in matching(project.releases, demands)
                    if release.version not in project.rejected
                    and not is_pre_release(release.version)
                ),
                None,
            )
            chosen = Version(str(record.version))
            if newest is not None and Version(conda_version(newest)) > chosen:
                behind.append(project.name)
        return self.widen(behind)

    def _extent(self) -> tuple[int, int]:
        offered = sum(len(project.offered) for project in self.projects.values())
        return offered, len(self.hidden_names())

    async def _open(self, name: str) -> Project | None:
        async with self._opening.setdefault(name, asyncio.Lock()):
            if name in self.projects or name in self.unknown:
                return self.projects.get(name)
            releases = await self._index.releases(name)
            if releases is None:
                self.unknown.add(name)
                return None
            self.projects[name] = Project(name, releases)
            return self.projects[name]

    async def _satisfy(self, project: Project) -> None:
        while True:
            chosen: dict[str, list[WheelChoice]] = {}
            for demand in list(self._demands.get(project.name) or [Demand()]):
                if project.satisfied.get(demand, 0) not in (None, project.window):
                    wheels, exhausted = self._choose(project, demand)
                    project.satisfied[demand] = None if exhausted else project.window
                    chosen |= wheels
            new = [item for item in chosen.items() if item[0] not in project.offered]
            for version, _ in new:  # before anything is awaited: no other task offers them as well
                project.offered[version] = []
            read = await asyncio.gather(*(self._offer(project, *item) for item in new))
            if all(read):
                return
            project.satisfied.clear()  # others take the places of those that could not be read

    def _choose(
        self, project: Project, demand: Demand
    ) -> tuple[dict[str, list[WheelChoice]], bool]:
        """Return the newest usable versions that satisfy ``demand``, as many as the window, and
        whether these are all.

        Pre-releases count when a demand of the user or this one names one, or when nothing else
        satisfies it (PEP 440).
        """
        limits = self._limits.get(project.name, [])
        exact = any(is_exact(limit.version) for limit in (*limits, demand))
        early_too = any(limit.pre_releases for limit in (*limits, demand))
        finals: dict[str, list[WheelChoice]] = {}
        early: dict[str, list[WheelChoice]] = {}
        for release in matching(project.releases, (*limits, demand)):
            if release.version in project.unreadable:
                continue
            found = early if is_pre_release(release.version) and not early_too else finals
            if len(finals) >= project.window:
                return finals, False
            if len(found) < project.window:
                wheels = self._usable(project, release, exact)
                if wheels:
                    found[release.version] = wheels
        return finals or early, bool(finals) or len(early) < project.window

    def _usable(self, project: Project, release: Release, exact: bool) -> list[WheelChoice]:
        wheels, reason = choose_wheels(release, self._target, yanked=exact)
        if reason is not None:
            project.rejected[release.version] = reason
        return wheels

    async def _offer(self, project: Project, version: str, wheels: list[WheelChoice]) -> bool:
        """Offer a version; returns whether its metadata could be read.

        As pip has it, a version whose metadata are broken is passed over.
        """
        # One wheel's metadata stand for the others of its version, as they do for every other
        # installer; they differ only while Python's version is open (see kaa.solver.solve).
        try:
            first = len(project.offered) == 1
            metadata = await self._metadata.core_metadata(wheels[0].file, likely=first)
            needed = dependencies(metadata, self._target)
        except MetadataError as error:
            project.rejected[version] = f"{error}{': ' * bool(error.cause)}{error.cause or ''}"
            project.unreadable.add(version)
            project.offered.pop(version, None)
            return False
        for dependency in needed:
            self._note(dependency)
            if dependency.extra:
                leads = (dependency.name, dependency.extras)
                project.extras.setdefault(dependency.extra, set()).add(leads)
        requires = python_spec(metadata.requires_python)
        for wheel in wheels:
            self._files[wheel.file.url] = wheel.file
            python = [spec for spec in (requires, wheel.python) if spec != "*"]
            sha256 = identity(wheel.file)
            record = wheel_record(project.name, version, wheel.file, sha256, needed, python)
            project.offered[version].append(record)
        return True

    def _note(self, dependency: Dependency) -> None:
        self.demand(dependency.name, Demand(dependency.version, dependency.pre_releases))
        if dependency.extras and dependency.condition != ALWAYS:
            self._hiding.add((dependency.name, dependency.extras))
