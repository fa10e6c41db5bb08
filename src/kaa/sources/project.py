"""One project of a package index during a solve: what is asked of it, and what it has offered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kaa.sources.versions import conda_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rattler import RepoDataRecord

    from kaa.model.distribution import Release

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
