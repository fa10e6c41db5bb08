"""What the sources do not have: names, versions, wheels for the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.model.errors import (
    KaaError,
    NoMatchingVersionError,
    NoWheelError,
    SolveError,
    UnknownPackageError,
)
from kaa.model.explanation import Explanation, MissingName
from kaa.model.source import Kind
from kaa.solver.spelling import IMPORT_NAMES, near_names, well_known_projects
from kaa.solver.terms import Term
from kaa.sources.index import normalise
from kaa.sources.project import Demand, matching
from kaa.sources.wheels import FORBIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kaa.model.source import Source
    from kaa.solver.request import Catalog
    from kaa.solver.scene import Root, Scene
    from kaa.sources.project import Project
    from kaa.sources.pypi import PyPISource

_CONDA_FORGE = "conda-forge"
_SHOWN = 5
ALLOW_BUILDING = (
    "leave out `--no-build` (or `no_build` of the settings), so that it is built from its source, "
    "which runs code of the project"
)
"""Not tried, because whoever forbids building does not want that code to run."""


class Shelves:
    """Which source has which name, asked once for each."""

    def __init__(self, scene: Scene, catalog: Catalog) -> None:
        self._scene = scene
        self._catalog = catalog
        self._channels: dict[Source, frozenset[str]] = {}

    async def holders(self, name: str) -> tuple[tuple[Source, str], ...]:
        """Return the sources of the request that have the solver's ``name``, in their order, and
        what each of them calls it.

        Package indexes are asked for well-known projects and for those that are known to be the
        conda package of this name only: a private package's name is nobody's business, and
        whoever registers it there must not be recommended.
        """
        found = []
        for source in self._scene.request.sources:
            if source.kind is Kind.CONDA:
                if name in await self._names(source):
                    found.append((source, name))
            elif source.kind is Kind.PYPI and await self._on_index(name):
                found.append((source, self._project(name)))
        return tuple(found)

    async def _names(self, source: Source) -> frozenset[str]:
        if source not in self._channels:
            self._channels[source] = await self._scene.channels.names([source])
        return self._channels[source]

    def _project(self, name: str) -> str:
        return self._scene.names.project(name) or normalise(name)

    async def releases(self, name: str) -> list[str]:
        """Return the versions that package indexes have of the solver's ``name``."""
        project = self._project(name)
        try:
            releases = await self._catalog.index.releases(project)
        except KaaError:  # an explanation must not fail for want of a detail
            return []
        return [release.version for release in releases or ()]

    async def _on_index(self, name: str) -> bool:
        part = self._scene.part
        if part is not None and part.provides(name):
            return bool(await self.releases(name))
        project = self._project(name)
        mapping = await self._catalog.mapping() or {}
        known = project in (mapping.get(name) or ()) or project in well_known_projects()
        return known and bool(await self.releases(name))


async def unknown_names(
    scene: Scene, source: PyPISource | None, catalog: Catalog
) -> UnknownPackageError | None:
    """Return the error for specs whose names nobody has, None when there is something of each."""
    roots = scene.roots
    unknown = [root for root in roots if not await _is_known(root, scene, source, catalog)]
    if not unknown:
        return None
    missing = [await _missing_name(root, scene, catalog) for root in unknown]
    names = " and ".join(repr(root.spec.name) for root in unknown)
    one = len(unknown) == 1
    asked = ", ".join(_asked(scene, unknown))
    return UnknownPackageError(
        f"no source has {'a package' if one else 'packages'} called {names}",
        cause=f"asked for: {asked}",
        hint="\n".join(_suggestions(missing)),
        explanation=Explanation(
            (Term(unknown[0].name, unknown[0].spec).constraint,),
            reasons=tuple(f"{root.spec.name} is in none of: {asked}" for root in unknown),
            missing=tuple(missing),
        ),
    )


def _asked(scene: Scene, roots: Sequence[Root]) -> list[str]:
    named = {root.spec.source for root in roots}
    if None in named:
        return [source.name for source in scene.request.sources]
    return sorted(name for name in named if name)


async def _is_known(root: Root, scene: Scene, source: PyPISource | None, catalog: Catalog) -> bool:
    if root.name == "python" or root.name.startswith("__"):
        return True
    wanted = scene.request.source(root.spec.source) if root.spec.source else None
    if wanted is not None and wanted.kind is Kind.CONDA:
        return root.name in await scene.channels.names([wanted])
    if (wanted is None and root.name in scene.channel_names) or not root.demands:
        return root.name in scene.channel_names
    if source is not None and (root.name in source.projects or root.name in source.unknown):
        return root.name in source.projects
    project = scene.names.project(root.name) or root.name
    return await catalog.index.releases(project) is not None


async def _missing_name(root: Root, scene: Scene, catalog: Catalog) -> MissingName:
    name = root.spec.name
    popular = well_known_projects()
    index = scene.request.has_index
    first = scene.part is not None and scene.part.before_others
    names = {*scene.channel_names, *(popular if index else ())}
    near = [
        other
        for other in near_names(name, names, () if first else scene.channel_names)
        if other in scene.channel_names or await _exists(other, catalog)
    ]
    return MissingName(name, tuple(near), await _other_ecosystem(root, scene, catalog))


async def _exists(project: str, catalog: Catalog) -> bool:
    try:
        return await catalog.index.releases(project) is not None
    except KaaError:
        return False


async def _other_ecosystem(root: Root, scene: Scene, catalog: Catalog) -> str | None:
    """Return who else has the name: another source of the request, or one that is none of it."""
    name, project = root.spec.name, normalise(root.spec.name)
    if root.spec.source is not None:
        for source in scene.request.sources:
            if source.name == root.spec.source:
                continue
            if source.kind is Kind.CONDA and name in await scene.channels.names([source]):
                return f"{source.name} has it: `{source.name}::{name}`"
            if source.kind is Kind.PYPI and await _exists(project, catalog):
                return f"{source.name} has it: `{source.name}::{name}`"
    if not scene.request.has_index and project in well_known_projects():
        return f"PyPI has it: add `-c pypi` and ask for `pypi::{name}`"
    if all(source.name != _CONDA_FORGE for source in scene.request.channels):
        mapping = await catalog.mapping() or {}
        if name in mapping:
            return f"{_CONDA_FORGE} has it: add `-c {_CONDA_FORGE}`"
    return None


def _suggestions(missing: Sequence[MissingName]) -> list[str]:
    lines = []
    for one in missing:
        prefix = f"{one.name}: " if len(missing) > 1 else ""
        if one.elsewhere:
            lines.append(prefix + one.elsewhere)
        if one.near:
            sure = IMPORT_NAMES.get(one.name.lower())
            near = f"{' or '.join(f'`{name}`' for name in one.near)}?"
            why = f" (`import {one.name}` is of `{sure}`)" if sure in one.near else ""
            lines.append(f"{prefix}did you mean {near}{why}")
    if not lines:
        lines.append(
            "check the spelling; private packages need their channel (`-c`), or their index in "
            "pip's or uv's settings"
        )
    return lines


def without_version(
    terms: Sequence[Term], source: PyPISource | None, pythons: Sequence[str]
) -> SolveError | None:
    """Return the error for terms on one project of an index that nothing there satisfies.

    None when something does, so that the reason is another one.
    """
    project = source.projects.get(terms[0].name) if source else None
    if project is None:
        return None
    asked = " and ".join(f"`{term.spec.text}`" for term in terms if term.spec)
    demands = [Demand(term.spec.version) for term in terms if term.spec]
    versions = [release.version for release in matching(project.releases, demands)]
    if not versions:
        return no_matching_version(
            project.name, asked, [release.version for release in project.releases]
        )
    return None if project.offered else _no_wheel(project, asked, versions, pythons)


def no_matching_version(
    name: str, asked: str, versions: Sequence[str], where: str = ""
) -> SolveError:
    """Return the error for a package that has versions (newest first), but not the one asked.

    ``where`` are the sources that have it, where there are others that were not asked.
    """
    if not versions:
        return NoWheelError(
            f"the project {name!r} has no files",
            cause="its page on the index lists none that can be installed",
            hint="ask for another package",
        )
    newest = ", ".join(versions[:_SHOWN]) + (" ..." if len(versions) > _SHOWN else "")
    return NoMatchingVersionError(
        f"no version of {name!r}{f' in {where}' if where else ''} satisfies {asked}",
        cause=(
            f"there are {len(versions)} versions, the newest: {newest}"
            if len(versions) > 1
            else f"there is one version: {newest}"
        ),
        hint=f"ask for `{name}` without a version, or for one of these",
    )


def rejections(project: Project, versions: Sequence[str], most: int = _SHOWN) -> list[str]:
    """Return why ``versions`` of a project cannot be used, a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for version in versions:
        reasons.setdefault(project.rejected.get(version, "it was not offered"), []).append(version)
    return [f"{_some(versions)}: {reason}" for reason, versions in list(reasons.items())[:most]]


def unbuilt(source: PyPISource | None, names: Iterable[str]) -> list[str]:
    """Return those among ``names`` of which there is nothing because nothing may be built."""
    projects = source.projects if source is not None else {}
    found = [project for name in names if (project := projects.get(name)) is not None]
    return [
        project.name
        for project in found
        if not project.offered and FORBIDDEN in project.rejected.values()
    ]


def _no_wheel(
    project: Project, asked: str, versions: Sequence[str], pythons: Sequence[str]
) -> SolveError:
    lines = rejections(project, versions)
    minors = ", ".join(dict.fromkeys(".".join(python.split(".")[:2]) for python in pythons))
    if any(FORBIDDEN in line for line in lines):
        hint = ALLOW_BUILDING
    elif any("requires Python" in line for line in lines):
        hint = "ask for another version of Python or of the package"
    else:
        hint = "ask for another version, or for another Python"
    return NoWheelError(
        f"no wheel of {project.name!r} can be used here ({asked}, Python {minors})",
        cause="\n".join(lines),
        hint=hint,
    )


def _some(versions: Sequence[str]) -> str:
    return ", ".join(versions[:3]) + (f" and {len(versions) - 3} more" if len(versions) > 3 else "")
