"""One project of a package index during a solve: what is asked of it, and what it has offered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kaa.sources.versions import conda_version, is_pre_release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rattler import RepoDataRecord

    from kaa.model.distribution import Release
    from kaa.sources.wheels import WheelChoice

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
    releases: Iterable[Release] = ()
    loaded: bool = True
    """Whether ``releases`` are there; those of an installed package are asked for when needed."""
    kept: str | None = None
    """The version that is installed and stays as long as it will do."""
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


def waits(choices: Sequence[WheelChoice], chosen: Mapping[str, object], project: Project) -> bool:
    """Say whether a version has to be built and newer ones may do, which have not been tried yet.

    ``chosen`` are the newer versions. A build runs the project's code and takes its time, so a
    window does not grow from new wheels to source distributions in one step.
    """
    return any(choice.built for choice in choices) and bool(chosen.keys() - project.offered.keys())


def behind(
    records: Iterable[RepoDataRecord],
    projects: Mapping[str, Project],
    limits: Mapping[str, list[Demand]],
) -> list[str]:
    """Return the projects whose version in an answer may be older than the answer allows.

    That is: older than a usable version that nobody has offered yet and that satisfies what the
    answer's own packages and the user's ``limits`` ask of it.
    """
    from rattler import MatchSpec, Version

    records = list(records)
    asked: dict[str, set[str]] = {}
    for record in records:
        for text in record.depends:
            name = text.partition("[")[0].split(" ")[0]
            if name in projects:
                asked.setdefault(name, set()).add(MatchSpec(text).version or "*")
    found = []
    for record in records:
        project = projects.get(record.name.normalized)
        if project is None:
            continue
        demands = [Demand(spec) for spec in asked.get(project.name, set()) if "|" not in spec]
        demands += limits.get(project.name, [])
        newest = next(
            (
                release.version
                for release in matching(project.releases, demands)
                if release.version not in project.rejected
                and release.version not in project.offered
                and not is_pre_release(release.version)
            ),
            None,
        )
        chosen = Version(str(record.version))
        if newest is not None and Version(conda_version(newest)) > chosen:
            found.append(project.name)
    return found
