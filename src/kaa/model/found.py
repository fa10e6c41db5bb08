"""What a search has found: packages by source, with their versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.source import Kind

if TYPE_CHECKING:
    from kaa.model.source import Priority


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """One version of a package in one source.

    ``archives`` is how many builds (conda) or files (PyPI) it has; ``published`` the date of the
    newest of them (ISO 8601), None when the source does not say; ``yanked`` is the reason, an
    empty string when none was given, None when it is not yanked. ``records`` are the fields of
    the builds, best first, or of the release, as the source has them; only where they were asked
    for.
    """

    version: str
    archives: int
    published: str | None = None
    yanked: str | None = None
    pre_release: bool = False
    records: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        fields: dict[str, Any] = {
            "version": self.version,
            "archives": self.archives,
            "published": self.published,
            "yanked": self.yanked,
            "pre_release": self.pre_release,
        }
        if self.records:
            fields["records"] = list(self.records)
        return fields


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """A package of one source with the versions that match, newest first.

    ``name`` is what the package is called in a solve over all sources, ``own_name`` what this
    source calls it; ``provides`` says that it would come from here, as priorities are.
    """

    name: str
    own_name: str
    source: str
    kind: Kind
    versions: tuple[FoundVersion, ...]
    provides: bool = False

    @property
    def latest(self) -> FoundVersion | None:
        """The newest version that would be chosen: not yanked, and no pre-release (PEP 440)."""
        good = [v for v in self.versions if v.yanked is None and not v.pre_release]
        return next(iter(good or self.versions), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "own_name": self.own_name,
            "source": self.source,
            "kind": self.kind.value,
            "provides": self.provides,
            "latest": self.latest.version if self.latest else None,
            "versions": [version.as_dict() for version in self.versions],
        }


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search.

    ``packages`` are grouped by name, the sources of each in order of priority; ``total`` is how
    many names there are, which is more than in ``packages`` if a limit was set; ``notes`` say
    what a user might wonder about.
    """

    query: str
    platform: str
    priority: Priority
    packages: tuple[FoundPackage, ...]
    total: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "query": self.query,
            "platform": self.platform,
            "channel_priority": self.priority.value,
            "total": self.total,
            "packages": [package.as_dict() for package in self.packages],
            "notes": list(self.notes),
        }

    def as_conda_dict(self) -> dict[str, Any]:
        """Return the records by name, oldest first, as ``conda search --json`` prints them."""
        records: dict[str, Any] = {}
        for package in self.packages:
            if package.kind is Kind.CONDA:
                told = records.setdefault(package.own_name, [])
                for version in reversed(package.versions):
                    told += version.records
        return {name: told for name, told in records.items() if told}
