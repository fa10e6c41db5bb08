"""What the records themselves say, so that an account of a refusal says nothing untrue.

The solver's tree names some of the packages that stand in the way, each with one of its builds,
and leaves out those that it did not get to. Whether *all* builds need something, and whether
nothing that was asked for satisfies it, is seen from the records.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kaa.model.errors import KaaError
from kaa.model.source import Kind, Priority
from kaa.solver.wording import version_words
from kaa.sources.versions import conda_version
from kaa.sources.virtual_packages import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rattler import MatchSpec, RepoDataRecord

    from kaa.model.source import Source
    from kaa.solver.missing import Shelves
    from kaa.solver.solve import Refusal

_NAME = re.compile(r"\s*([\w.+-]+)")
_CUT = "..."


class Checked(NamedTuple):
    """A claim of the solver, as the records bear it out: the specs that stand in the way, and
    whether no build of these versions does without one of them."""

    specs: tuple[str, ...]
    all_builds: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What one source has of a name: its records, of an index those that were offered, and all
    of its versions."""

    source: Source
    records: tuple[RepoDataRecord, ...]
    versions: tuple[str, ...]


@dataclass(slots=True)
class Evidence:
    """The records behind a refusal. What is asked of it has to be read first (:meth:`read`)."""

    refusal: Refusal
    shelves: Shelves
    _held: dict[str, tuple[Held, ...]] = field(default_factory=dict)

    async def read(self, names: Iterable[str]) -> None:
        """Read what the sources have of ``names``."""
        import asyncio

        new = [name for name in dict.fromkeys(names) if name not in self._held]
        found = await asyncio.gather(*map(self._read, new))
        self._held.update(zip(new, found, strict=True))

    def providers(self, name: str) -> tuple[Held, ...]:
        """Return the sources that the solver takes a name from, those that have it."""
        held = self._held.get(name, ())
        request = self.refusal.scene.request
        roots = [root for root in self.refusal.scene.roots if root.name == name]
        chosen = {root.spec.source for root in roots if root.spec.source}
        if chosen:
            wanted = [request.source(text) for text in chosen]
            return tuple(one for one in held if one.source in wanted)
        every = request.priority is Priority.DISABLED or name in request.loosened
        return held if every else held[:1]

    def available(self, name: str) -> str | None:
        """Return which versions of a name there are, in words, None for none."""
        scene = self.refusal.scene
        if name == "python" and scene.hosts is not None:
            return ", ".join(scene.pythons) + " on this machine" if scene.pythons else None
        found = self.providers(name)
        versions = _sorted({version for one in found for version in one.versions})
        if not versions:
            return None
        span = versions[0] + (f" to {versions[-1]}" if len(versions) > 1 else "")
        return f"{span} in {', '.join(one.source.name for one in found)}"

    def asked_for(self, name: str) -> str:
        """Return whom of all sources that a name was asked of has not what was wanted of it.

        An index is not asked for what channels provide, nor for what only conda packages need.
        """
        source, request = self.refusal.source, self.refusal.scene.request
        asked = source is not None and (name in source.unknown or name in source.projects)
        return "no source" if asked or not request.has_index else "no channel"

    def has(self, source: Source, name: str) -> bool:
        """Say whether a source has anything of what is asked of ``name``."""
        from rattler import Version, VersionSpec

        held = [one for one in self._held.get(name, ()) if one.source == source]
        roots = [root for root in self.refusal.scene.roots if root.name == name]
        conda = source.kind is Kind.CONDA
        specs = [root.spec.conda_version if conda else root.spec.version for root in roots]
        wanted = [VersionSpec(spec) for spec in specs if spec != "*"]
        return any(
            all(spec.matches(Version(version)) for spec in wanted)
            for one in held
            for version in one.versions
        )

    def only_in(self, source: Source, name: str, lists: Sequence[str]) -> list[str]:
        """Return versions among ``lists`` that ``source`` has builds of which the sources that
        provide the name have not."""
        there = {
            (str(record.version), str(record.build))
            for one in self.providers(name)
            for record in one.records
        }
        own = [r for one in self._held.get(name, ()) if one.source == source for r in one.records]
        among = [record for record in own if _listed(str(record.version), lists)]
        missing = {str(r.version) for r in among if (str(r.version), str(r.build)) not in there}
        return _sorted(missing)

    def check(
        self, package: str, lists: Sequence[str], other: str, specs: Sequence[str], *, limits: bool
    ) -> Checked:
        """Return what the versions of ``package`` in ``lists`` (the solver's) say of ``other``.

        ``specs`` are those that the solver named; ``limits`` is for run constraints. What other
        builds ask instead, and what cannot be had either, is added.
        """
        said = {version_words(spec) for spec in specs}
        found = dict.fromkeys(specs)
        everywhere = True
        for record in self._records(package, lists):
            own = [
                text
                for text in map(str, record.constrains if limits else record.depends)
                if _name(text) == other
            ]
            if any(version_words(_rest(text)) in said for text in own):
                continue
            if own and not self._any(other, own):
                found |= dict.fromkeys(map(_rest, own[:1]))
            else:
                everywhere = False
        return Checked(tuple(found), everywhere)

    def satisfiable(self, name: str, specs: Sequence[str], *, as_asked: bool = True) -> bool:
        """Say whether there is something of ``name`` that satisfies one of ``specs`` and, with
        ``as_asked``, what else is asked of it."""
        return any(self._any(name, [f"{name} {spec}".strip()], as_asked) for spec in specs)

    def _any(self, name: str, texts: Sequence[str], as_asked: bool = True) -> bool:
        scene = self.refusal.scene
        if name.startswith("__"):
            there = version_of(name, scene.request.virtual_packages)
            return there is not None and _fits(there, texts)
        if name == "python" and scene.hosts is not None:
            # those that are not what was asked for are not among them
            return not as_asked or any(_fits(python, texts) for python in scene.pythons)
        needed = [spec for spec in map(_match_spec, texts) if spec is not None]
        for one in self.providers(name):
            if one.source.kind is Kind.PYPI and not as_asked:
                # records are only of what was asked for
                if any(_fits(version, texts) for version in one.versions):
                    return True
                continue
            wanted = [*needed, *(self._asked(name, one) if as_asked else ())]
            if any(all(spec.matches(record) for spec in wanted) for record in one.records):
                return True
        return False

    def _records(self, name: str, lists: Sequence[str]) -> list[RepoDataRecord]:
        """Return the records of a name that are as was asked for, and among the versions."""
        found = []
        for one in self.providers(name):
            asked = self._asked(name, one)
            found += [
                record
                for record in one.records
                if _listed(str(record.version), lists)
                and all(spec.matches(record) for spec in asked)
            ]
        return found

    def _asked(self, name: str, held: Held) -> list[MatchSpec]:
        scene, conda = self.refusal.scene, held.source.kind is Kind.CONDA
        roots = (root.spec for root in (*scene.roots, *scene.pins) if root.name == name)
        specs = (_match_spec(spec.match_spec(name, conda=conda)) for spec in roots)
        return [spec for spec in specs if spec is not None]

    async def _read(self, name: str) -> tuple[Held, ...]:
        scene, source = self.refusal.scene, self.refusal.source
        found: dict[Source, Held] = {}
        if name in scene.channel_names:
            try:
                records = await scene.channels.records(name)
            except KaaError:  # an explanation must not fail for want of a detail
                records = []
            for one in scene.request.channels:
                own = tuple(record for record in records if _is_from(one, record))
                if own:
                    found[one] = Held(one, own, tuple({str(r.version) for r in own}))
        # An index is not asked for anything here: whoever wants a private package's name to stay
        # private has not asked it either.
        project = source.projects.get(name) if source is not None else None
        index = next((one for one in scene.request.sources if one.kind is Kind.PYPI), None)
        if project is not None and index is not None:
            offered = tuple(record for own in project.offered.values() for record in own)
            versions = [release.version for release in project.releases]
            if not project.loaded:
                versions = await self.shelves.releases(name)
            if versions:
                found[index] = Held(index, offered, tuple(map(conda_version, versions)))
        return tuple(found[one] for one in scene.request.sources if one in found)


def _is_from(source: Source, record: RepoDataRecord) -> bool:
    channel = (record.channel or record.url).rstrip("/") + "/"
    return any(channel.startswith(url.rstrip("/") + "/") for url in source.urls)


def _fits(version: str, texts: Sequence[str]) -> bool:
    """Say whether a version is what all dependencies allow, which say nothing of builds."""
    from rattler import Version, VersionSpec

    specs = (_rest(text).partition("[")[0].split(" ")[0] for text in texts)
    return all(VersionSpec(spec or "*").matches(Version(version)) for spec in specs)


def _listed(version: str, lists: Sequence[str]) -> bool:
    """Say whether a version is among those that the solver lists, some of which it leaves out."""
    from rattler import Version

    for listed in lists:
        named = listed.split(" | ")
        if version in named:
            return True
        known = _sorted(one for one in named if one != _CUT)
        if _CUT in named and known and Version(known[0]) < Version(version) < Version(known[-1]):
            return True
    return False


def _sorted(versions: Iterable[str]) -> list[str]:
    from rattler import Version

    return sorted(versions, key=Version)


def _name(text: str) -> str:
    match = _NAME.match(text)
    return match[1] if match else ""


@lru_cache(maxsize=4096)
def _rest(text: str) -> str:
    """Return what a dependency says after its name, as the solver writes it."""
    spec = _match_spec(text)
    said = text if spec is None else str(spec)
    return said[len(_name(said)) :].strip()


@lru_cache(maxsize=4096)
def _match_spec(text: str) -> MatchSpec | None:
    from rattler import MatchSpec

    try:
        return MatchSpec(text)
    except Exception:  # a record of another tool: the solver has read it, whatever it says
        return None
