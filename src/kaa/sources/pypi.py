"""Package indexes as a source of the solve: a growing window of each project's versions.

The solver asks for every name that any offered record depends on, so what is offered decides the
cost. A project first offers, for each *demand* (a version spec that something puts on it), only
the newest versions that satisfy it; :meth:`PyPISource.settle` adds what demands that came later
need, and :meth:`PyPISource.widen` lets the projects of a conflict offer more, until they offer
everything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kaa.model.distribution import IndexFile, Release
from kaa.model.errors import BuildError, MetadataError
from kaa.sources.identity import built_identity, identity
from kaa.sources.installed import installed_demands, installed_file, still_fits
from kaa.sources.markers import ALWAYS
from kaa.sources.part import Part, extra_name, split_extra_name
from kaa.sources.project import FIRST_WINDOW, GROWTH, Demand, Project, behind, matching, waits
from kaa.sources.records import (
    Dependency,
    blocking_record,
    dependencies,
    extra_record,
    upload_time,
    wheel_record,
)
from kaa.sources.versions import is_exact, is_pre_release, python_spec
from kaa.sources.wheels import FORBIDDEN, WheelChoice, choose_wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rattler import PackageName, RepoDataRecord, Subdir

    from kaa.model.distribution import CoreMetadata
    from kaa.sources.builds import Builder
    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader
    from kaa.sources.target import Target


class PyPISource:
    """The ``RepoDataSource`` (rattler's protocol) of Python package indexes."""

    def __init__(
        self,
        index: ProjectIndex,
        metadata: MetadataReader,
        target: Target,
        part: Part | None = None,
        builder: Callable[[], Builder] | None = None,
    ) -> None:
        self._builder = builder
        self._index = index
        self._metadata = metadata
        self._target = target
        self._part = part or Part()
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
        self._turned_away: set[str] = set()
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

    def has(self, record: RepoDataRecord) -> bool:
        """Say whether a record was made of a file of the index."""
        return record.url in self._files

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
        if str(platform) != "noarch":
            return []
        if not self._provides(name.normalized):
            self._turned_away.add(name.normalized)
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
        records = [record for _, records in offered for record in records]
        return records or self._blockers(project)

    def _provides(self, name: str) -> bool:
        # Where only conda packages need a name that no channel has, an index is not asked: whoever
        # took the name there could put anything into the environment (dependency confusion).
        wanted = name in self._demands or name in self._part.also
        return wanted and self._part.provides(name)

    def _blockers(self, project: Project) -> list[RepoDataRecord]:
        """Return what keeps other sources from standing in for a project that has nothing."""
        return [blocking_record(project.name)] if self._part.before_others else []

    @property
    def idle(self) -> bool:
        """Whether every question of the solver has its answer."""
        return self.asked == self._answered

    def package_names(self, platform: Subdir) -> list[str]:
        """Return nothing: an index is asked for one name at a time (rattler's protocol)."""
        return []

    async def settle(self) -> bool:
        """Satisfy the demands that came after their project was asked for.

        Among these projects are such as only conda packages wanted when the solver asked, which
        asks once. Returns whether anything new is offered, so that a new solve may end differently.
        """
        before = self._extent()
        late = [name for name in self._turned_away if self._provides(name)]
        self._turned_away.difference_update(late)
        await asyncio.gather(*(self._open(name) for name in late))
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
        return self.widen(behind(records, self.projects, self._limits))

    def _extent(self) -> tuple[int, int, int]:
        offered = sum(len(project.offered) for project in self.projects.values())
        return len(self.projects), offered, len(self.hidden_names())

    async def _open(self, name: str) -> Project | None:
        async with self._opening.setdefault(name, asyncio.Lock()):
            if name in self.projects or name in self.unknown:
                return self.projects.get(name)
            project = await self._project(name)
            if project is None:
                self.unknown.add(name)
            else:
                self.projects[name] = project
            return project

    async def _project(self, name: str) -> Project | None:
        direct = self._part.direct.get(name)
        if direct is not None:
            return Project(name, [Release(direct.version, (direct.file,))])
        installed = self._part.installed.get(name)
        if installed is not None and still_fits(installed, self._target):
            return self._keep(name, installed)
        releases = await self._releases(name)
        return None if releases is None else Project(name, releases)

    async def _releases(self, name: str) -> Iterable[Release] | None:
        package = split_extra_name(name)
        project = self._part.names.project(package[0] if package else name)
        releases = None if project is None else await self._index.releases(project)
        return None if releases is None else self._early_enough(releases)

    def _keep(self, name: str, installed: RepoDataRecord) -> Project:
        """Offer an installed package; what else there is is asked for when it will not do."""
        project = Project(name, loaded=False, kept=str(installed.version))
        project.offered[str(installed.version)] = [installed]
        self._files[installed.url] = installed_file(installed)
        for needed, demand, extras in installed_demands(installed):
            self.demand(needed, demand)
            if extras:
                self._hiding.add((needed, extras))
        return project

    def _early_enough(self, releases: Iterable[Release]) -> Iterable[Release]:
        """Return the releases with the files that were there at the time that is asked for."""
        limit = self._part.exclude_newer
        if limit is None:
            return releases
        cut = []
        for release in releases:
            times = ((file, upload_time(file)) for file in release.files)
            files = tuple(file for file, time in times if time is not None and time <= limit)
            if files:
                cut.append(Release(release.version, files))
        return cut

    async def _satisfy(self, project: Project) -> None:
        while True:
            chosen: dict[str, list[WheelChoice]] = {}
            if not self._demands.get(project.name):  # a conda package's, which did not say what
                self.demand(project.name, Demand())
            for demand in list(self._demands[project.name]):
                if project.satisfied.get(demand, 0) in (None, project.window):
                    continue
                if self._keeps(project, demand):
                    project.satisfied[demand] = project.window
                    continue
                if not project.loaded:
                    await self._load(project)
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

    def _keeps(self, project: Project, demand: Demand) -> bool:
        """Say whether the installed version will do, so that the index need not be asked."""
        if project.kept is None or project.window > FIRST_WINDOW:
            return False
        demands = (demand, *self._limits.get(project.name, []))
        return any(True for _ in matching([Release(project.kept, ())], demands))

    async def _load(self, project: Project) -> None:
        async with self._opening.setdefault(project.name, asyncio.Lock()):
            if not project.loaded:
                project.releases = await self._releases(project.name) or ()
                project.loaded = True

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
                if waits(wheels, finals, project):
                    return finals, False
                if wheels:
                    found[release.version] = wheels
        return finals or early, bool(finals) or len(early) < project.window

    def _usable(self, project: Project, release: Release, exact: bool) -> list[WheelChoice]:
        unbuildable = FORBIDDEN if self._builder is None else None
        wheels, reason = choose_wheels(release, self._target, yanked=exact, unbuildable=unbuildable)
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
            metadata = await self._core_metadata(project, wheels[0], likely=first)
            names = self._part.names
            needed = dependencies(metadata, self._target, names.conda_name, self._part.direct)
        except (MetadataError, BuildError) as error:
            # What was asked for and cannot be built is to be told; a possibility is passed over,
            # such as an older version while a newer one can be had.
            wanted = project.name in self._limits and not any(project.offered.values())
            if isinstance(error, BuildError) and wanted:
                raise
            project.rejected[version] = f"{error}{': ' * bool(error.cause)}{error.cause or ''}"
            project.unreadable.add(version)
            project.offered.pop(version, None)
            return False
        needed = [part for dependency in needed for part in self._without_extras(dependency)]
        of_extra = split_extra_name(project.name)
        if of_extra:
            needed = [dependency for dependency in needed if dependency.extra == of_extra[1]]
        for dependency in needed:
            self._note(dependency)
            if dependency.extra:
                leads = (dependency.name, dependency.extras)
                project.extras.setdefault(dependency.extra, set()).add(leads)
        if of_extra:
            project.offered[version].append(extra_record(project.name, version, needed))
            return True
        requires = python_spec(metadata.requires_python)
        rivals = names.rivals(names.project(project.name) or project.name)
        constrains = [f"{rival} <0dev" for rival in rivals]
        for wheel in wheels:
            self._files[wheel.file.url] = wheel.file
            python = [spec for spec in (requires, wheel.python) if spec != "*"]
            direct = self._part.direct.get(project.name)
            sha256 = direct.identity if direct is not None else identity(wheel.file)
            if wheel.built:
                sha256 = built_identity(sha256, wheel.python)
            record = wheel_record(
                project.name,
                version,
                wheel.file,
                sha256,
                needed,
                python,
                constrains=constrains,
                ageless=direct is not None,
            )
            project.offered[version].append(record)
        return True

    async def _core_metadata(
        self, project: Project, choice: WheelChoice, *, likely: bool
    ) -> CoreMetadata:
        direct = self._part.direct.get(project.name)
        if direct is not None:
            return direct.metadata
        if choice.built:
            assert self._builder is not None and choice.newest_python is not None
            return await self._builder().core_metadata(choice.file, choice.newest_python)
        return await self._metadata.core_metadata(choice.file, likely=likely)

    def _without_extras(self, dependency: Dependency) -> list[Dependency]:
        """Return a dependency, and its extras as names of their own if it is a conda package's."""
        if not dependency.extras or self._part.provides(dependency.name):
            return [dependency]
        carriers = [extra_name(dependency.name, extra) for extra in dependency.extras]
        plain = dependency._replace(extras=())
        return [plain, *(plain._replace(name=carrier) for carrier in carriers)]

    def _note(self, dependency: Dependency) -> None:
        self.demand(dependency.name, Demand(dependency.version, dependency.pre_releases))
        if dependency.extras and dependency.condition != ALWAYS:
            self._hiding.add((dependency.name, dependency.extras))
